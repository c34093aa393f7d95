"""Transitions as they happen, as server-sent events: of one job, or of all jobs of an owner."""

from makegood_adapters.http.operation import Op

OPERATIONS: tuple[Op, ...] = ()
