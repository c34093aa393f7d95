"""Endpoints that are told of transitions by signed webhooks: made, rotated, their log, sent again."""

from makegood_adapters.http.operation import Op

OPERATIONS: tuple[Op, ...] = ()
