"""Give committed transitions their places in the stream, in which whoever watches many jobs reads on."""

import asyncio

from makegood.mover import PLACED, STREAM, owner_topic
from makegood.runtime.context import Context

#: Places that one turn gives, and the shortest time between two turns that give some: under load one turn and
#: one commit serve all transitions of that time.
_PLACES_MAX, _PAUSE_SECONDS = 2_000, 0.02


class Sequencer:
    """A sequence in the database cannot do it: its numbers are drawn before the commit and come in any order.

    Every process has one; while one gives places the others find nothing to do.
    """

    name = "sequencer"
    topic = STREAM

    def __init__(self, context: Context) -> None:
        self._context, self._not_before = context, 0.0

    async def turn(self) -> bool:
        """Give the next places, and wake who watches an owner that got some, or all."""
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(max(0.0, self._not_before - clock()))
        placed = await self._context.store.stream.place(_PLACES_MAX)
        for owner in placed:
            self._context.wakeups.wake(owner_topic(owner))
        if placed:
            self._context.wakeups.wake(PLACED)
            self._not_before = clock() + _PAUSE_SECONDS
        return sum(placed.values()) >= _PLACES_MAX
