"""Who may call which operation, as it is meant: a row for each operation, a column for each caller."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Cell = tuple[int, str | None]  # the status, and the code of the problem if it is one

#: Callers who show something that is not valid; they are nobody, whatever they call.
BAD = (
    "expired",
    "wrong audience",
    "alg none",
    "HS256 by the public key",
    "unknown key",
)
COLUMNS = ("none", "anonymous", "other", "owner", "service", "without scope", *BAD)
_DONE: Cell = (0, None)  # as the operation says
_NOBODY: Cell = (401, "unauthenticated")
_FORBIDDEN: Cell = (403, "forbidden")
_MISSING: Cell = (404, "not_found")


def _row(*cells: Cell) -> dict[str, Cell]:
    """Return the cells by their columns; who shows what is not valid is nobody."""
    return dict(zip(COLUMNS, (*cells, *(_NOBODY for _ in BAD)), strict=True))


#: What anybody may know who has any credentials.
ANYBODYS = _row(_NOBODY, _DONE, _DONE, _DONE, _DONE, _DONE)
#: What everybody may know.
OPEN = _row(_DONE, _DONE, _DONE, _DONE, _DONE, _DONE)
#: What each owner may do for itself, with things of its own.
OWN = _row(_NOBODY, _FORBIDDEN, _DONE, _DONE, _DONE, _FORBIDDEN)
#: What is done to one thing, which is the owner's: for others it is not there.
OWNERS = _row(_NOBODY, _FORBIDDEN, _MISSING, _DONE, _DONE, _FORBIDDEN)
#: What a program needs a scope for.
SCOPED = _row(_NOBODY, _FORBIDDEN, _FORBIDDEN, _FORBIDDEN, _DONE, _FORBIDDEN)


@dataclass(frozen=True)
class Row:
    """One operation: who may, how it answers when it is done, and what is sent.

    `path` names what stands in the path; what it does not name is a new thing of the owner: a job that waits,
    or that has `delivered`, a file, a key. `json` is the body; "order" stands for a good order.
    """

    who: Mapping[str, Cell]
    status: int = 200
    json: Any = None
    query: str = ""
    code: str | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    delivered: bool = False

    def expected(self, column: str) -> Cell:
        """Return what a caller gets."""
        cell = self.who[column]
        return (self.status, self.code) if cell == _DONE else cell


ROWS: Mapping[str, Row] = {
    "list_job_types": Row(ANYBODYS),
    "submit_job": Row(OWN, 201, "order"),
    "get_job": Row(OWNERS),
    "cancel_job": Row(OWNERS),
    "bring_file": Row(OWN, 201),
    "get_file": Row(OWNERS),
    "get_job_file": Row(OWNERS, path={"number": "0"}, delivered=True),
    "reuse_job_file": Row(OWNERS, path={"number": "0"}, delivered=True),
    "link_job_file": Row(OWNERS, path={"number": "0"}, delivered=True),
    "get_link": Row(OPEN),
    "list_keys": Row(SCOPED),
    "make_key": Row(SCOPED, 201, {"name": "new", "scopes": ["metrics"]}),
    "rotate_key": Row(SCOPED, json={}),
    "revoke_key": Row(SCOPED),
    # The process of this scene sends no webhooks: who may make an endpoint is told so.
    "make_endpoint": Row(SCOPED, 409, {"url": "https://example.org/"}, code="webhooks_off"),
    "list_endpoints": Row(SCOPED),
    "get_endpoint": Row(SCOPED),
    "change_endpoint": Row(SCOPED, json={"description": "another"}),
    "rotate_endpoint": Row(SCOPED, json={}),
    "remove_endpoint": Row(SCOPED, 204),
    "list_deliveries": Row(SCOPED),
    "list_tries": Row(SCOPED, 404, code="not_found", path={"seq": "1"}),
    "resend": Row(SCOPED, json={}),
    "test_endpoint": Row(SCOPED, 409, code="webhooks_off"),
}
