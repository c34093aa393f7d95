"""Carry messages to endpoints: each at least once, and again over days while that fails."""

import asyncio
import logging
import random
from datetime import timedelta
from functools import partial

from makegood.job import Job
from makegood.mover import WEBHOOK
from makegood.ports import Endpoint, Letter, Messenger, Parcel, Posted, message_id
from makegood.runtime.context import Context
from makegood.runtime.crew import Crew
from makegood.runtime.loop import survivable
from makegood.subject import Subject

log = logging.getLogger("makegood.courier")

#: How much longer than a try its lease is, and how much longer than its own bound a messenger may take.
_LEASE_SPARE_SECONDS, _POST_SPARE_SECONDS = 30.0, 5.0
#: Pauses are up to so much longer, by chance: receivers that come back are not met by all at once.
_JITTER = 0.2
GONE = "the receiver answered 410 Gone: it wants no more messages"


class Courier:
    """One message is one try of one process at a time: who dies with it leaves a lease that ends."""

    name = "courier"
    topic = WEBHOOK

    def __init__(self, context: Context, messenger: Messenger) -> None:
        self._context, self._messenger = context, messenger
        self.crew = Crew(context.settings.webhooks_max, lambda: context.wakeups.wake(WEBHOOK))

    async def turn(self) -> bool:
        """Start to carry what is due."""
        if not self.crew.room:
            return False
        deliveries, settings = self._context.store.deliveries, self._context.settings
        lease = settings.webhook_timeout_seconds + _LEASE_SPARE_SECONDS
        for parcel in await deliveries.take(self.crew.room, settings.webhooks_of_endpoint_max, lease):
            name = f"webhook {parcel.seq} to {parcel.endpoint_id}"
            about = Subject(job_id=parcel.transition.job_id, type=parcel.transition.type)
            self.crew.start(self._carry(parcel), name, partial(deliveries.give_back, parcel), about)
        return False

    async def _carry(self, parcel: Parcel) -> None:
        posted = await self._post(parcel)
        gone = posted.gone and await self._is_address(parcel)
        again = None if posted.delivered or gone else self._pause(parcel, posted)
        endpoint = await self._context.store.deliveries.ended(parcel, posted, again)
        if endpoint is None:  # it was sent again, disabled or removed meanwhile
            return
        if not posted.delivered:
            told = posted.problem or f"HTTP {posted.status}"
            log.info("webhook %d to endpoint %s failed: %s", parcel.seq, endpoint.id, told)
            await self._look_at(endpoint, parcel, gone)

    async def _is_address(self, parcel: Parcel) -> bool:
        """Whether the endpoint is still where the message went: at an old place 410 is a matter of course."""
        endpoint = await self._context.store.endpoints.get(parcel.endpoint_id)
        return endpoint is not None and endpoint.url == parcel.url

    async def _post(self, parcel: Parcel) -> Posted:
        step, store = parcel.transition, self._context.store
        job = await store.jobs.get(step.job_id)
        assert job is not None, "jobs are never deleted"
        letter = Letter(
            id=message_id(step),
            url=parcel.url,
            secrets=parcel.secrets,
            transition=step,
            job=job,
            money=await store.jobs.money(step.job_id),
            status=self._status(job),
        )
        try:
            async with asyncio.timeout(self._context.settings.webhook_timeout_seconds + _POST_SPARE_SECONDS):
                return await self._messenger.post(letter)
        except BaseException as error:
            if not survivable(error):
                raise
            log.exception("webhook %d to endpoint %s could not be posted", parcel.seq, parcel.endpoint_id)
            return Posted(problem=f"it could not be posted: {type(error).__name__}")

    def _status(self, job: Job) -> str:
        job_type = self._context.catalog.of(job)
        state = job_type.spec.state.get(job.state) if job_type else None
        return (state and state.public) or job.state

    def _pause(self, parcel: Parcel, posted: Posted) -> float | None:
        """Return when to try again, None: no more. What the receiver asks for can only make it later."""
        pauses = self._context.settings.webhook_again_seconds
        if parcel.tries > len(pauses):
            return None
        pause = pauses[parcel.tries - 1] * random.uniform(1.0, 1.0 + _JITTER)
        return max(pause, posted.retry_after_seconds or 0.0)

    async def _look_at(self, endpoint: Endpoint, parcel: Parcel, gone: bool) -> None:
        """Disable an endpoint that is gone, or to which every try has failed for too long."""
        store, since = self._context.store, endpoint.failing_since
        longest = timedelta(seconds=self._context.settings.webhook_failing_seconds)
        if gone:
            done = await store.endpoints.disable(endpoint.id, GONE)
        elif since is not None and parcel.taken_at - since >= longest:
            why = f"every message has failed since {since.isoformat(timespec='seconds')}"
            done = await store.endpoints.disable(endpoint.id, why, failing_since=since)
        else:
            return
        if done:
            log.error("endpoint %s is disabled: %s", endpoint.id, done.disabled_why)
