"""Make messages of what the stream tells: one for each transition and each endpoint that wants it."""

import asyncio
from contextlib import suppress

from makegood.mover import PLACED, WEBHOOK
from makegood.runtime.context import Context

#: Places that one turn reads, and the shortest time between two turns: while somebody listens, and while
#: nobody does, so that then next to nothing is asked of the database.
_PLACES_MAX, _PAUSE_SECONDS, _QUIET_SECONDS = 1_000, 0.02, 1.0
#: How often, and how many at a time, old messages are deleted.
_FORGET_SECONDS, _FORGET_MAX = 60.0, 1_000


class Herald:
    """Every process that sends webhooks has one; while one is at it the others find nothing to do."""

    name = "herald"
    topic = PLACED

    def __init__(self, context: Context) -> None:
        self._context, self._not_before, self._forget_at = context, 0.0, 0.0

    async def turn(self) -> bool:
        """Make the messages of the next places, and wake who carries them."""
        await self._rest()
        deliveries, clock = self._context.store.deliveries, asyncio.get_running_loop().time
        step = await deliveries.fan_out(_PLACES_MAX)
        if step.deliveries:
            self._context.wakeups.wake(WEBHOOK)
        self._not_before = clock() + (_PAUSE_SECONDS if step.listeners else _QUIET_SECONDS)
        if clock() >= self._forget_at:
            old = await deliveries.forget(self._context.settings.webhook_kept_seconds, _FORGET_MAX)
            self._forget_at = clock() + (0.0 if old == _FORGET_MAX else _FORGET_SECONDS)
        return step.places > 0  # the store reads fewer at a time where many listen

    async def _rest(self) -> None:
        left = self._not_before - asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                await self._context.stopping.wait()
