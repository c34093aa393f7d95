"""`/rest/v1/rpc/…`: the procedures that the existing pages call: cancel, a client's report, the balance."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from aiohttp import web

from makegood.engine import Engine
from makegood.errors import Conflict, GuardFailed, IllegalTransition, UnknownJob
from makegood.job import Job, Wallet
from makegood.lifecycle import BaseJob
from makegood_adapters.http.application import Refused, read_json
from makegood_adapters.queue_manager.callers import caller_of, may_report, owner_of
from makegood_adapters.queue_manager.cancel_ids import cancel_id
from makegood_adapters.queue_manager.reports import SOURCE, Claim, Reports
from makegood_adapters.queue_manager.tables import Tables, to_uuid

#: Of an owner's live jobs so many are looked through for a cancel id; where tools are exclusive there is one.
_LIVE_MAX = 200
_MESSAGE = "p_error_message"
#: Shown where every price is covered, more than any tool costs.
_UNBOUNDED = 999_999

Procedure = Callable[[web.Request, Mapping[str, Any]], Awaitable[Any]]


class Procedures:
    """What pages call by name. Their replies are plain values, as a database would give them."""

    def __init__(self, engine: Engine, tables: Tables, reports: Reports) -> None:
        self._engine, self._tables, self._reports = engine, tables, reports
        self._known: Mapping[str, Procedure] = {
            "user_cancel_ai_job": self.cancel,
            "mark_pending_job_as_failed": self.mark_failed,
            "get_upscaler_credits": self.credits,
            "get_upscaler_credits_breakdown": self.breakdown,
        }

    async def call(self, request: web.Request) -> web.Response:
        """Run the procedure that the path names; those that move credits are not on offer."""
        procedure = self._known.get(request.match_info["name"])
        if procedure is None:
            # The name is not repeated: it may be any text, and the page shows the message.
            raise Refused(404, "Could not find the function in the schema cache", code="PGRST202")
        body = await read_json(request)
        if not isinstance(body, dict):
            raise Refused(400, "The body is no JSON object.", code="PGRST102")
        return web.json_response(await procedure(request, body))

    async def cancel(self, request: web.Request, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Cancel the owner's job by its id or its cancel id: at once where it was never submitted, else as
        the provider answers. `refunded_amount` is what the ledger shows now."""
        owner = owner_of(request)
        if caller_of(request) is not None and owner is None:
            return _cancelled("You must be signed in to cancel a job.")
        tables = self._tables.named(body["p_table_name"]) if _is_text(body, "p_table_name") else []
        if not tables:
            return _cancelled("There is no such tool.")
        wanted = to_uuid(body["p_job_id"]) if _is_text(body, "p_job_id") else None
        job = await self._own(owner, wanted) if wanted else None
        if job is None or not any(table.tool(job.type) for table in tables):
            return _cancelled("There is no such job.")
        if job.finished_at is not None:
            return _cancelled("The job is over already.")
        try:
            job = await self._engine.cancel(job.id, actor=job.owner, reason="cancelled on the page")
        except (IllegalTransition, GuardFailed, Conflict):
            return _cancelled("The job cannot be cancelled now.")
        return _cancelled(None, (await self._engine.money(job.id)).released)

    async def mark_failed(self, request: web.Request, body: Mapping[str, Any]) -> bool:
        """Take the word of a page's timer: a pending job is settled, one that waits or has begun is not, for
        waiting is no failure. Return whether the job is over."""
        found = await self._tables.find(body.get("p_table_name"), body.get("p_job_id"))
        if found is None or not may_report(request, found):
            return False
        claim = Claim.read({"status": BaseJob.failed.name, **body}, _MESSAGE, "")
        if found.finished_at is None:
            await self._engine.report(
                found.id, claim.message or "The page gave no reason.", source=SOURCE, settle_queued=False
            )
        try:
            return (await self._engine.get(found.id)).finished_at is not None
        except UnknownJob:
            return False

    async def credits(self, request: web.Request, body: Mapping[str, Any]) -> int:
        """Return what the user of the token can spend; 0 for anybody else."""
        owner = self._asking(request, body)
        return _spendable(await self._engine.wallet(owner)) if owner else 0

    async def breakdown(self, request: web.Request, body: Mapping[str, Any]) -> list[dict[str, int]]:
        """Return the same in two parts: what ends by a date, as that of a month does, and what stays."""
        owner = self._asking(request, body)
        if owner is None:
            return [{"total": 0, "monthly": 0, "lifetime": 0}]
        wallet = await self._engine.wallet(owner)
        total = _spendable(wallet)
        stays = min(total, sum(bucket.remaining for bucket in wallet.buckets if bucket.expires_at is None))
        return [{"total": total, "monthly": total - stays, "lifetime": stays}]

    def _asking(self, request: web.Request, body: Mapping[str, Any]) -> str | None:
        named, caller = body.get("_user_id"), caller_of(request)
        if caller is None:  # no users are known here: the page is believed about its own
            return named if isinstance(named, str) and named.isprintable() and 0 < len(named) <= 200 else None
        return caller.owner if caller.owner is not None and named == caller.owner else None

    async def _own(self, owner: str | None, wanted: UUID) -> Job | None:
        try:
            return await self._engine.get(wanted, owner=owner)
        except UnknownJob:
            pass
        if owner is None:
            return None
        live = await self._engine.list_jobs(owner, active=True, limit=_LIVE_MAX)
        return next((job for job in live.jobs if cancel_id(job.id) == wanted), None)


def _cancelled(problem: str | None, refunded: int = 0) -> list[dict[str, Any]]:
    return [{"success": problem is None, "refunded_amount": refunded, "error_message": problem}]


def _is_text(body: Mapping[str, Any], name: str) -> bool:
    return isinstance(body.get(name), str)


def _spendable(wallet: Wallet) -> int:
    """Return what the page may show; it asks for a number before it orders, also of who has no bound."""
    return max(wallet.available, _UNBOUNDED) if wallet.unlimited else wallet.available
