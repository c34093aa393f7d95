"""The users: they order, cancel, lie, send twice, and send again what the database did not take."""

import asyncio
import io
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from makegood import Engine, IllegalTransition, MakegoodError, StoreError
from makegood_adapters.cli.chaos.plan import Meddling, Plan
from makegood_adapters.cli.chaos.strikes import Operator, Sql
from makegood_adapters.cli.stage import StageError
from makegood_adapters.runninghub.simulator import Simulator

log = logging.getLogger(__name__)

WIDTH, HEIGHT = 24, 16
_BATCH = 25
_LOOK_SECONDS = 0.25
#: Without a single job ending for so long the run is stuck.
_STUCK_SECONDS = 120.0
#: So long after the last job's end the provider may still be at work and slots may drain.
_SILENCE_SECONDS = 180.0
_STATES = "select state, count(*) as n from makegood.job group by state"
_RAW = "update makegood.job set state = 'failed' where job_id = $1 and state = 'queued'"
#: How often a call is made again while the database is away; each may take half a minute by itself.
_AGAIN_MAX = 20
T = TypeVar("T")
_OVER = frozenset({"completed", "failed", "cancelled"})


@dataclass(slots=True)
class Tally:
    """How far the run is: jobs by state, what was done to them, and how often something was struck."""

    ordered: int = 0
    states: Counter[str] = field(default_factory=Counter)
    meddled: Counter[Meddling] = field(default_factory=Counter)
    struck: int = 0

    @property
    def over(self) -> int:
        """How many jobs have ended."""
        return sum(self.states[state] for state in _OVER)


class Crowd:
    """Orders all jobs of a plan and waits until they and every slot are over."""

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        operator: Operator,
        simulator: Simulator,
        sql: Sql,
        tell: Callable[[Tally], None],
    ) -> None:
        self._plan, self._engine, self._operator = plan, engine, operator
        self._simulator, self._sql, self._tell = simulator, sql, tell
        self.tally = Tally()
        self._begun, self._beginning = 0, asyncio.Event()  # strikes that are made evenly over the run

    async def play(self) -> None:
        """Play the whole plan. Raises StageError when it does not come to its end."""
        for number in range(self._plan.owners):
            await self._engine.grant(f"user-{number}", 500, kind="monthly", source_ref="2026", priority=10)
            credits = 200 * self._plan.jobs // self._plan.owners + 10_000
            await self._engine.grant(f"user-{number}", credits, kind="purchased", source_ref="order-1")
        try:
            async with asyncio.TaskGroup() as meddlers:
                striking = [meddlers.create_task(strike) for strike in self._strikes()]
                await self._order_all(meddlers)
                await self._until(lambda: self.tally.over == self._plan.jobs, "jobs are open")
                for strike in striking:
                    strike.cancel()  # of the shortest run not every one has had its turn
        except BaseExceptionGroup as errors:  # one of ours is a sentence; anything else is a bug to be seen
            ours, others = errors.split(MakegoodError)
            if ours and not others:
                raise ours.exceptions[0] from None
            raise
        await self._operator.settled()
        await self._silence()

    async def _order_all(self, meddlers: asyncio.TaskGroup) -> None:
        for first in range(0, self._plan.jobs, _BATCH):
            numbers = range(first, min(first + _BATCH, self._plan.jobs))
            await self._until(lambda: self.tally.ordered - self.tally.over <= self._plan.open_max, "full")
            if numbers.stop == self._plan.jobs:
                await self._struck(first)
            ordered = await asyncio.gather(*map(self._order, numbers))
            self.tally.ordered += len(ordered)
            for number, job_id in zip(numbers, ordered, strict=True):
                meddling, delay = self._plan.meddling(number)
                if meddling is not None:
                    self.tally.meddled[meddling] += 1
                    meddlers.create_task(self._meddle(meddling, delay, number, job_id))

    async def _order(self, number: int) -> UUID:
        """Order a picture that nobody else has, so that a second task for it can be seen."""
        from PIL import Image  # comes with the extra `demo`

        file = io.BytesIO()
        Image.new("RGB", (WIDTH, HEIGHT), (number % 256, number // 256 % 256, number // 65536)).save(
            file, "PNG"
        )
        key = await self._engine.blobs.put(file.getvalue(), "picture.png")
        owner = self._owner(number)
        order = partial(self._engine.submit, "upscaler", owner, {"image": key}, key=f"order-{number}")
        job = await _until_taken(order)
        await _until_taken(partial(self._engine.accept, job.id, actor=owner))
        return job.id

    def _owner(self, number: int) -> str:
        return f"user-{number % self._plan.owners}"

    async def _meddle(self, meddling: Meddling, delay: float, number: int, job_id: UUID) -> None:
        await asyncio.sleep(delay)
        match meddling:
            case Meddling.CANCEL:
                try:
                    await _until_taken(partial(self._engine.cancel, job_id, actor=self._owner(number)))
                except IllegalTransition:  # it was over before
                    return
            case Meddling.LIE:
                await _until_taken(partial(self._engine.report, job_id, "It looks failed from here."))
            case Meddling.TWICE:
                job = await _until_taken(partial(self._engine.get, job_id))
                twice = partial(self._engine.submit, job.type, job.owner, job.input, key=job.key)
                again = await _until_taken(twice)
                if again.id != job_id:
                    raise StageError(f"The order {job.key} became a second job.")
            case Meddling.RAW:
                await self._sql.fetch(_RAW, job_id)

    def _strikes(self) -> list[Coroutine[Any, Any, None]]:
        """Return what is done to engines and server meanwhile."""
        plan, operator = self._plan, self._operator
        striking = [self._evenly(plan.stops, lambda _: operator.stop_server())] if plan.stops else []
        if plan.kill_every is not None:
            striking.append(operator.kill_for_ever(plan.kill_every))
        else:
            striking.append(
                self._evenly(plan.kills, lambda number: operator.kill_and_restart(number % plan.workers))
            )
        return striking

    async def _evenly(self, times: int, strike: Callable[[int], Awaitable[None]]) -> None:
        """Strike so many times, evenly over the run."""
        for number, share in enumerate(self._shares(times), start=1):
            await self._until(partial(self._is_over, share), "something is to be struck")
            self._begun += 1
            self._beginning.set()
            await strike(number)

    async def _struck(self, ordered: int) -> None:
        """Wait for every strike that so many jobs bring about: whoever looks seldom sees a whole run end at
        once, and would strike nothing."""
        plan = self._plan
        shares = [*self._shares(plan.stops), *(self._shares(plan.kills) if plan.kill_every is None else ())]
        wanted = sum(share <= ordered for share in shares)
        while self._begun < wanted:
            self._beginning.clear()
            await self._beginning.wait()

    def _shares(self, times: int) -> list[int]:
        """Return after how many jobs each of so many strikes is due."""
        return [number * self._plan.jobs // (times + 1) for number in range(1, times + 1)]

    def _is_over(self, share: int) -> bool:
        return self.tally.over >= share

    async def _until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until *holds*, looking at the jobs again and again as long as any of them ends."""
        clock = asyncio.get_running_loop().time
        seen, since = -1, clock()
        while not holds():
            await self._look()
            if self.tally.over != seen:
                seen, since = self.tally.over, clock()
            elif clock() - since > _STUCK_SECONDS:
                raise StageError(
                    f"For {_STUCK_SECONDS:g} s no job has ended, while {what}: {dict(self.tally.states)}."
                )
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self) -> None:
        rows = await self._sql.fetch(_STATES)
        self.tally.struck = len(self._operator.strikes)
        self.tally.states = Counter({row["state"]: row["n"] for row in rows})
        self._tell(self.tally)

    def _all_tasks_over(self) -> bool:
        return all(task.over for task in self._simulator.tasks)

    async def _silence(self) -> None:
        """Wait until the provider is done with everything and no attempt holds a slot. Raises StageError."""
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                await self._simulator.wait_for(self._all_tasks_over, _SILENCE_SECONDS)
                while any(use.open for use in await _until_taken(self._engine.occupancy)):  # noqa: ASYNC110 - others free them
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise StageError(
                f"{_SILENCE_SECONDS:g} s after the last job ended a task or a slot is still open."
            ) from None


async def _until_taken(call: Callable[[], Awaitable[T]]) -> T:
    """Call again while the database is away, as a page would; each call may be made twice."""
    for _ in range(_AGAIN_MAX):
        try:
            return await call()
        except StoreError as error:
            log.info("the database is away: %s", error)
            await asyncio.sleep(_LOOK_SECONDS)
    return await call()
