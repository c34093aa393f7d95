"""A whole makegood whose account is at a scripted Replicate: a real engine, real webhooks, either store."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from aiohttp import web

from makegood import BaseJob, Catalog, Engine, File, Job, JobInput, JobMoney, ProviderAccount
from makegood.job import Phase
from makegood.mover import POLL
from makegood.ports import Store, StoredHint, Wakeups
from makegood.runtime import LocalWakeups
from makegood_adapters.http import application, hook_routes, runner
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.replicate import Replicate, ReplicateClient, open_session
from tests.adapters.scripted_replicate import KEY, Prediction, ScriptedReplicate
from tests.loop_time import hasten
from tests.scenarios.stage import Holds, patience, quick

OWNER, CREDITS, PRICE, POOL = "ada", 1_000, 60, "replicate"
ACCOUNT = ProviderAccount(name="main", pool=POOL, capacity=2)
#: What is known sooner was told by a webhook.
NEVER_POLL = 300.0


class Portrait(BaseJob):
    """A picture after a prompt and, if there is one, another picture."""

    name = "replicate_portrait"
    pool, price = POOL, PRICE

    class Input(JobInput):
        """What the user gives."""

        prompt: str = "a lighthouse"
        image: Annotated[str | None, File(("png",), size_max=10_000)] = None

    @classmethod
    def request(cls, value: Any) -> dict[str, Any]:
        image = {"image": {"file": "image"}} if value.image else {}
        return {"version": "5c7d5dc6", "input": {"prompt": value.prompt, **image}}


@dataclass
class Site:
    """What a test touches."""

    replicate: ScriptedReplicate
    provider: Replicate
    engine: Engine
    store: Store
    blobs: MemoryBlobs
    wakeups: Wakeups

    async def order(self, **given: Any) -> Job:
        """Submit a job and accept it."""
        return await self.engine.accept((await self.engine.submit(Portrait, OWNER, given)).id)

    async def created(self) -> Prediction:
        """Wait until Replicate has another prediction."""
        async with patience():
            return await self.replicate.created.get()

    async def started(self, **given: Any) -> tuple[Job, Prediction]:
        """Return a job whose prediction Replicate has, and about which the engine has asked: it does so at
        once, and what happens from now on it hears by webhook, or with the next poll."""
        job = await self.order(**given)
        prediction = await self.created()
        job = await self.reached(job, "running")
        async with patience():
            await prediction.asked.wait()
        return job, prediction

    async def uncertain(self, after_seconds: float = 0.0) -> tuple[Job, Prediction]:
        """Return a job of whose prediction the engine has not heard, *after_seconds*, which pass at once."""
        job = await self.order()
        prediction = await self.created()
        hasten(after_seconds)

        async def doubted() -> bool:
            attempt = await self.store.attempts.get(job.id, 1)
            return attempt is not None and attempt.phase is Phase.UNCERTAIN

        await self.until(doubted)
        return await self.engine.get(job.id), prediction

    async def until(self, holds: Holds) -> None:
        """Wait until *holds*, looking again when the engine may have learned something, or soon."""
        with self.wakeups.listen(POLL) as bell:
            async with patience():
                while not await holds():
                    await bell.wait(0.02)

    async def reached(self, job: Job, state: str) -> Job:
        """Wait until the job has entered *state*, which it must."""
        async with patience():
            async for step in self.engine.watch(job.id):
                if step.to_state == state:
                    return await self.engine.get(job.id)
        raise AssertionError(f"job {job.id} is over and was never {state}")

    async def ended(self, job: Job, state: str, captured: int = 0) -> Job:
        """Wait for the job's end; it is as said, its credits and its slot are back or paid for."""
        async with patience():
            async for _ in self.engine.watch(job.id):
                pass
        job = await self.engine.get(job.id)
        assert (job.state, job.error) == (state, job.error)
        released = job.price - captured
        assert await self.engine.money(job.id) == JobMoney(captured=captured, released=released)
        wallet = await self.engine.wallet(OWNER)
        assert (wallet.available, wallet.held) == (CREDITS - captured, 0)

        async def free() -> bool:
            return not any(use.open for use in await self.engine.occupancy())

        await self.until(free)
        assert await self.engine.violations() == []
        return job

    async def hints(self, job: Job) -> list[StoredHint]:
        """Return the messages about the job that nobody has dealt with."""
        attempt = await self.store.attempts.get(job.id, 1)
        assert attempt is not None
        return await self.store.hints.unread(attempt)

    async def events(self, job: Job) -> list[str]:
        """Return the events of the job's life."""
        return [step.event for step in await self.engine.history(job.id)]

    async def result(self, job: Job, place: int = 0) -> bytes | None:
        """Return a delivered file."""
        assert job.output is not None
        return await self.blobs.get(job.output["files"][place]["key"])


@asynccontextmanager
async def at_replicate(store: Store, *, key: str = KEY, **settings: Any) -> AsyncIterator[Site]:
    """Open an account at a scripted Replicate and let an engine work with it; Ada has credits."""
    async with AsyncExitStack() as stack:
        replicate = await stack.enter_async_context(ScriptedReplicate().serve())
        session = await stack.enter_async_context(open_session())
        client = ReplicateClient(session, key, replicate.url, timeout_seconds=60, connect_seconds=60)
        provider = Replicate(client, renew_seconds=0)
        stack.push_async_callback(provider.close)
        await provider.renew_secret()
        listener = socket.create_server(("127.0.0.1", 0))
        stack.callback(listener.close)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        blobs, wakeups = MemoryBlobs(), LocalWakeups()
        usual = {"poll_interval_seconds": NEVER_POLL, "webhook_base_url": url}
        engine = Engine(
            store,
            Catalog([Portrait]),
            blobs=blobs,
            providers={ACCOUNT: provider},
            settings=quick(**{**usual, **settings}),
            wakeups=wakeups,
        )
        app = application()
        app.add_routes(hook_routes(engine))
        serving = runner(app)
        await serving.setup()
        stack.push_async_callback(serving.cleanup)
        await web.SockSite(serving, listener).start()
        async with engine:
            await engine.grant(OWNER, CREDITS, source_ref="order-1")
            yield Site(replicate, provider, engine, store, blobs, wakeups)
            replicate.let_go.set()
            assert await engine.violations() == []
