"""What operators do: grants, limits, pauses, ending and settling jobs, the audit."""

from makegood_adapters.http.operation import Op

OPERATIONS: tuple[Op, ...] = ()
