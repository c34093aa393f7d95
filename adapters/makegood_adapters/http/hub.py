"""One reader of the stream for all who listen in this process: a step is read once and told to many.

Nobody who listens asks the database while nothing happens. Who begins or comes back joins first, then reads
what was, then goes on with what the hub tells: whatever the hub does not tell was in the past that is read.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from makegood.engine import Engine
from makegood.errors import StoreError
from makegood.job import Ending, Place, Transition
from makegood_adapters.http.problems import AGAIN_SECONDS, ApiProblem

log = logging.getLogger("makegood.http")

#: What somebody listens to: a job's id, an owner, or None for all.
Topic = UUID | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """Bounds of the streams of one process.

    A stream ends after `stream_seconds_max`. One that has nothing to tell sends a comment every
    `heartbeat_seconds`, and the key that it was opened with is looked at as often. One that takes so little
    that `untold_max` messages wait for it is ended. A waiting job's place is looked at every `place_seconds`,
    and of all jobs `places_per_second` at most, so that of many each is looked at more seldom. A store in
    trouble is left alone for `pause_seconds`.
    """

    heartbeat_seconds: float = 15.0
    stream_seconds_max: float = 3_600.0
    streams_max: int = 10_000
    streams_per_owner_max: int = 100
    untold_max: int = 1_000
    place_seconds: float = 3.0
    places_per_second: float = 20.0
    pause_seconds: float = 1.0


class Message:
    """What is told to many; what is made of it for them is made once."""

    def __init__(self) -> None:
        self._made: dict[object, bytes] = {}

    def once(self, make: "Callable[[Message], bytes]") -> bytes:
        """Return what *make* makes of the message, or has made."""
        if make not in self._made:
            self._made[make] = make(self)
        return self._made[make]


class Told(Message):
    """A transition; *ending* is that of its job, if it is the last one."""

    def __init__(self, step: Transition, ending: Ending | None) -> None:
        super().__init__()
        self.step = step
        self.ending = ending if ending and ending.version == step.version else None


class Stands(Message):
    """The place at which a job waits."""

    def __init__(self, job_id: UUID, place: Place) -> None:
        super().__init__()
        self.job_id, self.place = job_id, place

    def tells_as(self, other: "Stands | None") -> bool:
        """Whether nobody could tell the two apart, to a second."""
        return other is not None and self._shown == other._shown

    @property
    def _shown(self) -> tuple[object, ...]:
        place = self.place
        seconds = None if place.wait_seconds is None else round(place.wait_seconds)
        return (place.version, place.position, place.of, place.exact, seconds)


class Inbox:
    """What one listener has not taken yet, bounded. It keeps nothing until it listens."""

    def __init__(self, hub: "Hub", topic: Topic, account: str) -> None:
        self._hub, self.topic, self.account = hub, topic, account
        self._untold: deque[Message] = deque()
        self._news = asyncio.Event()
        self._listens = False
        self.over = False

    def listen(self) -> None:
        """Keep what is told from now on; what was told before must be read elsewhere."""
        self._untold.clear()
        self._listens = True
        if stands := self._hub.place_of(self.topic):
            self.put(stands)

    def deafen(self) -> None:
        """Keep nothing for the time being."""
        self._untold.clear()
        self._listens = False

    def put(self, message: Message) -> None:
        """Keep the message. Who takes too little is ended: it comes back and reads what it has missed."""
        if not self._listens or self.over:
            return
        if len(self._untold) >= self._hub.limits.untold_max:
            log.info("a stream was ended: its client takes too little")
            self.end()
            return
        self._untold.append(message)
        self._news.set()

    async def take(self, seconds: float) -> list[Message]:
        """Return what is there, once there is something; nothing after *seconds*, or when it is `over`."""
        if not self._untold and not self.over:
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                return []
        self._news.clear()
        taken = list(self._untold)
        self._untold.clear()
        return taken

    def end(self) -> None:
        """Let the listener go, with whatever it has not taken."""
        self.over = True
        self._untold.clear()
        self._news.set()

    def leave(self) -> None:
        """Take the listener out; as often as one likes."""
        self._hub.part(self)


class Hub:
    """Fans the stream out. It reads while somebody listens, and needs no beginning and no end."""

    def __init__(self, engine: Engine, limits: StreamLimits | None = None) -> None:
        self._engine, self.limits = engine, limits or StreamLimits()
        self._listeners: dict[Topic, set[Inbox]] = {}
        self._of: Counter[str] = Counter()
        self._position: int | None = None
        self._running: asyncio.Task[None] | None = None
        self._places: dict[UUID, Stands] = {}
        self._due: dict[UUID, float] = {}
        self._due_sooner = asyncio.Event()

    @property
    def count(self) -> int:
        """How many listen."""
        return self._of.total()

    async def join(self, topic: Topic, account: str) -> Inbox:
        """Return an inbox, whose owner reads the past after this. Raises ApiProblem, StoreUnavailable.

        *account* is to whom the stream is counted.
        """
        self._admit(account)
        inbox = Inbox(self, topic, account)
        self._listeners.setdefault(topic, set()).add(inbox)
        self._of[account] += 1
        try:
            if self._position is None:
                last = await self._engine.last_seq()
                if self._position is None:  # it is what somebody else has read first, and goes on from there
                    self._position = last
        except BaseException:
            self.part(inbox)
            raise
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="makegood streams")
        return inbox

    def part(self, inbox: Inbox) -> None:
        """Take a listener out; with the last one the reading ends."""
        listeners = self._listeners.get(inbox.topic, set())
        if inbox not in listeners:
            return
        inbox.end()
        listeners.remove(inbox)
        self._of[inbox.account] -= 1
        if not self._of[inbox.account]:
            del self._of[inbox.account]
        if not listeners:
            del self._listeners[inbox.topic]
            if isinstance(inbox.topic, UUID):
                self._places.pop(inbox.topic, None)
                self._due.pop(inbox.topic, None)
        if not self._listeners:
            if self._running:
                self._running.cancel()
            self._running = self._position = None

    def end(self) -> None:
        """End all streams that there are, so that nobody waits for them; their clients come back."""
        for listeners in self._listeners.values():
            for inbox in listeners:
                inbox.end()

    def place_of(self, topic: Topic) -> Stands | None:
        """Return the place that was told last to who listens to this job."""
        return self._places.get(topic) if isinstance(topic, UUID) else None

    def look_at(self, job_id: UUID, job_type: str, state: str) -> None:
        """Find out at which place a job waits to which somebody listens, if it can wait in this state."""
        if self._may_wait(job_type, state) and job_id not in self._due:
            self._due[job_id] = asyncio.get_running_loop().time()
            self._due_sooner.set()

    def _admit(self, account: str) -> None:
        most = self.limits.streams_per_owner_max
        if self._of[account] >= most:
            raise ApiProblem(
                "too_many_streams",
                f"{most} streams are open. Close some, or follow all jobs in one: `GET /events`.",
                retry_after=AGAIN_SECONDS,
            )
        if self.count >= self.limits.streams_max:
            raise ApiProblem("unavailable", "No further stream can be opened now.", retry_after=AGAIN_SECONDS)

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(), name="makegood stream reader")
                tasks.create_task(self._look(), name="makegood places")
                await self._engine.stopped()
                self.end()
        except* Exception:
            log.exception("all streams are ended, and begin anew when their clients come back")
        finally:
            if self._running is asyncio.current_task():
                self._running = self._position = None
                self.end()

    async def _read(self) -> None:
        """Read the stream and tell it; while the store is away, wait where one is."""
        while True:
            try:
                async with aclosing(self._engine.watch_pages(self._position or 0)) as pages:
                    async for page in pages:
                        await self._tell(page)
                        self._position = page[-1].seq
            except StoreError as error:
                log.warning("streams stand still after %s until the store is back: %s", self._position, error)
                await asyncio.sleep(self.limits.pause_seconds)

    async def _tell(self, page: Sequence[Transition]) -> None:
        """Tell a page. Who joins while it is being made ready reads it as a part of the past."""
        wanted = [step for step in page if any(topic in self._listeners for topic in _topics(step))]
        if not wanted:
            return
        endings = await self._engine.endings({step.job_id for step in wanted})
        for step in wanted:
            told = Told(step, endings.get(step.job_id))
            for topic in _topics(step):
                self._put(topic, told)
            known = self._places.get(step.job_id)
            if step.job_id in self._listeners and not (known and known.place.version >= step.version):
                self._places.pop(step.job_id, None)
                self._due.pop(step.job_id, None)
                self.look_at(step.job_id, step.type, step.to_state)

    def _put(self, topic: Topic, message: Message) -> None:
        for inbox in self._listeners.get(topic, ()):
            inbox.put(message)

    async def _look(self) -> None:
        """Look at the places of jobs that wait, of one at a time, and tell those that have changed."""
        clock = asyncio.get_running_loop().time
        while True:
            job_id = await self._next_due()
            del self._due[job_id]
            try:
                place = await self._engine.place(job_id)
            except StoreError:  # the reader of the stream says so
                self._due.setdefault(job_id, clock() + self.limits.pause_seconds)
                await asyncio.sleep(self.limits.pause_seconds)
                continue
            if place and job_id in self._listeners:
                # It may have moved meanwhile, and is then due already.
                self._due.setdefault(job_id, clock() + self.limits.place_seconds)
                stands = Stands(job_id, place)
                if not stands.tells_as(self._places.get(job_id)):
                    self._places[job_id] = stands
                    self._put(job_id, stands)
            await asyncio.sleep(1 / self.limits.places_per_second)

    async def _next_due(self) -> UUID:
        clock = asyncio.get_running_loop().time
        while True:
            self._due_sooner.clear()
            first = min(self._due, key=self._due.__getitem__, default=None)
            left = None if first is None else self._due[first] - clock()
            if first is not None and left is not None and left <= 0:
                return first
            try:
                async with asyncio.timeout(left):
                    await self._due_sooner.wait()
            except TimeoutError:
                continue

    def _may_wait(self, job_type: str, state: str) -> bool:
        types = [known for known in self._engine.catalog if known.name == job_type]
        return not types or any(state in known.spec.waiting for known in types)


def _topics(step: Transition) -> tuple[Topic, ...]:
    return (step.job_id, step.owner, None)
