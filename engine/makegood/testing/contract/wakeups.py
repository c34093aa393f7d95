"""The contract of `makegood.ports.Wakeups`: who listens hears, here and in another process."""

# ruff: noqa: D102 - the name of a test is its sentence

import pytest

from makegood.ports import Wakeups

#: A ring comes at once; only one that never comes takes as long as this.
PATIENCE_SECONDS = 60.0
#: Nothing that anybody may call a topic is an error.
STRANGE = ("", "two\nlines", "größer", "\0", "\ud800", "x" * 10_000, "'; drop")


class WakeupsContract:
    """Subclass it as `Test…` and give it two fixtures.

    `wakeups` yields a Wakeups that works; `elsewhere` one of the same kind as another process has it, which
    may be the same where there is only one. Needs pytest-asyncio.
    """

    async def test_who_listens_hears(self, wakeups: Wakeups) -> None:
        with wakeups.listen("dispatch") as bell:
            wakeups.wake("dispatch")
            assert await bell.wait(PATIENCE_SECONDS)

    async def test_who_listens_elsewhere_hears(self, wakeups: Wakeups, elsewhere: Wakeups) -> None:
        with elsewhere.listen("dispatch") as bell:
            wakeups.wake("dispatch")
            assert await bell.wait(PATIENCE_SECONDS)

    async def test_both_ways(self, wakeups: Wakeups, elsewhere: Wakeups) -> None:
        with wakeups.listen("there") as there, elsewhere.listen("here") as here:
            for _ in range(3):
                wakeups.wake("here")
                assert await here.wait(PATIENCE_SECONDS)
                elsewhere.wake("there")
                assert await there.wait(PATIENCE_SECONDS)

    async def test_a_ring_is_remembered_until_the_next_wait_and_no_longer(self, wakeups: Wakeups) -> None:
        with wakeups.listen("dispatch") as bell:
            wakeups.wake("dispatch")
            assert await bell.wait(0)
            assert not await bell.wait(0)

    async def test_many_rings_before_a_wait_are_one(self, wakeups: Wakeups) -> None:
        with wakeups.listen("dispatch") as bell:
            for _ in range(100):
                wakeups.wake("dispatch")
            assert await bell.wait(0)
            assert not await bell.wait(0)

    async def test_all_who_listen_hear(self, wakeups: Wakeups, elsewhere: Wakeups) -> None:
        with (
            wakeups.listen("job:1") as one,
            wakeups.listen("job:1") as two,
            elsewhere.listen("job:1") as three,
            elsewhere.listen("job:1") as four,
        ):
            wakeups.wake("job:1")
            for bell in (one, two, three, four):
                assert await bell.wait(PATIENCE_SECONDS)

    async def test_a_topic_rings_its_own_bells_alone(self, wakeups: Wakeups, elsewhere: Wakeups) -> None:
        with (
            wakeups.listen("job:1") as near,
            elsewhere.listen("job:1") as far,
            elsewhere.listen("job:12") as woken,
        ):
            wakeups.wake("job:12")
            assert await woken.wait(PATIENCE_SECONDS)
            assert not await near.wait(0)
            assert not await far.wait(0)

    async def test_many_topics_at_once_ring_their_own_bells_alone(
        self, wakeups: Wakeups, elsewhere: Wakeups
    ) -> None:
        names = [f"job:{number:036}" for number in range(1_000)]
        with (
            elsewhere.listen(names[0]) as first,
            elsewhere.listen(names[-1]) as last,
            elsewhere.listen("job:other") as other,
        ):
            for name in names:
                wakeups.wake(name)
            assert await first.wait(PATIENCE_SECONDS)
            assert await last.wait(PATIENCE_SECONDS)
            assert not await other.wait(0)

    async def test_who_went_away_does_not_keep_others_from_hearing(
        self, wakeups: Wakeups, elsewhere: Wakeups
    ) -> None:
        with elsewhere.listen("relay") as stays:
            with elsewhere.listen("relay") as gone:
                pass
            wakeups.wake("relay")
            assert await stays.wait(PATIENCE_SECONDS)
            assert not await gone.wait(0)

    async def test_a_ring_that_nobody_waits_for_is_lost(self, wakeups: Wakeups, elsewhere: Wakeups) -> None:
        wakeups.wake("early")
        with elsewhere.listen("marker") as marker:
            wakeups.wake("marker")
            assert await marker.wait(PATIENCE_SECONDS)
        with elsewhere.listen("early") as late:
            assert not await late.wait(0)

    @pytest.mark.parametrize("topic", STRANGE, ids=repr)
    async def test_whatever_a_topic_is_called_it_is_heard(
        self, wakeups: Wakeups, elsewhere: Wakeups, topic: str
    ) -> None:
        with wakeups.listen(topic) as near, elsewhere.listen(topic) as far, elsewhere.listen("x") as after:
            wakeups.wake(topic)
            assert await near.wait(0)
            assert await far.wait(PATIENCE_SECONDS)
            wakeups.wake("x")
            assert await after.wait(PATIENCE_SECONDS)
