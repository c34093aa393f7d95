"""Learn how long tasks take, and mark long queues, so that asking and promising can go by it."""

from makegood.runtime.context import Context


class Estimator:
    """One process at a time does it for all; what it writes is only ever looked up, never relied on."""

    name = "estimator"
    topic = "estimator"

    def __init__(self, context: Context) -> None:
        self._context = context

    async def turn(self) -> bool:
        """Reckon, unless somebody has just done so."""
        settings = self._context.settings
        await self._context.store.queue.reckon(
            settings.reckon_interval_seconds, settings.poll_interval_max_seconds
        )
        return False
