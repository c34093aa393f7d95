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
COLUMNS = ("none", "anonymous", "other", "owner", "service", "without scope", "observe", "local", *BAD)
_DONE: Cell = (0, None)  # as the operation says
_NOBODY: Cell = (401, "unauthenticated")
_FORBIDDEN: Cell = (403, "forbidden")
_MISSING: Cell = (404, "not_found")


def _row(*cells: Cell) -> dict[str, Cell]:
    """Return the cells by their columns; who shows what is not valid is nobody."""
    return dict(zip(COLUMNS, (*cells, *(_NOBODY for _ in BAD)), strict=True))


#: What anybody may know who has any credentials.
ANYBODYS = _row(_NOBODY, _DONE, _DONE, _DONE, _DONE, _DONE, _DONE, _NOBODY)
#: What everybody may know.
OPEN = _row(_DONE, _DONE, _DONE, _DONE, _DONE, _DONE, _DONE, _DONE)
#: What each owner may do for itself, with things of its own.
OWN = _row(_NOBODY, _FORBIDDEN, _DONE, _DONE, _DONE, _FORBIDDEN, _FORBIDDEN, _NOBODY)
#: What is done to one thing, which is the owner's: for others it is not there.
OWNERS = _row(_NOBODY, _FORBIDDEN, _MISSING, _DONE, _DONE, _FORBIDDEN, _FORBIDDEN, _NOBODY)
#: What a program needs a scope for.
SCOPED = _row(_NOBODY, _FORBIDDEN, _FORBIDDEN, _FORBIDDEN, _DONE, _FORBIDDEN, _FORBIDDEN, _NOBODY)
#: What operators see: a key for it is enough, and to be on this machine is.
SEEN = _row(_NOBODY, _FORBIDDEN, _FORBIDDEN, _FORBIDDEN, _DONE, _FORBIDDEN, _DONE, _DONE)


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


_SIGNED = {"by": "Grace", "reason": "it was asked for"}
_RESULT = {"number": "0"}

ROWS: Mapping[str, Row] = {
    "get_document": Row(OPEN),
    "list_job_types": Row(ANYBODYS),
    "get_job_type": Row(ANYBODYS, path={"name": "upscaler"}),
    "quote_job": Row(ANYBODYS, json="order"),
    "submit_job": Row(OWN, 201, "order"),
    "list_jobs": Row(OWN),
    "get_job": Row(OWNERS),
    "prepare_job": Row(OWNERS, json={"input": {}}),
    "accept_job": Row(OWNERS),
    "cancel_job": Row(OWNERS),
    "report_job": Row(OWNERS, json={"message": "it shows nothing"}),
    "end_session": Row(OPEN, json={"session": "a page"}),
    "watch_job": Row(OWNERS),
    "watch_jobs": Row(OWN),
    "bring_file": Row(OWN, 201),
    "get_file": Row(OWNERS),
    "get_job_file": Row(OWNERS, path=_RESULT, delivered=True),
    "reuse_job_file": Row(OWNERS, path=_RESULT, delivered=True),
    "link_job_file": Row(OWNERS, path=_RESULT, delivered=True),
    "get_link": Row(OPEN),
    "get_wallet": Row(OWN),
    "get_statement": Row(OWN),
    "grant_credits": Row(SCOPED, json={"amount": 1, "source_ref": "order-2"}, path={"owner": "ada"}),
    "grant_unlimited": Row(SCOPED, json={"source_ref": "plan-1"}, path={"owner": "eve"}),
    "start_cycle": Row(SCOPED, json={"amount": 1, "plan": "p", "cycle": "1"}, path={"owner": "ada"}),
    "charge_back": Row(SCOPED, json={"source_ref": "order-2"}, path={"owner": "ada"}),
    "get_owners_wallet": Row(SCOPED, path={"owner": "ada"}),
    "get_owners_statement": Row(SCOPED, path={"owner": "ada"}),
    "get_any_result": Row(SEEN, path=_RESULT, delivered=True),
    "get_any_input": Row(SEEN, path={"name": "image"}),
    "get_me": Row(SEEN),
    "get_overview": Row(SEEN),
    "get_queue": Row(SEEN),
    "get_concerns": Row(SEEN),
    "get_machine": Row(SEEN, path={"name": "upscaler"}),
    "list_all_jobs": Row(SEEN),
    "get_dossier": Row(SEEN),
    "get_books": Row(SEEN),
    "get_ledger": Row(SEEN),
    "cancel_any_job": Row(SCOPED, json=_SIGNED),
    # A job that waits is not at the provider.
    "ask_about_job": Row(SCOPED, 400, {"by": "Grace"}, code="invalid_request"),
    "list_acts": Row(SEEN),
    "end_job": Row(SCOPED, json={"event": "fail", **_SIGNED}),
    # A job that waits has no attempt that anybody could settle.
    "resolve_attempt": Row(SCOPED, 400, _SIGNED, code="invalid_request", path={"number": "1"}),
    "look_at_wallet": Row(SEEN, path={"owner": "ada"}),
    "look_at_statement": Row(SEEN, path={"owner": "ada"}),
    "list_accounts": Row(SEEN),
    "list_rules": Row(SEEN),
    "put_limit": Row(SCOPED, json={"scope": "owner", "name": "eve", "by": "Grace", "running_max": 9}),
    "pause_jobs": Row(SCOPED, json={"scope": "owner", "name": "eve", **_SIGNED}),
    "resume_jobs": Row(SCOPED, json={"scope": "owner", "name": "eve", "by": "Grace"}),
    "audit_store": Row(SEEN),
    "watch_all_jobs": Row(SEEN),
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
