"""Tell of committed transitions: every hook at least once, for each job in the order of its life."""

import asyncio
import logging
from functools import partial

from makegood.job import Announcement
from makegood.mover import RELAY, job_topic
from makegood.runtime.context import Context
from makegood.runtime.crew import Crew
from makegood.runtime.loop import survivable
from makegood.subject import Subject

log = logging.getLogger("makegood.relay")

#: Longest time for all hooks of one announcement; the lease is longer, so that no two relays overlap.
_HOOKS_SECONDS, _LEASE_SECONDS = 30.0, 60.0


class Relay:
    """Reads the outbox; what fails is told again later, each time later, what was told is left out."""

    name = "relay"
    topic = RELAY

    def __init__(self, context: Context) -> None:
        self._context = context
        self.crew = Crew(context.settings.batch_max, lambda: context.wakeups.wake(RELAY))

    async def turn(self) -> bool:
        """Start to tell of the next announcement of each job whose type this process knows."""
        if not self.crew.room:
            return False
        taken = await self._context.store.outbox.take(
            self._context.catalog.names, self.crew.room, _LEASE_SECONDS
        )
        for announcement in taken:
            transition = announcement.transition
            later = partial(self._context.store.outbox.give_back, announcement)
            name = f"tell {transition.job_id}/{transition.version}"
            about = Subject(job_id=transition.job_id, type=transition.type, attempt=transition.attempt)
            self.crew.start(self._deliver(announcement), name, later, about)
        return False

    async def _deliver(self, announcement: Announcement) -> None:
        if await self._tell(announcement):
            await self._context.store.outbox.done([announcement])
            self._context.wakeups.wake(job_topic(announcement.transition.job_id))

    async def _tell(self, announcement: Announcement) -> bool:
        transition, key = announcement.transition, ""
        try:
            async with asyncio.timeout(_HOOKS_SECONDS):
                for key, hook in self._context.catalog.get(transition.type).hooks(transition):
                    if key not in announcement.delivered:
                        await hook(transition)
                        await self._context.store.outbox.delivered(announcement, key)
        except BaseException as error:
            if not survivable(error):
                raise
            level = logging.ERROR if announcement.tries == 1 else logging.WARNING  # it is the same error
            log.log(level, "hook %s failed for job %s", key, transition.job_id, exc_info=True)
            if announcement.tries < self._context.settings.hook_tries_max:
                return False
            told = "hook %s is given up for %s/%d"
            log.error(told, key, transition.job_id, transition.version, exc_info=True)
        return True
