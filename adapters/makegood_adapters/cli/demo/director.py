"""Plays the script: users submit, watch, cancel; others meddle; the engine is killed and comes back."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg

from makegood import Engine, IllegalTransition, MakegoodError
from makegood_adapters.cli.demo.script import PROVIDER_FAULTS, Mishap, Part, Script
from makegood_adapters.cli.demo.show import Show, Ticket
from makegood_adapters.cli.stage import EngineProcess, StageError, forget_killed
from makegood_adapters.runninghub.simulator import Simulator, Task

_OVER_SECONDS = 100.0
_ENDS = ("completed", "failed", "cancelled")


class Director:
    """Runs one performance; afterwards the tickets hold what the users were told.

    `restarts` is held by whoever kills the engine and starts it again.
    """

    def __init__(
        self,
        show: Show,
        script: Script,
        engine: Engine,
        process: EngineProcess,
        simulator: Simulator,
        dsn: str,
    ) -> None:
        self.restarts = asyncio.Lock()
        self._show, self._script, self._engine = show, script, engine
        self._process, self._simulator, self._dsn = process, simulator, dsn
        self._pictures: dict[str, str] = {}
        self._fed = asyncio.Event()
        self._changed = asyncio.Condition()

    async def perform(self, results: Path) -> None:
        """Play everything, save the results of completed jobs in *results*, and wait for silence."""
        for name in {p for part in self._script.parts for p in part.pictures}:
            data = files("makegood_adapters.cli").joinpath("pictures", name).read_bytes()
            self._pictures[name] = await self._engine.blobs.put(data, name)
        try:
            async with self._bounded():
                await self._play(results)
        except BaseExceptionGroup as errors:  # one of ours is a sentence; anything else is a bug to be seen
            ours, others = errors.split(MakegoodError)
            if ours and not others:
                raise ours.exceptions[0] from None
            raise

    @asynccontextmanager
    async def _bounded(self, seconds: float = _OVER_SECONDS) -> AsyncIterator[None]:
        """Say who is stuck where a wait would not end."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            stuck = [f"{t.name} is {t.state}" for t in self._show.tickets.values() if not t.over]
            what = ", ".join(stuck) or "slots are still taken"
            raise StageError(f"The demo did not come to its end: {what}.") from None

    async def _play(self, results: Path) -> None:
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(self._watch_provider()),
                group.create_task(self._watch_totals()),
            ]
            if self._script.kill_after:
                helpers.append(group.create_task(self._kill_once(self._script.kill_after)))
            await self._feed(group, results)
            await self._until(lambda: self._show.all_over)
            for helper in helpers:
                helper.cancel()

    async def _feed(self, group: asyncio.TaskGroup, results: Path) -> None:
        """Submit and accept every job, with the pauses of the script."""
        for part in self._script.parts:
            await asyncio.sleep(part.pause_seconds)
            ticket = await self._submit(part)
            self._show.tickets[ticket.job_id] = ticket
            await self._engine.accept(ticket.job_id, actor=part.owner)
            group.create_task(self.follow(ticket, results))
            if part.mishap:
                self._show.mishaps[part.mishap] = ticket
                group.create_task(self._meddle(part.mishap, ticket))
        self._fed.set()

    async def _submit(self, part: Part) -> Ticket:
        keys = [self._pictures[name] for name in part.pictures]
        fields = ("image",) if part.job_type == "upscaler" else ("person", "reference")
        job_type = self._engine.catalog.get(part.job_type)
        table = str(getattr(job_type, "table", ""))
        wanted = dict(zip(fields, keys, strict=True)) | part.options
        if part.by_browser:
            columns = {v: k for k, v in job_type.columns.items()}  # type: ignore[attr-defined]  # a ToolJob
            row = {columns[f]: k for f, k in zip(fields, keys, strict=True)} | part.options
            job_id = await self._insert_by_browser(table, row, part)
            # What a page inserts is a draft: files and price are the server's to look at.
            job = await self._engine.prepare(job_id, wanted, owner=part.owner)
        else:
            job = await self._engine.submit(part.job_type, part.owner, wanted, key=f"demo-{part.number}")
        return Ticket(part, job.id, job.price, table)

    async def _insert_by_browser(self, table: str, row: dict[str, str], part: Part) -> UUID:
        """The existing front-end's insert, with a state that it has no right to choose."""
        body = {"session_id": "demo", "user_id": part.owner, "status": "queued", **row}
        headers = {"Prefer": "return=representation", "Accept": "application/vnd.pgrst.object+json"}
        status, told = await self._post(f"/rest/v1/{table}?select=id,status", body, headers)
        if status != 201:
            raise StageError(f"The browser's insert of a job was refused: {told}")
        job_id = UUID(told["id"])
        line = f"browser   inserts job {part.number} as 'queued'; it lands as {told['status']!r}"
        self._show.say(line, job=job_id)
        return job_id

    async def _post(
        self, path: str, body: dict[str, str], headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Post to the engine; while it is down, a page tries again."""
        async with aiohttp.ClientSession(trust_env=False) as session:
            while True:
                try:
                    async with session.post(self._process.url + path, json=body, headers=headers) as reply:
                        return reply.status, await reply.json()
                except aiohttp.ClientError:
                    await asyncio.sleep(0.2)

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Wait until *holds*, looking after every change of a job."""
        async with self._changed:
            await self._changed.wait_for(holds)

    async def _note_change(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def follow(self, ticket: Ticket, results: Path) -> None:
        """Watch a job to its end, as its user's page would, and save its result in *results*."""
        async for transition in self._engine.watch(ticket.job_id):
            ticket.versions.append(transition.event)
            ticket.state, ticket.attempts = transition.to_state, transition.attempt
            ticket.position = 0
            await self._note_change()
        job = await self._engine.get(ticket.job_id)
        ticket.money = await self._engine.money(ticket.job_id)
        ticket.told = (job.error or {}).get("message", "")
        if job.state == "completed" and job.output:
            ticket.result_key = job.output["files"][0]["key"]
            data = await self._engine.blobs.get(ticket.result_key)
            if data:
                name = f"{ticket.part.number:03d}-{job.type}-{job.owner}.png"
                (results / name).write_bytes(data)
        ticket.over = True
        await self._note_change()
        if ticket.state != "completed" and not ticket.by_button:
            back = f"{ticket.money.released} credits back" if ticket.money.released else "nothing was charged"
            told = f"{ticket.part.owner:<9} {ticket.name} is {ticket.state}: {back}"
            self._show.say(told, "yellow", job.id)

    async def _meddle(self, mishap: Mishap, ticket: Ticket) -> None:
        owner = ticket.part.owner
        match mishap:
            case Mishap.CANCEL:
                position = await self._engine.position(ticket.job_id)
                try:
                    await self._engine.cancel(ticket.job_id, actor=owner, reason="changed my mind")
                except IllegalTransition:
                    return
                told = f"{owner:<9} cancels {ticket.name} at position {position} of the queue"
                self._show.say(told, job=ticket.job_id)
            case Mishap.OTHER_PROGRAM:
                await self._update_raw(ticket)
            case Mishap.LYING_BROWSER:
                await self._lie(ticket)
            case _:
                raise StageError(f"{mishap} is for the provider to do.")

    async def _update_raw(self, ticket: Ticket) -> None:
        """What a nightly script of somebody else's would do."""
        connection = await asyncpg.connect(self._dsn, server_settings={"application_name": "nightly cleanup"})
        try:
            tag = await connection.execute(
                "update makegood.job set state = 'failed' where job_id = $1 and state = 'queued'",
                ticket.job_id,
            )
        finally:
            await connection.close()
        told = f"psql      writes state = 'failed' into the row of {ticket.name}: {tag}"
        self._show.say(told, "magenta", ticket.job_id)

    async def _lie(self, ticket: Ticket) -> None:
        """A page that lost its connection says that the job has failed."""
        await self._until(lambda: ticket.state == "running" or ticket.over)
        body = {"table": ticket.table, "jobId": str(ticket.job_id), "status": "failed"}
        _, told = await self._post("/functions/v1/runninghub-queue-manager/finish", body)
        refunded = told.get("refundedAmount", "nothing")
        self._show.say(
            f"browser   claims that {ticket.name} failed, which is {ticket.state}: refunded {refunded}",
            "magenta",
            ticket.job_id,
        )

    async def _kill_once(self, after: int) -> None:
        """SIGKILL in the middle, with work at the provider; then start again."""
        await self._fed.wait()
        show = self._show
        await self._until(
            lambda: show.all_over or (show.count("completed") >= after and show.count("running") > 0)
        )
        if show.all_over:
            return
        async with self.restarts:
            self._show.engine = "killed"
            pid = self._process.kill()
            there = sum(not t.over for t in self._simulator.tasks)
            tasks = "1 task is" if there == 1 else f"{there} tasks are"
            self._show.say(f"kill -9   ends the engine (pid {pid}); {tasks} at the provider", "bold red")
            await asyncio.sleep(0.7)  # the provider goes on meanwhile, and nobody listens
            await self._process.start()
            await forget_killed(self._dsn, pid)
        self._show.restarts += 1
        self._show.engine = "running"
        self._show.say("start     the engine is back and picks up what it finds in the database", "green")

    async def _watch_provider(self) -> None:
        """Tell of the provider's mishaps when they happen, and whom they meet."""
        seen: set[str] = set()
        while True:
            await self._simulator.wait_for(
                lambda: any(t.id not in seen for t in self._simulator.tasks), _OVER_SECONDS
            )
            for task in [t for t in self._simulator.tasks if t.id not in seen]:
                seen.add(task.id)
                mishap = self._script.arrivals.get(task.request.arrival)
                # A job that a button ordered may have come in that place, with what the button does to it.
                if mishap is None or task.faults != PROVIDER_FAULTS[mishap]:
                    continue
                if (ticket := await self._owner_of(task)) and not ticket.by_button:
                    self._show.mishaps[mishap] = ticket
                    self._show.say(f"provider  {mishap} ({ticket.name})", "red", ticket.job_id)

    async def _owner_of(self, task: Task) -> Ticket | None:
        token = (task.request.webhook_url or "").rsplit("/", 1)[-1]
        connection = await asyncpg.connect(self._dsn)
        try:
            job_id = await connection.fetchval(
                "select job_id from makegood.attempt where token_hash = $1",
                hashlib.sha256(token.encode()).digest(),
            )
        finally:
            await connection.close()
        return self._show.tickets.get(UUID(str(job_id))) if job_id else None

    async def _watch_totals(self) -> None:
        """Refresh what the view shows of wallets, slots and the queue."""
        while True:
            for owner in {t.part.owner for t in self._show.tickets.values()}:
                wallet = await self._engine.wallet(owner)
                self._show.balances[owner] = (wallet.available, wallet.held)
            for use in await self._engine.occupancy():
                self._show.slots = (use.open, use.capacity, use.draining)
            for ticket in list(self._show.tickets.values()):
                if ticket.state == "queued":
                    ticket.position = await self._engine.position(ticket.job_id)
            await asyncio.sleep(0.3)

    async def silence(self, seconds: float = _OVER_SECONDS) -> None:
        """Wait until all are told how their jobs ended, the provider is done and every slot is free. Raises
        StageError after so many *seconds*."""
        async with self._bounded(seconds):
            await self._until(lambda: all(t.over for t in self._show.tickets.values()))
            await self._simulator.wait_for(lambda: all(t.over for t in self._simulator.tasks), 30)
            while any(use.open for use in await self._engine.occupancy()):  # noqa: ASYNC110 - another process frees them
                await asyncio.sleep(0.1)
