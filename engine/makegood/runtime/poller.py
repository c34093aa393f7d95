"""Ask about every open attempt when its turn comes, or at once when somebody gave a hint."""

import logging
from functools import partial

from makegood.errors import ProviderUnavailable
from makegood.job import Attempt
from makegood.mover import POLL
from makegood.observing import subject_of
from makegood.runtime.context import Context
from makegood.runtime.crew import Crew
from makegood.runtime.inquiry import Inquiry

log = logging.getLogger("makegood.poller")


class Poller:
    """The poll behind every webhook: a lost one costs an interval, never a job."""

    name = "poller"
    topic = POLL

    def __init__(self, context: Context) -> None:
        self._context, self._inquiry = context, Inquiry(context)
        self.crew = Crew(context.settings.batch_max, lambda: context.wakeups.wake(POLL))

    async def turn(self) -> bool:
        """Start a question about each attempt that is due."""
        context = self._context
        if not (context.accounts and self.crew.room):
            return False
        settings = context.settings
        due = await context.store.attempts.due(
            context.accounts,
            self.crew.room,
            settings.poll_interval_seconds,
            settings.poll_interval_max_seconds,
            settings.asks_per_second,
        )
        for attempt in due:
            again = partial(context.store.attempts.ask_after, attempt, 0)
            name = f"ask {attempt.job_id}/{attempt.number}"
            self.crew.start(self._ask(attempt), name, again, subject_of(attempt))
        return False

    async def _ask(self, attempt: Attempt) -> None:
        try:
            await self._inquiry.ask(attempt)
        except ProviderUnavailable as error:  # the next turn asks again; nothing has changed
            log.info("no answer about job %s: %s", attempt.job_id, error)
