"""Wake-ups over Postgres, beyond their contract: few notifications, lost connections, poolers, ends."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
import pytest_asyncio

from makegood.errors import StoreUnavailable
from makegood.testing.contract.wakeups import PATIENCE_SECONDS, STRANGE
from makegood_adapters.postgres import wakeups as module
from makegood_adapters.postgres.wakeups import PAYLOAD_BYTES_MAX, TOPICS_MAX, PostgresWakeups, Topics
from tests.adapters.postgres.proxy import Proxy

CONNECTIONS = "application_name = 'makegood wake-ups' and datname = current_database()"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a slow answer be an answer: a connection that is given up rings every bell."""
    for name in ("_ANSWER_SECONDS", "_CLOSE_SECONDS", "_HEARING_SECONDS"):
        monkeypatch.setattr(module, name, PATIENCE_SECONDS)


@pytest_asyncio.fixture
async def near(proxy: Proxy) -> AsyncIterator[PostgresWakeups]:
    """Yield the wake-ups of a process that reaches the server through the proxy."""
    async with PostgresWakeups(proxy.dsn, pause_max_seconds=0.05) as opened:
        yield opened


@pytest_asyncio.fixture
async def far(database: str) -> AsyncIterator[PostgresWakeups]:
    """Yield the wake-ups of another process."""
    async with PostgresWakeups(database, pause_max_seconds=0.05) as opened:
        yield opened


class Log(logging.Handler):
    """Keeps what is logged at its level or above, and sets an event at the first of it."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.told: list[str] = []
        self.event = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())
        self.event.set()


@pytest.fixture
def warnings() -> Iterator[Log]:
    handler = Log(logging.WARNING)
    module.log.addHandler(handler)
    yield handler
    module.log.removeHandler(handler)


def patience() -> asyncio.Timeout:
    return asyncio.timeout(PATIENCE_SECONDS)


async def crosses(one: PostgresWakeups, other: PostgresWakeups, topic: str) -> None:
    with other.listen(topic) as bell:
        one.wake(topic)
        assert await bell.wait(PATIENCE_SECONDS)


async def counted(one: PostgresWakeups, other: PostgresWakeups) -> None:
    """Return when *one* has counted what *other* has heard of it: its own answer comes before this ring."""
    await crosses(other, one, "counted")


def own_tasks() -> list["asyncio.Task[None]"]:
    return [task for task in asyncio.all_tasks() if "wake-ups" in task.get_name()]


async def disconnected(plain: asyncpg.Connection) -> None:
    """Return when the server knows of no connection of any wake-ups."""
    left = f"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE {CONNECTIONS})"
    while await plain.fetchval(left):  # noqa: ASYNC110  # the database has no event to wait for
        await asyncio.sleep(0.005)


class TestNotifications:
    async def test_own_notifications_do_not_ring_a_second_time(
        self, near: PostgresWakeups, far: PostgresWakeups
    ) -> None:
        with near.listen("dispatch") as bell:
            near.wake("dispatch")
            assert await bell.wait(0)
            await crosses(near, far, "sent")
            await crosses(far, near, "answered")  # comes after the echo of both
            assert not await bell.wait(0)
        assert near.received == 1

    async def test_what_is_woken_while_one_is_under_way_goes_into_the_next(
        self, near: PostgresWakeups, far: PostgresWakeups, proxy: Proxy
    ) -> None:
        with far.listen("job:999") as last, far.listen("job:other") as other:
            proxy.pause()
            for number in range(1_000):
                near.wake(f"job:{number}")
                await asyncio.sleep(0)
            proxy.resume()
            assert await last.wait(PATIENCE_SECONDS)
            assert not await other.wait(0)
        await counted(near, far)
        assert 1 <= near.sent <= 3

    async def test_what_is_woken_at_one_moment_is_one_statement(
        self, near: PostgresWakeups, far: PostgresWakeups
    ) -> None:
        with far.listen("relay") as relay, far.listen("dispatch") as dispatch:
            for _ in range(100):
                near.wake("dispatch")
                near.wake("relay")
            assert await relay.wait(PATIENCE_SECONDS)
            assert await dispatch.wait(PATIENCE_SECONDS)
        await counted(near, far)
        assert (near.sent, far.received) == (1, 1)

    async def test_too_many_topics_ring_everything(self, near: PostgresWakeups, far: PostgresWakeups) -> None:
        with far.listen("job:other") as other:
            for number in range(TOPICS_MAX + 1):
                near.wake(f"job:{number}")
            assert await other.wait(PATIENCE_SECONDS)
        await counted(near, far)
        assert (near.sent, far.received) == (1, 1)

    async def test_anybody_may_notify(self, near: PostgresWakeups, plain: asyncpg.Connection) -> None:
        with near.listen("dispatch") as one, near.listen("relay") as other:
            await plain.execute("NOTIFY makegood_wakeups, 'dispatch'")
            assert await one.wait(PATIENCE_SECONDS)
            assert not await other.wait(0)
            await plain.execute("NOTIFY makegood_wakeups")
            assert await one.wait(PATIENCE_SECONDS)
            assert await other.wait(PATIENCE_SECONDS)

    async def test_another_database_of_the_server_hears_nothing(
        self, near: PostgresWakeups, empty_database: str
    ) -> None:
        async with PostgresWakeups(empty_database) as stranger:
            with near.listen("dispatch") as bell:
                stranger.wake("dispatch")
            await crosses(near, near, "marker")
            with near.listen("dispatch") as bell:
                assert not await bell.wait(0)
        assert (stranger.sent, near.received) == (1, 0)


class TestTopics:
    def test_each_payload_is_short_enough_and_nothing_is_left_out(self) -> None:
        topics, names = Topics(), {f"job:{number:0100}" for number in range(TOPICS_MAX)}
        for name in names:
            topics.add(name)
        payloads = topics.payloads()
        assert max(len(payload.encode()) for payload in payloads) <= PAYLOAD_BYTES_MAX
        assert {name for payload in payloads for name in payload.split("\n")} == names

    @pytest.mark.parametrize("size", [4, 7, 199, 200])
    def test_a_payload_is_as_long_as_postgres_takes(self, size: int) -> None:
        topics = Topics()
        for number in range(TOPICS_MAX):
            topics.add(f"{number:0{size}}")
        lengths = [len(payload) for payload in topics.payloads()]
        assert max(lengths) <= PAYLOAD_BYTES_MAX
        assert all(length + 1 + size > PAYLOAD_BYTES_MAX for length in lengths[:-1])

    async def test_postgres_takes_the_longest_payload(
        self, plain: asyncpg.Connection, near: PostgresWakeups
    ) -> None:
        topics = Topics()
        for number in range(40):
            topics.add(f"{number:0199}")
        [payload] = topics.payloads()
        assert len(payload) == PAYLOAD_BYTES_MAX
        with near.listen(f"{39:0199}") as bell:
            await plain.execute("SELECT pg_notify('makegood_wakeups', $1)", payload)
            assert await bell.wait(PATIENCE_SECONDS)

    def test_one_too_many_is_every_topic_and_nothing_more_is_kept(self) -> None:
        topics = Topics()
        for number in range(10 * TOPICS_MAX):
            topics.add(f"job:{number}")
        assert topics.payloads() == [""]
        assert not topics._names

    @pytest.mark.parametrize("topic", STRANGE[:-1], ids=repr)
    def test_what_does_not_fit_into_a_line_is_every_topic(self, topic: str) -> None:
        topics = Topics()
        topics.add("job:1")
        topics.add(topic)
        assert topics.payloads() == [""]

    def test_no_topics_are_no_payload(self) -> None:
        assert not Topics()
        assert Topics().payloads() == []


class TestLostConnections:
    async def test_killed_backends_are_replaced_and_everything_rings_once(
        self, near: PostgresWakeups, far: PostgresWakeups, plain: asyncpg.Connection
    ) -> None:
        with near.listen("a") as one, far.listen("b") as other:
            kill = f"SELECT pg_terminate_backend(pid, 100000) FROM pg_stat_activity WHERE {CONNECTIONS}"
            assert len(await plain.fetch(kill)) >= 2
            assert await one.wait(PATIENCE_SECONDS)
            assert await other.wait(PATIENCE_SECONDS)
        assert (near.reconnects, far.reconnects) == (1, 1)
        await crosses(near, far, "c")
        await crosses(far, near, "d")

    async def test_while_the_server_is_away_wake_neither_raises_nor_waits_and_nothing_is_lost(
        self, near: PostgresWakeups, far: PostgresWakeups, proxy: Proxy, warnings: Log
    ) -> None:
        with near.listen("job:1") as here, far.listen("job:1") as there, far.listen("job:2") as other:
            await proxy.refuse()
            async with patience():
                await warnings.event.wait()
            near.wake("job:1")
            assert await here.wait(0)
            assert not near.connected
            await proxy.listen()
            assert await there.wait(PATIENCE_SECONDS)
            assert not await other.wait(0)
        assert near.connected
        assert len(warnings.told) == 1  # not one for each try
        assert "no wake-ups between processes, loops go on at their interval" in warnings.told[0]

    async def test_a_notification_without_an_answer_is_sent_again(
        self, near: PostgresWakeups, far: PostgresWakeups, proxy: Proxy
    ) -> None:
        await crosses(near, far, "first")
        with far.listen("second") as bell:
            near.wake("second")
            await proxy.refuse()  # before or after it was carried out
            await proxy.listen()
            assert await bell.wait(PATIENCE_SECONDS)

    async def test_a_connection_that_fell_silent_is_given_up(
        self, proxy: Proxy, far: PostgresWakeups, warnings: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Half-open: nothing is refused or cut, the server's words just do not arrive."""
        async with PostgresWakeups(proxy.dsn, pause_max_seconds=0.05, probe_seconds=0.01) as probing:
            with probing.listen("anything") as bell:
                proxy.pause()  # before the first thing that it asks
                monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.05)
                async with patience():
                    await warnings.event.wait()
                monkeypatch.setattr(module, "_ANSWER_SECONDS", PATIENCE_SECONDS)
                proxy.resume()
                assert await bell.wait(PATIENCE_SECONDS)
            assert probing.reconnects >= 1
            await crosses(far, probing, "again")

    @pytest.mark.parametrize("dsn", ["postgresql://u:a-password@127.0.0.1:1/nothing", "nonsense"])
    async def test_an_address_that_leads_nowhere_is_told_at_the_start(self, dsn: str) -> None:
        with pytest.raises(StoreUnavailable, match="Cannot connect to Postgres") as caught:
            await PostgresWakeups(dsn).__aenter__()
        assert "a-password" not in str(caught.value)
        assert own_tasks() == []


class TestPoolers:
    async def test_where_nothing_arrives_it_says_what_to_do(
        self, proxy: Proxy, warnings: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_HEARING_SECONDS", 0.05)
        proxy.deaf = True
        async with PostgresWakeups(proxy.dsn), patience():
            await warnings.event.wait()
        [told] = warnings.told
        for word in ("pooler", "wakeups_database_url", "wakeups = false"):
            assert word in told

    async def test_a_session_of_the_server_is_not_suspected(self, database: str) -> None:
        assert await module.deaf(database) is False

    async def test_a_server_that_went_away_is_not_taken_for_a_pooler(self, proxy: Proxy) -> None:
        await proxy.refuse()
        assert await module.deaf(proxy.dsn) is False

    async def test_a_server_that_goes_away_while_it_is_listened_to_is_not_taken_for_one_either(
        self, proxy: Proxy
    ) -> None:
        proxy.deaf = True
        trying = asyncio.create_task(module.deaf(proxy.dsn))
        await proxy.swallowed.wait()
        await proxy.refuse()
        assert await trying is False


class TestEnds:
    async def test_an_end_sends_what_is_still_noted(self, database: str, far: PostgresWakeups) -> None:
        with far.listen("last words") as bell:
            async with PostgresWakeups(database) as short:
                short.wake("last words")
            assert await bell.wait(PATIENCE_SECONDS)
        assert not short.connected

    async def test_an_end_while_sending_waits_for_what_came_meanwhile_and_no_longer(
        self, proxy: Proxy, far: PostgresWakeups, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        leaving = PostgresWakeups(proxy.dsn, probe_seconds=3_600)
        await leaving.__aenter__()
        with far.listen("second") as bell:
            proxy.pause()
            leaving.wake("first")
            with monkeypatch.context() as patched:
                patched.setattr(module, "_CLOSE_SECONDS", None)  # it comes by itself
                end = asyncio.create_task(leaving.__aexit__())
                await asyncio.sleep(0)
            leaving.wake("second")
            proxy.resume()
            async with patience():
                await end
            assert await bell.wait(PATIENCE_SECONDS)

    async def test_an_end_does_not_wait_for_the_spacing_of_a_flood(
        self, proxy: Proxy, far: PostgresWakeups, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_SPACING_SECONDS", PATIENCE_SECONDS)
        monkeypatch.setattr(module, "_SPACING_MAX_SECONDS", PATIENCE_SECONDS)
        async with PostgresWakeups(proxy.dsn) as leaving:
            with far.listen("first") as first, far.listen("second") as second:
                proxy.pause()
                leaving.wake("first")
                await asyncio.sleep(0)
                leaving.wake("second")
                proxy.resume()
                assert await first.wait(PATIENCE_SECONDS)
                assert not await second.wait(0)
                await leaving.__aexit__()
                assert await second.wait(PATIENCE_SECONDS)

    async def test_an_end_before_a_silent_server_comes_all_the_same(
        self, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_CLOSE_SECONDS", 0.05)
        async with PostgresWakeups(proxy.dsn) as leaving:
            proxy.pause()
            leaving.wake("unheard")
        assert own_tasks() == []

    async def test_an_end_without_a_server_comes_at_once(self, proxy: Proxy, warnings: Log) -> None:
        async with PostgresWakeups(proxy.dsn, pause_max_seconds=PATIENCE_SECONDS) as leaving:
            await proxy.refuse()
            async with patience():
                await warnings.event.wait()
            leaving.wake("unheard")
        assert own_tasks() == []

    @pytest.mark.parametrize("cancels", [1, 2])
    async def test_a_cancelled_owner_leaves_no_task_and_no_connection(
        self, database: str, plain: asyncpg.Connection, cancels: int
    ) -> None:
        inside = asyncio.Event()

        async def own() -> None:
            async with PostgresWakeups(database) as owned:
                owned.wake("dispatch")
                inside.set()
                await asyncio.Event().wait()

        owner = asyncio.create_task(own())
        await inside.wait()
        tasks = own_tasks()
        assert tasks
        for _ in range(cancels):
            owner.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await owner
        async with patience():
            await asyncio.wait(tasks)
        await disconnected(plain)

    async def test_who_was_cancelled_while_connecting_leaves_no_connection(
        self, proxy: Proxy, plain: asyncpg.Connection
    ) -> None:
        proxy.pause()
        entering = asyncio.create_task(PostgresWakeups(proxy.dsn).__aenter__())
        while not proxy.connections_seen:  # noqa: ASYNC110  # the proxy counts and does not tell
            await asyncio.sleep(0)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        await disconnected(plain)
        assert own_tasks() == []

    async def test_after_the_end_the_own_bells_still_ring(self, database: str) -> None:
        async with PostgresWakeups(database) as ended:
            pass
        with ended.listen("dispatch") as bell:
            ended.wake("dispatch")
            assert await bell.wait(0)
