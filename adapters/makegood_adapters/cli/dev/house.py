"""What the buttons act on in `makegood dev`: one user who orders jobs with their example inputs."""

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from makegood import Engine, Job, MakegoodError
from makegood.jobtype import sniff
from makegood.lifecycle import BaseJob
from makegood_adapters.cli.dev.example import example_of
from makegood_adapters.cli.dev.source import told_of
from makegood_adapters.cli.stage import Child, StageError
from makegood_adapters.cli.staging.acts import Ordered
from makegood_adapters.cli.staging.board import Board
from makegood_adapters.runninghub.simulator import Faults, Match, Rule, Simulator

OWNER, CREDITS = "ana", 10_000
_ARRIVAL_SECONDS, _LOOK_SECONDS = 50.0, 0.05


@dataclass(slots=True)
class DevHouse:
    """Implements `makegood_adapters.cli.staging.acts.House`; `chosen` is the type that mishaps meet."""

    board: Board
    engine: Engine
    simulator: Simulator
    process: Child
    dsn: str
    folder: Path
    chosen: type[BaseJob]
    numbers: Iterator[int]
    restarts: asyncio.Lock = field(default_factory=asyncio.Lock)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def order(self, faults: Faults | None = None, not_before: datetime | None = None) -> Ordered:
        """See `House.order`."""
        async with self._turn:
            job_type, number = self.chosen, next(self.numbers)
            name = f"job {number}"
            wanted, data = example_of(job_type, self.folder, number)
            put = self.engine.blobs.put
            keys = {field: await put(d, f"{field}.{sniff(d) or 'bin'}") for field, d in data.items()}
            wanted |= {f: [key] if isinstance(wanted[f], list) else key for f, key in keys.items()}
            job = await self._submitted(job_type, wanted, not_before)
            if (await self.engine.wallet(OWNER)).available < job.price:
                amount = max(CREDITS, job.price)
                await self.engine.grant(OWNER, amount, source_ref=f"top-up-{job.id}")
                self.board.say(f"{OWNER} buys {amount:,} credits")
            label = self.engine.catalog.label(job.type)
            self.board.say(f"{OWNER} orders {name}: {label}, {job.price} credits", job=job.id)
            if faults is None:
                return Ordered(name, await self.engine.accept(job.id, actor=OWNER))
            rule = _rule(faults, data)
            self.simulator.add_first(rule)
            try:
                accepted = await self.engine.accept(job.id, actor=OWNER)
                await self._arrived(job.id, name, rule)
            finally:
                self.simulator.remove(rule)
            return Ordered(name, accepted)

    async def end(self) -> None:
        """End the engine that works, in order and for good."""
        async with self.restarts:
            await asyncio.to_thread(self.process.retire)

    async def _submitted(
        self, job_type: type[BaseJob], wanted: dict[str, Any], not_before: datetime | None
    ) -> Job:
        """Submit the job; StageError for a mistake in the file, such as a wrong name in `request`."""
        try:
            return await self.engine.submit(job_type, OWNER, wanted, not_before=not_before)
        except MakegoodError:
            raise
        except Exception as error:
            if (told := told_of(error, self.folder)) is None:
                raise
            raise StageError(f"{told.rstrip('.')}. Nothing was charged.") from error

    async def _arrived(self, job_id: UUID, name: str, rule: Rule) -> None:
        """Wait until the provider has met the job with the faults of *rule*, or never will: a file may be
        every job's, and then it is the next one that is met."""
        try:
            async with asyncio.timeout(_ARRIVAL_SECONDS):
                while not any(task.faults is rule.faults for task in self.simulator.tasks):
                    if (await self.engine.get(job_id)).finished_at is not None:
                        return
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise StageError(
                f"{name} did not come to the provider within {_ARRIVAL_SECONDS:g} s, and waits: nothing will "
                "go wrong with it."
            ) from None


def _rule(faults: Faults, data: dict[str, bytes]) -> Rule:
    """Return the rule for the job whose files are *data*, which no other has; without files it is for the
    next that arrives."""
    marks = [hashlib.sha256(content).hexdigest() for content in data.values()]
    return Rule(faults=faults, match=Match(input_sha256=marks[0] if marks else None))
