"""Tell of committed transitions: every hook at least once, for each job in the order of its life."""

import asyncio
import logging

from makegood.job import Announcement
from makegood.mover import RELAY, job_topic
from makegood.runtime.context import Context

log = logging.getLogger("makegood.relay")

#: Longest time for all hooks of one announcement; its lease is longer, so that no two relays overlap.
_HOOKS_SECONDS, _LEASE_SECONDS = 30.0, 60.0


class Relay:
    """Reads the outbox; what fails is told again after the lease, what was told is left out."""

    name = "relay"
    topic = RELAY

    def __init__(self, context: Context) -> None:
        self._context = context

    async def turn(self) -> bool:
        """Deliver the next announcement of each job."""
        outbox, batch = self._context.store.outbox, self._context.settings.batch_max
        taken = await outbox.take(batch, _LEASE_SECONDS)
        # At the same time: one slow hook must not use up the leases of other jobs.
        heard = await asyncio.gather(*(self._tell(announcement) for announcement in taken))
        told = [announcement for announcement, done in zip(taken, heard, strict=True) if done]
        await outbox.done(told)
        for announcement in told:
            self._context.wakeups.wake(job_topic(announcement.transition.job_id))
        return bool(told)

    async def _tell(self, announcement: Announcement) -> bool:
        transition = announcement.transition
        if transition.type not in self._context.catalog:
            return True
        hooks = self._context.catalog.get(transition.type).hooks(transition)
        key = ""
        try:
            async with asyncio.timeout(_HOOKS_SECONDS):
                for key, hook in hooks:
                    if key not in announcement.delivered:
                        await hook(transition)
                        await self._context.store.outbox.delivered(announcement, key)
        except Exception:
            log.exception("hook %s failed for job %s", key, transition.job_id)
            if announcement.tries < self._context.settings.hook_tries_max:
                return False
            log.error(
                "hook %s is given up for version %d of job %s", key, transition.version, transition.job_id
            )
        return True
