"""A stream of server-sent events: what was, then what comes, without a gap, until its client leaves.

The format is that of the HTML standard, section 9.2 "Server-sent events".
"""

import math
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass

from makegood.errors import StoreError
from makegood.job import Transition
from makegood_adapters.http.hub import Hub, Inbox, Message, Stands, Told, Topic
from makegood_adapters.http.problems import ApiProblem

Identify = Callable[[], Awaitable[object]]

MEDIA_TYPE = "text/event-stream"
#: Neither caches nor proxies may keep the events back; the second is for nginx.
HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
HEARTBEAT = b":\n\n"
#: When a client comes back after its connection was lost: spread, for all are lost when a server stops.
_AGAIN_MILLISECONDS = (1_000, 3_000)
#: So many events at most are written at a time: what is written must be taken within a time.
_TOGETHER = 50


def event(name: str, data: bytes, number: int | None = None) -> bytes:
    """Return an event in the format of the wire; *data* has no line breaks."""
    id_line = b"" if number is None else b"id: %d\n" % number
    return b"event: %s\n%sdata: %s\n\n" % (name.encode(), id_line, data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What a stream tells: `past` reads what comes after a number, and whether there is more than that;
    `number` is by which transitions are counted; with `ends` the stream ends when its job is over."""

    topic: Topic
    past: Callable[[int], Awaitable[tuple[list[Told], bool]]]
    number: Callable[[Transition], int]
    frame: Callable[[Message], bytes]
    ends: bool = False


class EventStream:
    """The pieces of one answer; whoever writes them calls `aclose`, also if it has written none."""

    def __init__(
        self,
        inbox: Inbox,
        feed: Feed,
        after: int,
        expires_at: float,
        heartbeat_seconds: float,
        identify: Identify | None = None,
    ) -> None:
        self._inbox, self._feed, self._identify = inbox, feed, identify
        self._last, self._expires_at, self._heartbeat = after, expires_at, heartbeat_seconds
        self._looked_at = time.monotonic()
        self._page: list[Told] = []
        self._more = False
        self._is_over = False
        self._pieces = self._all()

    @classmethod
    async def open(
        cls,
        hub: Hub,
        feed: Feed,
        account: str,
        *,
        after: int,
        expires_at: float | None,
        identify: Identify | None = None,
    ) -> "EventStream":
        """Return a stream of what comes after the number *after*; it ends at *expires_at* (since 1970), or
        when *identify*, which is asked as often as a heartbeat comes, does not know the caller any more.

        Raises ApiProblem where there are too many, StoreUnavailable.
        """
        inbox = await hub.join(feed.topic, account)
        end = min(time.time() + hub.limits.stream_seconds_max, expires_at or math.inf)
        stream = cls(inbox, feed, after, end, hub.limits.heartbeat_seconds, identify)
        try:
            await stream._read_on()
        except BaseException:
            inbox.leave()
            raise
        return stream

    def __aiter__(self) -> "EventStream":
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        """End it; nothing is left behind."""
        try:
            await self._pieces.aclose()
        finally:
            self._inbox.leave()

    async def _read_on(self) -> None:
        """Read what was. While that is not all, nothing need be kept of what comes."""
        self._inbox.listen()
        self._page, self._more = await self._feed.past(self._last)
        if self._more:
            self._inbox.deafen()

    async def _all(self) -> AsyncGenerator[bytes, None]:
        yield b"retry: %d\n\n" % random.randint(*_AGAIN_MILLISECONDS)
        while True:
            for piece in self._framed(self._page):
                yield piece
            if self._is_over or not await self._may_go_on():
                return
            if not self._more:
                break
            try:
                await self._read_on()
            except StoreError:  # the client comes back with its last number, and nothing is lost
                return
        while await self._may_go_on():
            messages = await self._inbox.take(self._patience())
            if self._inbox.over:
                return
            for piece in self._framed(messages):
                yield piece
            if self._is_over:
                return
            if not messages:
                yield HEARTBEAT

    def _patience(self) -> float:
        """Return how long to wait for something to tell, nothing when the credentials have expired."""
        return min(self._heartbeat, self._expires_at - time.time())

    async def _may_go_on(self) -> bool:
        """Whether the credentials are good, also of who takes slowly what was."""
        now = time.monotonic()
        if self._identify is not None and now - self._looked_at >= self._heartbeat:
            self._looked_at = now
            try:
                await self._identify()
            except ApiProblem as problem:
                if problem.status < 500:
                    return False
            except StoreError:  # it is away, and so is whoever could take a key back
                pass
        return self._patience() > 0

    def _framed(self, messages: Iterable[Message]) -> Iterable[bytes]:
        frames: list[bytes] = []
        for message in messages:
            if self._is_new(message):
                frames.append(message.once(self._feed.frame))
            if len(frames) == _TOGETHER:
                yield b"".join(frames)
                frames = []
        if frames:
            yield b"".join(frames)

    def _is_new(self, message: Message) -> bool:
        """Whether the client has not heard it, and note that it will."""
        if isinstance(message, Stands):  # of the state that was told last, else it is old, or comes again
            return message.place.version == self._last
        assert isinstance(message, Told)
        number = self._feed.number(message.step)
        if number <= self._last:
            return False
        self._last = number
        self._is_over = self._feed.ends and message.ending is not None
        return True
