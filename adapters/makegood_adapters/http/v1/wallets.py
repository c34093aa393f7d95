"""Credits of an owner: the wallet and its statement."""

from makegood_adapters.http.operation import Op

OPERATIONS: tuple[Op, ...] = ()
