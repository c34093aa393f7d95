"""Fill free slots with waiting jobs, until either has run out."""

from makegood.mover import DISPATCH, RELAY, STREAM, SUBMIT, job_topic
from makegood.runtime.context import Context


class Dispatcher:
    """The only starter: a job that need not wait takes the same way as one that waited."""

    name = "dispatcher"
    topic = DISPATCH

    def __init__(self, context: Context) -> None:
        self._context = context

    async def turn(self) -> bool:
        """Open attempts for the jobs at the head of each pool's queue."""
        context, more = self._context, False
        for pool, accounts in context.pools.items():
            opened = await context.store.attempts.dispatch(pool, accounts, context.settings.batch_max)
            for attempt in opened:
                context.wakeups.wake(job_topic(attempt.job_id))
                context.observers.dispatched(attempt)
            if opened:
                for topic in (SUBMIT, RELAY, STREAM):
                    context.wakeups.wake(topic)
            more = more or len(opened) == context.settings.batch_max
        return more
