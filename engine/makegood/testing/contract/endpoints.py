"""Webhooks out: each wanted transition becomes one message, which is tried until it is there or given up."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from makegood.ports import (
    ENDPOINTS_OF_OWNER_MAX,
    TRIES_KEPT,
    DeliveryState,
    Endpoint,
    Parcel,
    Posted,
    Store,
)
from makegood.testing.contract.stream import all_placed, life
from makegood.testing.drive import PLAIN, Drive

LEASE = 60.0
OK, BAD = Posted(status=204, seconds=0.5), Posted(status=500, body="<html>oh", seconds=0.25)


async def listening(store: Store, **given: Any) -> Endpoint:
    """Add an endpoint that hears everything; *given* replaces fields."""
    usual = Endpoint(id=uuid4(), url="https://example.org/hook", created_at=datetime(2000, 1, 1, tzinfo=UTC))
    made = await store.endpoints.add(replace(usual, **given), "whsec_first")
    assert made is not None
    return made


async def told(store: Store) -> None:
    """Give places and make the deliveries of all of them."""
    await all_placed(store)
    while (await store.deliveries.fan_out(100)).places:
        pass


async def taken(store: Store, limit: int = 100, of_endpoint_max: int = 100) -> list[Parcel]:
    """Take what is due."""
    return await store.deliveries.take(limit, of_endpoint_max, LEASE)


async def seqs(store: Store, endpoint_id: UUID, **given: Any) -> list[int]:
    """Return the places of which there are deliveries, the last one first."""
    page = await store.deliveries.page(endpoint_id, None, 100, **given)
    return [delivery.transition.seq or 0 for delivery in page]


class EndpointsContract:
    """What `Store.endpoints` promises."""

    async def test_an_endpoint_is_kept_as_it_was_given_with_the_time(self, drive: Drive) -> None:
        made = await listening(drive.store, owner="ada", states=("failed",), description="mine")
        assert (made.owner, made.states, made.types, made.description) == ("ada", ("failed",), (), "mine")
        assert abs(made.created_at - await drive.now()) < timedelta(minutes=1)
        assert await drive.store.endpoints.get(made.id) == made
        assert await drive.store.endpoints.add(replace(made, url="https://other.org"), "whsec_x") == made
        assert await drive.store.endpoints.secrets(made.id) == ("whsec_first",)

    async def test_endpoints_are_paged_and_those_of_an_owner_are_apart(self, drive: Drive) -> None:
        endpoints = drive.store.endpoints
        made = [await listening(drive.store, owner=owner) for owner in ("ada", None, "bob", "ada")]
        made.sort(key=lambda endpoint: endpoint.id)
        assert await endpoints.page(None, 3) == made[:3]
        assert await endpoints.page(made[2].id, 3) == made[3:]
        assert await endpoints.page(None, 9, "ada") == [e for e in made if e.owner == "ada"]

    async def test_an_owner_has_no_more_than_the_bound(self, drive: Drive) -> None:
        for _ in range(ENDPOINTS_OF_OWNER_MAX):
            await listening(drive.store, owner="ada")
        one_more = Endpoint(id=uuid4(), url="https://x.org", owner="ada", created_at=await drive.now())
        assert await drive.store.endpoints.add(one_more, "whsec_y") is None
        assert await drive.store.endpoints.add(replace(one_more, owner="bob"), "whsec_y") is not None

    async def test_a_change_is_of_address_and_wishes_alone(self, drive: Drive) -> None:
        made = await listening(drive.store, owner="ada")
        wanted = replace(made, url="https://new.org/x", states=("failed",), types=(PLAIN.name,))
        assert await drive.store.endpoints.change(replace(wanted, owner="bob")) == wanted
        assert await drive.store.endpoints.change(replace(wanted, id=uuid4())) is None

    async def test_after_a_rotation_both_secrets_sign_for_a_while(self, drive: Drive) -> None:
        endpoints = drive.store.endpoints
        made = await listening(drive.store)
        for _ in range(2):
            assert await endpoints.rotate(made.id, "whsec_second", 3_600)
        assert await endpoints.secrets(made.id) == ("whsec_second", "whsec_first")
        await life(drive.store, "ada")
        await told(drive.store)
        assert {p.secrets for p in await taken(drive.store)} == {("whsec_second", "whsec_first")}
        await drive.advance(3_700)
        assert await endpoints.secrets(made.id) == ("whsec_second",)
        assert {p.secrets for p in await taken(drive.store)} == {("whsec_second",)}
        await endpoints.rotate(made.id, "whsec_third", 3_600)
        await endpoints.rotate(made.id, "whsec_fourth", 3_600)
        assert await endpoints.secrets(made.id) == ("whsec_fourth", "whsec_third")
        assert not await endpoints.rotate(uuid4(), "whsec_z", 1)
        assert await endpoints.secrets(uuid4()) == ()

    async def test_a_disabled_endpoint_hears_nothing_and_what_was_on_its_way_has_failed(
        self, drive: Drive
    ) -> None:
        store = drive.store
        made, other = await listening(store), await listening(store)
        await life(store, "ada")
        await told(store)
        [parcel] = [p for p in await taken(store, of_endpoint_max=1) if p.endpoint_id == made.id]
        assert (disabled := await store.endpoints.disable(made.id, "HTTP 410")) is not None
        assert disabled.disabled_why == "HTTP 410"
        assert disabled.disabled_at is not None
        assert await store.endpoints.disable(made.id, "again") is None
        assert await store.deliveries.ended(parcel, OK, None) is None
        page = await store.deliveries.page(made.id, None, 9)
        assert {delivery.state for delivery in page} == {DeliveryState.FAILED}
        await life(store, "ada")
        await told(store)
        assert len(await seqs(store, made.id)) == 2
        assert len(await seqs(store, other.id)) == 4
        enabled = await store.endpoints.enable(made.id)
        assert enabled == replace(made, disabled_at=None)
        await life(store, "ada")
        await told(store)
        assert await seqs(store, made.id) == [6, 5, 2, 1]

    async def test_it_is_disabled_for_failing_only_if_it_still_fails_since_then(self, drive: Drive) -> None:
        store = drive.store
        made = await listening(store)
        await life(store, "ada")
        await told(store)
        first, second = await taken(store)
        failing = await store.deliveries.ended(first, BAD, 5.0)
        assert failing is not None
        since = failing.failing_since
        assert since is not None
        assert await store.endpoints.disable(made.id, "fails", failing_since=since - LONG) is None
        well = await store.deliveries.ended(second, OK, None)
        assert well is not None
        assert well.failing_since is None
        assert await store.endpoints.disable(made.id, "fails", failing_since=since) is None

    async def test_at_another_address_it_has_not_failed_yet(self, drive: Drive) -> None:
        store = drive.store
        made = await listening(store, states=("failed",))
        await life(store, "ada")
        await told(store)
        [parcel] = await taken(store)
        failing = await store.deliveries.ended(parcel, BAD, 5.0)
        assert failing is not None
        same = await store.endpoints.change(replace(made, description="the shop's"))
        assert same is not None
        assert same.failing_since == failing.failing_since is not None
        moved = await store.endpoints.change(replace(made, url="https://example.net/hooks"))
        assert moved is not None
        assert moved.failing_since is None
        assert await store.endpoints.disable(made.id, "fails", failing_since=failing.failing_since) is None

    async def test_a_removed_endpoint_is_forgotten_with_its_log(self, drive: Drive) -> None:
        store = drive.store
        made = await listening(store)
        await life(store, "ada")
        await told(store)
        parcel, _ = await taken(store)
        assert await store.endpoints.remove(made.id)
        assert not await store.endpoints.remove(made.id)
        assert await store.deliveries.ended(parcel, OK, None) is None
        await store.deliveries.give_back(parcel)
        assert (await seqs(store, made.id), await store.endpoints.get(made.id)) == ([], None)


LONG = timedelta(days=1)


class DeliveriesContract:
    """What `Store.deliveries` promises."""

    async def test_an_endpoint_hears_what_it_wants_of_what_comes_after_it(self, drive: Drive) -> None:
        store = drive.store
        first = await listening(store)
        await life(store, "ada")
        await all_placed(store)  # it is in the stream, and not yet a message to anybody
        everything = await listening(store)
        failures = await listening(store, states=("failed",), owner="ada")
        others = await listening(store, types=("something_else",))
        bobs = await listening(store, owner="bob")
        await life(store, "ada")
        await life(store, "bob")
        await told(store)
        heard = [await seqs(store, e.id) for e in (first, everything, failures, others, bobs)]
        assert heard == [[6, 5, 4, 3, 2, 1], [6, 5, 4, 3], [4], [], [6, 5]]

    async def test_each_place_is_made_a_delivery_once_whoever_fans_out(self, drive: Drive) -> None:
        store = drive.store
        ends = [await listening(store) for _ in range(3)]
        for _ in range(10):
            await life(store, "ada")
        await all_placed(store)

        async def fans() -> int:
            made = 0
            for _ in range(12):
                made += (await store.deliveries.fan_out(3)).deliveries
                await asyncio.sleep(0)
            return made

        # Whoever finds the others at work leaves the rest to them, so that a last turn may be needed.
        assert sum(await asyncio.gather(*(fans() for _ in range(4)))) + await fans() == 20 * 3
        for endpoint in ends:
            assert await seqs(store, endpoint.id) == list(range(20, 0, -1))

    async def test_where_nobody_listens_all_is_passed_over(self, drive: Drive) -> None:
        store = drive.store
        await life(store, "ada")
        await all_placed(store)
        step = await store.deliveries.fan_out(1)
        assert (step.places, step.deliveries, step.listeners) == (0, 0, False)
        await listening(store)
        await life(store, "ada")
        await all_placed(store)
        assert (await store.deliveries.fan_out(100)).places == 2

    async def test_what_is_taken_is_leased_and_due_again_when_the_lease_is_over(self, drive: Drive) -> None:
        store = drive.store
        made = await listening(store)
        await life(store, "ada")
        await told(store)
        first = await taken(store)
        assert [(p.endpoint_id, p.seq, p.tries, p.url) for p in first] == [
            (made.id, 1, 1, made.url),
            (made.id, 2, 1, made.url),
        ]
        assert [p.transition for p in first] == await store.stream.read(0, 9)
        assert await taken(store) == []
        await drive.advance(LEASE + 30)
        again = await taken(store)
        assert [(p.seq, p.tries) for p in again] == [(1, 2), (2, 2)]
        # who lost its lease writes nothing
        assert await store.deliveries.ended(first[0], OK, None) is None
        assert await store.deliveries.ended(again[0], OK, None) is not None
        assert await store.deliveries.ended(again[0], BAD, None) is None

    async def test_what_is_given_back_is_due_at_once_and_the_try_does_not_count(self, drive: Drive) -> None:
        store = drive.store
        await listening(store, states=("failed",))
        await life(store, "ada")
        await told(store)
        [parcel] = await taken(store)
        await store.deliveries.give_back(parcel)
        await store.deliveries.give_back(parcel)
        [again] = await taken(store)
        assert (again.tries, again.epoch) == (1, parcel.epoch + 1)

    async def test_a_slow_endpoint_leaves_room_for_others(self, drive: Drive) -> None:
        store = drive.store
        slow = await listening(store, owner="ada")
        for _ in range(5):
            await life(store, "ada")
        await told(store)
        assert len(await taken(store, of_endpoint_max=3)) == 3
        assert await taken(store, of_endpoint_max=3) == []
        quick = await listening(store, owner="bob")
        await life(store, "bob")
        await told(store)
        # to whom the fewest are under way comes first, whoever waits longer
        [parcel] = await taken(store, limit=1, of_endpoint_max=9)
        assert parcel.endpoint_id == quick.id
        rest = await taken(store, of_endpoint_max=9)
        assert [p.endpoint_id == slow.id for p in rest].count(True) == 6

    async def test_to_one_that_fails_one_try_is_under_way(self, drive: Drive) -> None:
        store = drive.store
        await listening(store)
        for _ in range(3):
            await life(store, "ada")
        await told(store)
        for parcel in await taken(store, limit=2):
            await store.deliveries.ended(parcel, BAD, None)
        assert len(await taken(store)) == 1
        assert await taken(store) == []

    async def test_a_failed_try_is_made_again_later_and_all_are_in_the_log(self, drive: Drive) -> None:
        store = drive.store
        made = await listening(store, states=("failed",))
        await life(store, "ada")
        await told(store)
        for number, (posted, again) in enumerate(((BAD, 300.0), (Posted(problem="no answer"), 300.0)), 1):
            [parcel] = await taken(store)
            assert parcel.tries == number
            endpoint = await store.deliveries.ended(parcel, posted, again)
            assert endpoint is not None
            assert endpoint.failing_since is not None
            [delivery] = await store.deliveries.page(made.id, None, 9)
            assert delivery.state is DeliveryState.WAITING
            assert await taken(store) == []
            await drive.advance(330)
        [parcel] = await taken(store)
        await store.deliveries.ended(parcel, OK, None)
        [delivery] = await store.deliveries.page(made.id, None, 9)
        assert (delivery.state, delivery.tries) == (DeliveryState.DELIVERED, 3)
        log = await store.deliveries.tries(made.id, parcel.seq)
        assert [(t.status, t.problem, t.body, t.seconds) for t in log] == [
            (500, None, "<html>oh", 0.25),
            (None, "no answer", "", 0.0),
            (204, None, "", 0.5),
        ]

    async def test_a_log_has_an_end(self, drive: Drive) -> None:
        store = drive.store
        made = await listening(store, states=("failed",))
        await life(store, "ada")
        await told(store)
        for number in range(TRIES_KEPT + 2):
            [parcel] = await taken(store)
            await store.deliveries.ended(parcel, Posted(problem=f"{number}\x00"), 0.0)
        log = await store.deliveries.tries(made.id, 2)
        assert len(log) == TRIES_KEPT
        assert [str(t.problem)[:-1] for t in log] == [str(n) for n in range(2, TRIES_KEPT + 2)]

    async def test_failures_are_listed_and_sent_again(self, drive: Drive) -> None:
        store = drive.store
        made = await listening(store)
        for _ in range(2):
            await life(store, "ada")
        await told(store)
        parcels = await taken(store)
        for parcel, posted in zip(parcels, (BAD, OK, BAD, BAD), strict=True):
            await store.deliveries.ended(parcel, posted, None)
        assert await seqs(store, made.id, failed=True) == [4, 3, 1]
        assert [d.transition.seq for d in await store.deliveries.page(made.id, 4, 1)] == [3]
        now = await drive.now()
        assert await store.deliveries.resend_failed(made.id, now + LONG, 9) == 0
        assert await store.deliveries.resend_failed(made.id, now - LONG, 2) == 2
        assert await seqs(store, made.id, failed=True) == [4]
        # also what was delivered; its tries begin anew
        assert await store.deliveries.resend(made.id, [2, 2, 77]) == 1
        assert await store.deliveries.resend(uuid4(), [2]) == 0
        first = await taken(store)
        await store.deliveries.ended(first[0], OK, None)
        assert [(p.seq, p.tries) for p in [*first, *await taken(store)]] == [(1, 1), (2, 1), (3, 1)]

    async def test_what_is_sent_again_while_it_is_under_way_is_sent_once_more(self, drive: Drive) -> None:
        store = drive.store
        made = await listening(store, states=("failed",))
        await life(store, "ada")
        await told(store)
        [parcel] = await taken(store)
        await store.deliveries.resend(made.id, [parcel.seq])
        assert await store.deliveries.ended(parcel, OK, None) is None
        [again] = await taken(store)
        assert await store.deliveries.ended(again, OK, None) is not None

    async def test_the_old_is_forgotten_some_at_a_time_and_what_is_under_way_never(
        self, drive: Drive
    ) -> None:
        store = drive.store
        made = await listening(store)
        for _ in range(2):
            await life(store, "ada")
        await told(store)
        for parcel in (await taken(store))[:3]:
            await store.deliveries.ended(parcel, OK, None)
        assert await store.deliveries.forget(3_600, 9) == 0
        await drive.advance(4_000)
        assert [await store.deliveries.forget(3_600, 2) for _ in range(3)] == [2, 1, 0]
        assert await seqs(store, made.id) == [4]
        assert await store.deliveries.tries(made.id, 1) == []
