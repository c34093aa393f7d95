"""Files of an owner: what is brought for a job, and what a job has delivered."""

from makegood_adapters.http.operation import Op

OPERATIONS: tuple[Op, ...] = ()
