"""Wake-ups inside one process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class LocalBell:
    """Implements `makegood.ports.Bell`."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Let the present wait, or the next one, return at once."""
        self._rung.set()

    async def wait(self, seconds: float) -> bool:
        """See `Bell.wait`."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True


class LocalWakeups:
    """Implements `makegood.ports.Wakeups` for listeners of the same process."""

    def __init__(self) -> None:
        self._bells: dict[str, list[LocalBell]] = {}

    def wake(self, topic: str) -> None:
        """See `Wakeups.wake`."""
        for bell in self._bells.get(topic, ()):
            bell.ring()

    def wake_all(self) -> None:
        """Ring every bell: something may have been missed."""
        for bells in self._bells.values():
            for bell in bells:
                bell.ring()

    @contextmanager
    def listen(self, topic: str) -> Iterator[LocalBell]:
        """See `Wakeups.listen`."""
        bell = LocalBell()
        self._bells.setdefault(topic, []).append(bell)
        try:
            yield bell
        finally:
            self._bells[topic].remove(bell)
            if not self._bells[topic]:
                del self._bells[topic]
