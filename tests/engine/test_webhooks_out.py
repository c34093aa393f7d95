"""Webhooks out: each transition that an endpoint wants is posted until it is there, over days and crashes."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest
import pytest_asyncio

from makegood import EndpointRefused, Engine, InvalidRequest, StoreUnavailable, UnknownEndpoint, WebhooksOff
from makegood.ports import DeliveryState, Endpoint, Letter, Posted
from makegood.runtime import Courier, Herald
from tests.engine.world import (
    PATIENCE_SECONDS,
    PRICE,
    SETTINGS,
    Upscale,
    World,
    a_postgres_world,
    a_world,
)

URL = "https://example.org/hooks"


class ScriptedMessenger:
    """Answers as it is told, in turn, and then always with 204; remembers what was posted."""

    def __init__(self, *answers: Posted | Exception) -> None:
        self.answers, self.posted = list(answers), list[Letter]()
        self.held: asyncio.Event | None = None
        self.arrived = asyncio.Event()

    async def problem_of(self, url: str) -> str | None:
        return None if url.startswith("https://") else "it must begin with https://"

    async def post(self, letter: Letter) -> Posted:
        self.posted.append(letter)
        self.arrived.set()
        if self.held:
            await self.held.wait()
        answer = self.answers.pop(0) if self.answers else Posted(status=204)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Service:
    """A world with a messenger, and the two loops that make and carry messages."""

    def __init__(self, world: World) -> None:
        self.world, self.messenger = world, ScriptedMessenger()
        self.engine = Engine(
            world.store,
            world.catalog,
            blobs=world.blobs,
            settings=world.settings,
            wakeups=world.wakeups,
            messenger=self.messenger,
            run_loops=False,
        )
        context = replace(world.context, messenger=self.messenger)
        self.herald, self.courier = Herald(context), Courier(context, self.messenger)

    async def endpoint(self, **given: object) -> Endpoint:
        made, _ = await self.engine.add_endpoint(URL, **given)  # type: ignore[arg-type]  # as it is given
        return made

    async def tell(self) -> None:
        """Let what is committed become messages, and what is due be carried."""
        while await self.world.sequencer.turn():
            pass
        while await self.herald.turn():
            pass
        await self.carry()

    async def carry(self) -> None:
        await self.courier.turn()
        await self.courier.crew.drain(PATIENCE_SECONDS)

    async def over(self) -> None:
        """Let a job come to its end."""
        await self.engine.cancel((await self.world.pending()).id)

    async def states(self, endpoint: Endpoint) -> list[DeliveryState]:
        return [d.state for d in await self.engine.deliveries(endpoint.id)]


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    async with a_world(settings=replace(SETTINGS, webhook_again_seconds=(5, 300))) as world:
        yield Service(world)


async def test_a_message_tells_the_transition_with_job_and_money(service: Service) -> None:
    await service.endpoint(states=["queued"])
    job = await service.world.queued()
    await service.tell()
    [letter] = service.messenger.posted
    assert letter.transition is not None
    assert letter.job == job
    assert (letter.transition.to_state, letter.transition.seq, letter.status) == ("queued", 2, "queued")
    assert letter.money is not None
    assert letter.money.held == PRICE
    assert letter.secrets[0].startswith("whsec_")
    assert letter.secrets[0] not in repr(letter)
    await service.tell()
    assert len(service.messenger.posted) == 1


async def test_a_message_that_fails_is_sent_again_with_growing_pauses_and_one_id(service: Service) -> None:
    endpoint = await service.endpoint(states=["queued"])
    await service.world.queued()
    service.messenger.answers = [Posted(status=500), Posted(problem="no connection"), Posted(status=204)]
    await service.tell()
    for pause in (5, 300):
        await service.carry()  # nothing is due before its pause is over
        tried = len(service.messenger.posted)
        await service.world.clock.advance(pause - 0.1)
        await service.carry()
        assert len(service.messenger.posted) == tried
        await service.world.clock.advance(pause * 0.2 + 0.2)
        await service.carry()
        assert len(service.messenger.posted) == tried + 1
    assert len({letter.id for letter in service.messenger.posted}) == 1
    assert await service.states(endpoint) == [DeliveryState.DELIVERED]
    told = await service.engine.tries(endpoint.id, 2)
    assert [(t.status, t.problem) for t in told] == [(500, None), (None, "no connection"), (204, None)]


async def test_after_the_last_pause_it_is_given_up_and_may_be_sent_again(service: Service) -> None:
    endpoint = await service.endpoint(states=["queued"])
    await service.world.queued()
    service.messenger.answers = [Posted(status=500)] * 3
    await service.tell()
    for _ in range(4):
        await service.world.clock.advance(400)
        await service.carry()
    assert len(service.messenger.posted) == 3
    assert await service.states(endpoint) == [DeliveryState.FAILED]
    assert await service.engine.resend_failed(endpoint.id, endpoint.created_at) == 1
    await service.carry()
    assert await service.states(endpoint) == [DeliveryState.DELIVERED]
    assert await service.engine.resend(endpoint.id, [2]) == 1
    await service.carry()
    assert len(service.messenger.posted) == 5


async def test_a_receiver_that_asks_for_a_longer_pause_gets_it(service: Service) -> None:
    await service.endpoint(states=["queued"])
    await service.world.queued()
    service.messenger.answers = [Posted(status=429, retry_after_seconds=120)]
    await service.tell()
    await service.world.clock.advance(119)
    await service.carry()
    assert len(service.messenger.posted) == 1
    await service.world.clock.advance(2)
    await service.carry()
    assert len(service.messenger.posted) == 2


async def test_410_disables_at_once(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    endpoint = await service.endpoint()
    await service.world.queued()
    service.messenger.answers = [Posted(status=410), Posted(status=410)]
    await service.tell()
    now = await service.engine.endpoint(endpoint.id)
    assert now.disabled_why is not None
    assert "410" in now.disabled_why
    assert f"endpoint {endpoint.id} is disabled" in caplog.text
    posted = len(service.messenger.posted)
    await service.world.queued()
    await service.tell()
    assert len(service.messenger.posted) == posted
    with pytest.raises(EndpointRefused, match="enable it"):
        await service.engine.resend(endpoint.id, [2])
    assert (await service.engine.change_endpoint(endpoint.id, enabled=True)).disabled_at is None
    await service.world.queued()
    await service.tell()
    assert len(service.messenger.posted) == posted + 2


async def test_an_endpoint_to_which_all_has_failed_for_days_is_disabled(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = await service.endpoint(states=["cancelled"])
    service.messenger.answers = [Posted(status=500)] * 20
    for _ in range(2):
        await service.over()
        await service.tell()
        assert (await service.engine.endpoint(endpoint.id)).disabled_at is None
        await service.world.clock.advance(service.world.settings.webhook_failing_seconds / 2 + 1)
    await service.carry()
    now = await service.engine.endpoint(endpoint.id)
    assert now.disabled_why is not None
    assert now.disabled_why.startswith("every message has failed since 2026-01-01")
    assert "is disabled: every message has failed" in caplog.text


async def test_a_process_that_dies_when_it_has_posted_leaves_a_message_that_is_posted_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = await service.endpoint(states=["queued"])
    await service.world.queued()

    async def dies(*_: object) -> None:
        raise StoreUnavailable("this process is dead")

    with monkeypatch.context() as patched:
        patched.setattr(service.world.store.deliveries, "ended", dies)
        await service.tell()
    await service.carry()
    assert await service.states(endpoint) == [DeliveryState.WAITING]
    await service.world.clock.advance(60)
    await service.carry()
    assert await service.states(endpoint) == [DeliveryState.DELIVERED]
    first, second = service.messenger.posted
    assert first.id == second.id


async def test_who_is_stopped_gives_back_what_it_has_not_posted(service: Service) -> None:
    endpoint = await service.endpoint(states=["queued"])
    await service.world.queued()
    await service.world.sequencer.turn()
    await service.herald.turn()
    service.messenger.held = asyncio.Event()
    await service.courier.turn()
    await service.courier.crew.drain(0)
    service.messenger.held = None
    await service.carry()  # at once, though the lease is not over
    assert await service.states(endpoint) == [DeliveryState.DELIVERED]


async def test_a_messenger_that_raises_is_a_try_that_failed(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = await service.endpoint(states=["queued"])
    await service.world.queued()
    service.messenger.answers = [ZeroDivisionError("in the messenger")]
    await service.tell()
    [tried] = await service.engine.tries(endpoint.id, 2)
    assert tried.problem == "it could not be posted: ZeroDivisionError"
    assert "in the messenger" in caplog.text
    await service.world.clock.advance(10)
    await service.carry()
    assert await service.states(endpoint) == [DeliveryState.DELIVERED]


async def test_where_nobody_listens_the_herald_asks_once_a_second(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[float] = []
    fan_out, clock = service.world.store.deliveries.fan_out, asyncio.get_running_loop().time

    async def counted(limit: int) -> object:
        times.append(clock())
        return await fan_out(limit)

    monkeypatch.setattr(service.world.store.deliveries, "fan_out", counted)
    await service.herald.turn()
    await service.herald.turn()
    assert times[1] - times[0] >= 0.99
    service.world.context.stopping.set()  # who ends does not wait for the next
    await service.herald.turn()


async def test_old_messages_are_forgotten(service: Service) -> None:
    endpoint = await service.endpoint()
    await service.over()
    await service.tell()
    await service.world.clock.advance(service.world.settings.webhook_kept_seconds + 1)
    service.herald._forget_at = 0.0
    await service.herald.turn()
    assert await service.engine.deliveries(endpoint.id) == []


async def test_a_test_message_is_posted_at_once_and_kept_nowhere(service: Service) -> None:
    endpoint = await service.endpoint()
    service.messenger.answers = [Posted(status=302, problem="redirects are not followed")]
    assert not (await service.engine.test_endpoint(endpoint.id)).delivered
    [letter] = service.messenger.posted
    assert letter.transition is None
    assert letter.id.startswith("test_")
    assert await service.engine.deliveries(endpoint.id) == []


async def test_what_cannot_be_is_refused_in_a_sentence(service: Service) -> None:
    engine = service.engine
    for given, text in (
        ({"url": "http://example.org"}, "must begin with https"),
        ({"url": URL, "states": ["done"]}, "There is no state 'done', only cancelled, completed"),
        ({"url": URL, "types": ["nothing"]}, f"There is no job type 'nothing', only {Upscale.name}"),
        ({"url": "https://" + "x" * 2_000}, "2,008 characters"),
        ({"url": URL, "description": "a\nb"}, "printable"),
    ):
        with pytest.raises(EndpointRefused, match=text):
            await engine.add_endpoint(**given)
    endpoint = await service.endpoint()
    with pytest.raises(InvalidRequest, match="keep_seconds"):
        await engine.rotate_secret(endpoint.id, 1e9)
    with pytest.raises(InvalidRequest, match="time zone"):
        await engine.resend_failed(endpoint.id, endpoint.created_at.replace(tzinfo=None))
    await engine.remove_endpoint(endpoint.id)
    for call in (
        engine.endpoint(endpoint.id),
        engine.change_endpoint(endpoint.id),
        engine.rotate_secret(endpoint.id),
        engine.remove_endpoint(endpoint.id),
        engine.deliveries(endpoint.id),
        engine.tries(endpoint.id, 2**70),
        engine.resend(endpoint.id, [1]),
        engine.test_endpoint(endpoint.id),
    ):
        with pytest.raises(UnknownEndpoint):
            await call
    with pytest.raises(WebhooksOff, match="messenger"):
        await service.world.engine.add_endpoint(URL)


async def test_the_loops_carry_messages_by_themselves_and_end_in_order(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with a_world() as world:
        messenger = ScriptedMessenger()
        running = Engine(
            world.store,
            world.catalog,
            blobs=world.blobs,
            providers=world.providers,
            wakeups=world.wakeups,
            messenger=messenger,
        )
        async with running as engine, asyncio.timeout(PATIENCE_SECONDS):
            assert {"herald", "courier"} <= set(engine.health)
            await engine.add_endpoint(URL, states=["completed"])
            job = await engine.accept((await engine.submit(Upscale, "ada", {})).id)
            await messenger.arrived.wait()
        assert [letter.job and letter.job.id for letter in messenger.posted] == [job.id]


@pytest.mark.parametrize(("where", "seed"), [("memory", 1), ("memory", 2), ("postgres", 3)])
async def test_two_couriers_killed_at_any_moment_lose_no_message_and_make_none_twice(
    where: str, seed: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_: object) -> None:
        """The dead give nothing back: their leases have to end."""

    dice = random.Random(seed)
    settings = replace(SETTINGS, webhook_again_seconds=(5,) * 100)
    opened = a_world if where == "memory" else partial(a_postgres_world, request.getfixturevalue("database"))
    async with opened(settings=settings) as world:
        service = Service(world)
        ends = [await service.endpoint(states=["cancelled"]) for _ in range(3)]
        for _ in range(4):
            await service.over()
        while await world.sequencer.turn():
            pass
        context = replace(world.context, messenger=service.messenger)
        monkeypatch.setattr(world.store.deliveries, "give_back", nothing)
        for _ in range(8):
            heralds = [Herald(context) for _ in range(2)]
            couriers = [Courier(context, service.messenger) for _ in range(2)]
            service.messenger.answers = [Posted(status=500)] * dice.randint(0, 3)
            turns = [*(herald.turn() for herald in heralds), *(courier.turn() for courier in couriers)]
            await asyncio.gather(*turns)
            for _ in range(dice.randint(0, 30)):
                await asyncio.sleep(0)
            for courier in couriers:
                await killed(courier)
            await world.clock.advance(60)
        service.messenger.answers = []
        for _ in range(8):  # to one that has failed one is under way, until one is there
            await service.carry()
            await world.clock.advance(60)
        for endpoint in ends:
            page = await service.engine.deliveries(endpoint.id)
            assert [d.state for d in page] == [DeliveryState.DELIVERED] * 4
        assert len({letter.id for letter in service.messenger.posted}) == 4


async def killed(courier: Courier) -> None:
    """End what it has begun wherever it stands, as the death of its process would."""
    tasks = list(courier.crew._tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
