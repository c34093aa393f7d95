"""Service keys: make, list, rotate and revoke them."""

from makegood_adapters.http.operation import Op

OPERATIONS: tuple[Op, ...] = ()
