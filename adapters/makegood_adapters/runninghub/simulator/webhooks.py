"""The simulated site's webhooks: sent when a task ends, repeated until somebody takes them."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp

from makegood_adapters.runninghub.simulator.clock import Clock, at_rest
from makegood_adapters.runninghub.simulator.counters import Counters
from makegood_adapters.runninghub.simulator.pace import Pace
from makegood_adapters.runninghub.simulator.tasks import Delivery, Task


class Webhooks:
    """Sends them. *body* makes the message of a task; *note_change* is called after every attempt."""

    def __init__(
        self,
        clock: Clock,
        pace: Pace,
        counters: Counters,
        body: Callable[[Task], dict[str, Any]],
        note_change: Callable[[], None],
    ) -> None:
        self._clock, self._pace, self._counters = clock, pace, counters
        self._body, self._note_change = body, note_change
        self._session: aiohttp.ClientSession | None = None
        self._later = asyncio.Event()
        self._newest = 0

    async def open(self) -> None:
        """Open the connections, past any proxy of the environment."""
        self._session = aiohttp.ClientSession(trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def send(self, task: Task) -> None:
        """Send those of a task that is over, as its faults want them."""
        url = task.request.webhook_url
        if not url or not task.faults.webhooks:
            return
        if task.faults.webhook_out_of_order:
            await self._let_a_later_one_pass(task)
        else:
            await self._clock.sleep(task.faults.webhook_delay_seconds)
        for _ in range(task.faults.webhooks):
            await self.deliver(task, url)

    async def deliver(self, task: Task, url: str) -> None:
        """Send one until the receiver takes it or the repetitions are used up."""
        body = self._body(task)
        for repetition in range(self._pace.webhook_retries + 1):
            if repetition:
                await self._clock.sleep(self._pace.webhook_retry_seconds)
            delivery = await self._post(url, body)
            task.deliveries.append(delivery)
            self._counters.webhooks += 1
            if task.request.arrival > self._newest:
                self._newest = task.request.arrival
                self._later.set()
                self._later = asyncio.Event()
            self._note_change()
            if delivery.ok:
                return

    async def _let_a_later_one_pass(self, task: Task) -> None:
        """Wait for the webhook of a later task, for `webhook_delay_seconds` at most if given."""
        delay = task.faults.webhook_delay_seconds
        late = asyncio.create_task(self._clock.sleep(delay)) if delay else None
        # The sleeper counts itself as asleep; this task is what waits for either.
        if late is not None:
            self._clock.awake()
        try:
            async with at_rest(self._clock):
                while self._newest <= task.request.arrival and (late is None or not late.done()):
                    passed = asyncio.create_task(self._later.wait())
                    await asyncio.wait(
                        {passed} if late is None else {passed, late}, return_when=asyncio.FIRST_COMPLETED
                    )
                    passed.cancel()
        finally:
            if late is not None:
                if not late.done():
                    late.cancel()
                await asyncio.wait({late})
                self._clock.done()

    async def _post(self, url: str, body: dict[str, Any]) -> Delivery:
        if self._session is None:
            raise RuntimeError("the webhooks are not open")
        bounds = aiohttp.ClientTimeout(total=self._pace.webhook_timeout_seconds)
        try:
            async with self._session.post(url, json=body, timeout=bounds, allow_redirects=False) as response:
                await response.read()
                return Delivery(at=self._clock.now(), status=response.status)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return Delivery(
                at=self._clock.now(), status=None, error=f"I/O error on POST request: {type(error).__name__}"
            )
