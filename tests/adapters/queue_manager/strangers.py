"""Every call of the existing page's wire, and by hand what each caller may move with it, in which place."""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from makegood_adapters.queue_manager.cancel_ids import cancel_id
from tests.adapters.queue_manager.scene import FUNCTIONS, OVER, PLACES, PNG
from tests.adapters.queue_manager.shop import TABLE

#: Who calls: nobody at all, the public key alone as on the page's direct calls, another signed-in user, and
#: the owner of the job.
CALLERS = ("nobody", "public", "other", "owner")
OTHER = "bob"
FORGED = "https://evil.example/1.png"
PNG_TEXT = base64.b64encode(PNG).decode()


@dataclass(frozen=True)
class Aim:
    """What a call is about: a job, its owner, its page, the name of its task, a file of the owner."""

    job_id: UUID
    owner: str
    session: str
    task: str
    file: str

    @property
    def row(self) -> dict[str, Any]:
        return {"table": TABLE, "jobId": str(self.job_id)}


@dataclass(frozen=True)
class Call:
    """A call, and the status of its answer to each of CALLERS; None: it depends on the place."""

    name: str
    method: str
    path: Callable[[Aim], str]
    body: Callable[[Aim], Any]
    statuses: tuple[int | None, int | None, int | None, int | None]


def _at(text: str) -> Callable[[Aim], str]:
    return lambda aim: text.format(id=aim.job_id, owner=aim.owner)


def _manager(endpoint: str, body: Callable[[Aim], Any], *statuses: int, name: str = "") -> Call:
    nobody, public, other, owner = statuses
    return Call(
        name or endpoint, "POST", _at(f"{FUNCTIONS}/{endpoint}"), body, (nobody, public, other, owner)
    )


def _finish(name: str, owner: int = 200, **claims: Any) -> Call:
    return _manager("finish", lambda aim: {**aim.row, **claims}, 401, 200, 404, owner, name=name)


def _patch(name: str, **columns: Any) -> Call:
    path = _at(f"/rest/v1/{TABLE}?id=eq.{{id}}")
    return Call(name, "PATCH", path, lambda _: columns, (401, 204, 204, 204))


def _function(function: str, endpoint: str, *statuses: int, **body: Any) -> Call:
    nobody, public, other, owner = statuses
    return Call(
        f"{function}/{endpoint}",
        "POST",
        _at(f"/functions/v1/{function}/{endpoint}"),
        lambda aim: {"jobId": str(aim.job_id), "userId": aim.owner, **body},
        (nobody, public, other, owner),
    )


def _rpc(name: str, body: Callable[[Aim], Any], status: int = 200, called: str = "") -> Call:
    return Call(called or name, "POST", _at(f"/rest/v1/rpc/{name}"), body, (401, status, status, status))


def _row(name: str, method: str, path: str, body: Callable[[Aim], Any], *statuses: int | None) -> Call:
    nobody, public, other, owner = statuses
    return Call(name, method, _at(path), body, (nobody, public, other, owner))


def _hook(path: str) -> Call:
    def body(aim: Aim) -> Any:
        data = {"status": "SUCCESS", "results": [{"url": FORGED, "outputType": "png"}]}
        return {"event": "TASK_END", "taskId": aim.task, "eventData": data}

    return Call(path, "POST", _at(f"/functions/v1/{path}"), body, (200, 200, 200, 200))


def _cancelled_by(make: Callable[[UUID], UUID]) -> Callable[[Aim], Any]:
    return lambda aim: {"p_table_name": TABLE, "p_job_id": str(make(aim.job_id))}


def _nothing(_: Aim) -> Any:
    return {}


def _new_row(aim: Aim) -> Any:
    return {"session_id": aim.session, "user_id": aim.owner, "id": str(aim.job_id), "status": "completed"}


UPSCALER = "runninghub-upscaler"
CALLS: tuple[Call, ...] = (
    _manager("check", _nothing, 401, 200, 200, 200),
    _manager("check-user-active", lambda aim: {"userId": aim.owner}, 401, 200, 200, 200),
    _finish("finish failed", status="failed", errorMessage="gone"),
    _finish("finish failed with a result", status="failed", outputUrl=FORGED),
    _finish("finish completed", status="completed", outputUrl=FORGED, rhCost=0, taskId="1"),
    _finish("finish cancelled", status="cancelled", creditCost=0, refundedAmount=99_999),
    _finish("finish without a status"),
    _manager("reconcile", lambda aim: aim.row, 401, 200, 200, 200),
    _manager("cancel-session", lambda aim: {"sessionId": aim.session}, 401, 200, 200, 200, name="leave"),
    _manager("cancel-session", lambda _: {"sessionId": "guess"}, 401, 200, 200, 200, name="leave guessed"),
    _manager("cancel-session", lambda aim: {"userId": aim.owner}, 401, 200, 200, 200, name="leave user"),
    *(
        _manager(name, lambda aim: {**aim.row, "creditCost": 0}, 401, 401, 401, 401)
        for name in ("run-or-queue", "enqueue", "process-next", "retry", "status")
    ),
    *(
        _manager(name, lambda aim: aim.row, 401, 400, 400, 400)
        for name in ("cancel-job", "reconcile-task", "force-cancel-job", "interrupt-task")
    ),
    Call(
        "run",
        "POST",
        _at(f"/functions/v1/{UPSCALER}/run"),
        lambda aim: {"jobId": str(aim.job_id), "userId": aim.owner, "creditCost": 1, "imageUrl": aim.file},
        (401, 401, 404, 200),
    ),
    _function(UPSCALER, "upload", 401, 401, 200, 200, imageBase64=PNG_TEXT, fileName="a.png"),
    _function(UPSCALER, "refine", 401, 400, 400, 400),
    _function(UPSCALER, "fallback", 401, 400, 400, 400),
    *(
        _function(UPSCALER, name, 401, 401, 404, 200)
        for name in ("queue-status", "reconcile", "poll", "poll-evolink")
    ),
    _row("insert", "POST", f"/rest/v1/{TABLE}?select=id", _new_row, 401, 401, 403, None),
    _row("upsert", "POST", f"/rest/v1/{TABLE}?on_conflict=id", _new_row, 401, 400, 400, 400),
    _row("select", "GET", f"/rest/v1/{TABLE}?id=eq.{{id}}", _nothing, 401, 200, 200, 200),
    _row("select all", "GET", f"/rest/v1/{TABLE}?user_id=eq.{{owner}}", _nothing, 401, 400, 400, 400),
    _row("delete", "DELETE", f"/rest/v1/{TABLE}?id=eq.{{id}}", _nothing, 401, 405, 405, 405),
    _row("put", "PUT", f"/rest/v1/{TABLE}?id=eq.{{id}}", _new_row, 401, 405, 405, 405),
    _row(
        "patch all", "PATCH", f"/rest/v1/{TABLE}?user_id=eq.{{owner}}", lambda _: {"status": "failed"},
        401, 204, 204, 204,
    ),
    _patch("patch failed", status="failed", error_message="gone", completed_at="2026-02-05T00:00:00Z"),
    _patch("patch completed", status="completed", output_url=FORGED, credits_charged=True),
    _patch("patch protected", user_credit_cost=0, credits_refunded=True, user_id=OTHER, task_id="1"),
    _patch("patch reference", reference_prompt_id="r-1"),
    _rpc("user_cancel_ai_job", _cancelled_by(lambda job_id: job_id), called="cancel"),
    _rpc("user_cancel_ai_job", _cancelled_by(cancel_id), called="cancel by its other id"),
    _rpc("mark_pending_job_as_failed", _cancelled_by(lambda job_id: job_id), called="mark"),
    _rpc("mark_pending_job_as_failed", _cancelled_by(cancel_id), called="mark by its other id"),
    _rpc("get_upscaler_credits", lambda aim: {"_user_id": aim.owner}),
    _rpc("get_upscaler_credits_breakdown", lambda aim: {"_user_id": aim.owner}),
    *(
        _rpc(f"{verb}_upscaler_credits", lambda aim: {"_user_id": aim.owner, "_amount": 99_999}, 404)
        for verb in ("consume", "refund", "add", "reset", "remove", "revoke")
    ),
    _row(
        "bring a file", "POST", "/storage/v1/object/artes-cloudinary/upscaler/{owner}/new.png", _nothing,
        401, 401, 403, 200,
    ),
    _row("take a file away", "DELETE", "/storage/v1/object/artes-cloudinary/upscaler/{owner}/1.png", _nothing,
         405, 405, 405, 405),
    _row("a result by a guess", "GET", "/storage/v1/object/results/{id}.png", _nothing, 404, 404, 404, 404),
    _hook("runninghub-webhook"),
    _hook("runninghub-video-upscaler-webhook"),
)  # fmt: skip


def calls_of_others(functions: Iterable[tuple[str, bool]]) -> list[Call]:
    """Return the calls of the other tools' functions about a job that is none of theirs; the second of each
    pair says whether the function makes rows itself, so that it looks at no job."""
    found = []
    for function, makes_row in functions:
        runs = (401, 401, 200, 200) if makes_row else (401, 401, 404, 404)
        found.append(_function(function, "run", *runs))
        for endpoint in ("queue-status", "reconcile", "poll", "poll-evolink"):
            found.append(_function(function, endpoint, 401, 401, 404, 404))
    return found


@dataclass(frozen=True)
class Move:
    """What a call may do: the job is in `state` afterwards, and rows of these tables are others or new."""

    state: str
    tables: frozenset[str]


_ENDS = frozenset({"job", "history", "attempt", "hold", "journal", "bucket", "wallet"})
_BEFORE = ("draft", "pending")
_WAITS = (*_BEFORE, "queued")
# A claimed job to which nothing was sent yet is not at the provider either.
_UNSENT = (*_WAITS, "starting")
_AT_PROVIDER = ("starting with intent", "running")


def _to(state: str, places: Iterable[str]) -> dict[str, Move]:
    return {place: Move(state, _ENDS) for place in places}


def _beside(places: Iterable[str], *tables: str) -> dict[str, Move]:
    """Return that the job stays in its state, and rows of these tables change."""
    return {place: Move("", frozenset(tables)) for place in places}


_REPORTS: Mapping[str, dict[str, Move]] = {
    "finish failed": _to("failed", _WAITS),
    "patch failed": _to("failed", _WAITS),
    "mark": _to("failed", _BEFORE),
}
# Whoever knows the session of a page may say that it is left: a weak secret.
_LEAVES: Mapping[str, dict[str, Move]] = {"leave": _to("cancelled", _UNSENT)}
_CANCELS = {
    **_to("cancelled", (*_UNSENT, "queued again")),
    **{place: Move(place.partition(" ")[0], frozenset({"job"})) for place in _AT_PROVIDER},
}
#: Caller, call, and place: all that may move. Everything else moves nothing.
MOVES: Mapping[str, Mapping[str, dict[str, Move]]] = {
    "nobody": {},
    "public": {**_REPORTS, **_LEAVES},
    "other": {**_LEAVES, f"{UPSCALER}/upload": _beside(PLACES, "upload")},
    "owner": {
        **_REPORTS,
        **_LEAVES,
        "leave user": _to("cancelled", _UNSENT),
        "run": _to("queued", _BEFORE),
        "cancel": _CANCELS,
        # The other id is one of live jobs alone.
        "cancel by its other id": _CANCELS,
        "patch reference": _beside(PLACES, "job"),
        "insert": _beside(OVER, "job", "history"),
        # The end of a draft is put off while files come that it may wait for.
        "bring a file": _beside(PLACES, "upload", "upload_name")
        | _beside(("draft",), "upload", "upload_name", "job"),
        f"{UPSCALER}/upload": _beside(PLACES, "upload") | _beside(("draft",), "upload", "job"),
    },
}
#: What these tell a stranger depends on the job, or on how much there is to do.
TOLD_TO_STRANGERS = ("check", "check-user-active", "reconcile", "leave", "leave user")
