"""Tell the store that this process is there and how its loops are doing."""

import asyncio
from collections.abc import Iterable
from uuid import UUID

from makegood.ports import Worker, WorkerName, WorkerState
from makegood.runtime.context import Context
from makegood.runtime.health import Health


class Heartbeat:
    """Writes the row of this process every few seconds, for people to read; no decision rests on it.

    Rows of processes that died are removed by the others, a batch at a time.
    """

    name = "heartbeat"

    def __init__(
        self, context: Context, worker_id: UUID, worker: WorkerName, healths: Iterable[Health]
    ) -> None:
        self._context, self._id, self._worker, self._healths = context, worker_id, worker, healths
        self.topic = f"heartbeat:{worker_id}"
        self._next_at = 0.0
        self._state = WorkerState.RUNNING

    async def turn(self) -> bool:
        """Write the row if it is time, and remove rows of those who are gone."""
        now = asyncio.get_running_loop().time()
        if now < self._next_at:
            return False
        context, settings = self._context, self._context.settings
        worker = Worker(
            id=self._id,
            name=self._worker,
            state=self._state,
            accounts=tuple(sorted(context.accounts)),
            health={health.name: health.told(now) for health in self._healths},
        )
        await context.store.workers.beat(worker)
        self._next_at = now + settings.worker_beat_seconds
        await context.store.workers.forget(settings.worker_forgotten_seconds, settings.batch_max)
        return False

    def drains(self) -> None:
        """From now on tell that this process ends; the next turn does so at once."""
        self._state, self._next_at = WorkerState.DRAINING, 0.0
        self._context.wakeups.wake(self.topic)

    async def leave(self) -> None:
        """Remove the row."""
        await self._context.store.workers.leave(self._id)
