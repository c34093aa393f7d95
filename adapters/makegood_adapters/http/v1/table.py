"""The table: every operation of `/v1`, part by part."""

from makegood_adapters.http.operation import Op
from makegood_adapters.http.v1 import endpoints, events, files, jobs, keys, operations, wallets

OPERATIONS: tuple[Op, ...] = (
    *jobs.OPERATIONS,
    *files.OPERATIONS,
    *wallets.OPERATIONS,
    *events.OPERATIONS,
    *operations.OPERATIONS,
    *endpoints.OPERATIONS,
    *keys.OPERATIONS,
)
