"""What is offered is done when it is sent as told, what is refused is not, and who looks gets nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest_asyncio

from makegood.job import Job, Verdict
from makegood.lifecycle import BaseJob, Completion, Failure
from makegood.testing.drive import token_hash
from makegood_adapters.http.v1.shared import Shared
from tests.api.scene import OWNER, PNG, POOL, Answer, Client, Scene, opened
from tests.shipped import shipped

EVERYTHING = "service:operations,credits"
Offer = dict[str, Any]


class Kept(BaseJob):
    """A person may not let it fail."""

    name, pool, price = "kept", POOL, 5


@Kept.fail.guard
def is_not_kept(job: Job, _: Failure) -> bool:
    return False


@Kept.complete.guard
def is_a_picture(job: Job, result: Completion) -> bool:
    return [each["kind"] for each in (result.output or {})["files"]] == ["png"]


@pytest_asyncio.fixture
async def offering(database: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with opened(database, tmp_path, types=[*shipped(), Kept]) as scene:
        await scene.engine.grant(OWNER, 10_000, source_ref="order-2")
        yield scene


async def pending(scene: Scene) -> Job:
    return await scene.engine.submit("upscaler", OWNER, (await scene.order())["input"])


async def queued(scene: Scene) -> Job:
    return await scene.engine.accept((await pending(scene)).id)


async def guarded(scene: Scene) -> Job:
    return await scene.engine.accept((await scene.engine.submit(Kept, OWNER, {})).id)


async def guarded_attempt(scene: Scene) -> Job:
    return await scene.drive.dispatch(await guarded(scene))


async def opened_attempt(scene: Scene) -> Job:
    return await scene.drive.dispatch(await queued(scene))


async def submitted(scene: Scene) -> Job:
    return await scene.drive.submit(await opened_attempt(scene))


async def running(scene: Scene) -> Job:
    return await scene.drive.event(await submitted(scene), "begin", Verdict.ACCEPTED)


async def asked_to_stop(scene: Scene) -> Job:
    return await scene.engine.cancel((await running(scene)).id)


async def uncertain(scene: Scene) -> Job:
    job = await submitted(scene)
    await scene.store.attempts.doubt(await scene.drive.attempt(job), "no answer")
    return job


async def named(scene: Scene) -> Job:
    """Its task is not known to be there, and a webhook that nobody has read names it."""
    job = await uncertain(scene)
    await scene.store.hints.receive(token_hash(await scene.drive.attempt(job)), "{}", "7")
    return job


async def found_late(scene: Scene) -> Job:
    job = await submitted(scene)
    attempt = await scene.drive.attempt(job)
    await scene.store.attempts.record(
        attempt.evidence(Verdict.ACCEPTED, "late webhook", task_id=f"task {job.id}")
    )
    return job


async def completed(scene: Scene) -> Job:
    return await scene.complete(await queued(scene), PNG, "png")


STATES: Mapping[str, Callable[[Scene], Awaitable[Job]]] = {
    made.__name__: made
    for made in (
        pending,
        queued,
        guarded,
        guarded_attempt,
        opened_attempt,
        submitted,
        asked_to_stop,
        uncertain,
        named,
        found_late,
        completed,
    )
}
NO, NOBODY = "No task of it is open at the provider.", "It needs nobody."
OVER = "The job is over."
NAMED = "A webhook names task 7 for attempt 1: the provider is being asked, and its answer decides."
HELD = "'fail' in state 'queued' is held back by is_not_kept."
#: Why each act is refused: to ask, to cancel, to end as failed and as complete, to settle the attempt.
REFUSED: Mapping[str, list[str | None]] = {
    "pending": [NO, None, None, "Not while it is pending."],
    "queued": [NO, None, None, "Not while it is queued."],
    "guarded": [NO, None, HELD, "Not while it is queued."],
    "guarded_attempt": [NO, None, HELD.replace("queued", "starting"), None, NOBODY],
    "opened_attempt": [NO, None, None, None, NOBODY],
    "submitted": [None, None, None, None, NOBODY],
    "asked_to_stop": [None, None, None, None, NOBODY],
    "uncertain": [None, None, None, None, None],
    "named": [None, None, None, None, NAMED],
    "found_late": [None, None, None, None, None],
    "completed": [NO, OVER, OVER, OVER, NOBODY],
}


async def dossier(client: Client, job: Job) -> dict[str, Any]:
    return dict((await client.get(f"/operations/jobs/{job.id}")).body)


def offers_of(told: dict[str, Any]) -> list[Offer]:
    return [*told["acts"], *(act for attempt in told["attempts"] for act in attempt["acts"])]


async def accept(scene: Scene, client: Client, offer: Offer) -> Answer:
    """Do what is offered, by what the offer says alone."""
    given: dict[str, Any] = {"by": "Grace", "reason": "asked by phone", "amount": 7, "source_ref": "gift"}
    given["files"] = [await scene.blobs.put(PNG, "result.png")]
    kinds = {"text": str, "number": int, "list": list}
    values = {field["name"]: given[field["name"]] for field in offer["fields"]}
    assert all(type(values[field["name"]]) is kinds[field["type"]] for field in offer["fields"])
    assert offer["fields"][-1] == {"name": "by", "label": "Your name", "type": "text"}
    return await client.post(offer["path"], json={**offer["body"], **values})


async def test_what_is_offered_to_do_to_a_job_is_done_and_what_is_refused_is_not(offering: Scene) -> None:
    client = offering.client.as_("service:operations")
    for state, whys in REFUSED.items():
        job = await STATES[state](offering)
        before = await dossier(client, job)
        assert [offer["refused"] for offer in offers_of(before)] == whys, state
        for offer in offers_of(before):
            if offer["refused"]:
                reply = await accept(offering, client, offer)
                assert reply.status in (400, 409), (state, offer, reply.body)
                after = await dossier(client, job)
                for name in ("version", "cancel_requested_at", "money", "acts"):
                    assert after[name] == before[name], state
        for place in (place for place, why in enumerate(whys) if why is None):
            if (await offering.engine.get(job.id)).version != before["version"]:
                job = await STATES[state](offering)
            offer = offers_of(await dossier(client, job))[place]
            reply = await accept(offering, client, offer)
            assert reply.status == 200, (state, offer, reply.body)
            for leave in (BaseJob.cancel, BaseJob.fail):
                if (await offering.engine.get(job.id)).finished_at is None:
                    await offering.engine.administer(job.id, leave, actor="Olga", reason="for the next one")


async def test_offers_are_called_what_they_do_and_say_what_cannot_be_undone(offering: Scene) -> None:
    client = offering.client.as_("service:operations")
    job = await uncertain(offering)
    at, short = f"/operations/jobs/{job.id}", f"{str(job.id)[:8]}…{str(job.id)[-4:]}"
    told = offers_of(await dossier(client, job))
    assert [(each["label"], each["title"], each["path"], each["body"], each["danger"]) for each in told] == [
        ("Ask the provider now", f"Ask the provider now: job {short}", f"{at}/ask", {}, False),
        ("Cancel", f"Cancel: job {short}", f"{at}/cancel", {}, True),
        ("End as failed", f"End as failed: job {short}", f"{at}/end", {"event": "fail"}, True),
        ("End as complete", f"End as complete: job {short}", f"{at}/end", {"event": "complete"}, True),
        ("Settle: there is no task", "Settle attempt 1", f"{at}/attempts/1/resolve", {}, False),
    ]
    fields = [[field["name"] for field in each["fields"]] for each in told]
    signed = ["reason", "by"]
    assert fields == [["by"], signed, signed, ["files", *signed], signed]


async def test_who_asks_a_second_time_that_a_job_stops_is_offered_to_and_is_heard(offering: Scene) -> None:
    client = offering.client.as_("service:operations")
    job = await running(offering)
    [_, first, *_] = offers_of(await dossier(client, job))
    assert (first["label"], first["refused"]) == ("Cancel", None)
    for reason, offer in (("too slow", first), ("still too slow", {**first, "label": "Cancel again"})):
        told = await dossier(client, job)
        [_, offered, *_] = offers_of(told)
        assert offered == {**offer, "title": first["title"].replace("Cancel", offer["label"])}
        values = {"by": "Grace", "reason": reason}
        assert (await client.post(offered["path"], json=values)).status == 200
        kept = [message["body"] for message in (await dossier(client, job))["messages"]]
        assert kept[-1].endswith(f"asks to cancel it: {reason}")
        assert len(kept) == len(told["messages"]) + 1


async def test_guards_that_see_the_files_are_named_before_they_hold_a_job_back(offering: Scene) -> None:
    client = offering.client.as_("service:operations")
    job = await guarded_attempt(offering)
    offer = offers_of(await dossier(client, job))[3]
    assert offer["title"].endswith(" (may be held back by is_a_picture)")
    words = {"by": "Grace", "reason": "asked by phone"}
    for name, status in (("result.txt", 409), ("result.png", 200)):
        files = [await offering.blobs.put(PNG, name)]
        reply = await client.post(offer["path"], json={**offer["body"], **words, "files": files})
        assert (reply.status, reply.body.get("unmet")) == (
            status,
            ["is_a_picture"] if status == 409 else None,
        )


async def test_who_pauses_sees_it_paused_at_once_though_readings_are_shared(offering: Scene) -> None:
    client = offering.client.as_("service:operations")

    async def shown() -> list[dict[str, Any]]:
        found = (await client.get("/operations/overview")).body
        [kept] = [each for each in found["types"] if each["name"] == "kept"]
        return [kept, found["accounts"][0]]

    names = [f"type {Kept.name}", f"pool {POOL}"]
    before = await shown()
    assert [each["told"] for each in before] == [[], [{"level": "plain", "text": "0 of 50 slots taken"}]]
    for place, name in enumerate(names):
        [pause] = before[place]["acts"]
        assert (pause["label"], pause["title"]) == ("Pause", f"Start no more jobs of {name}")
        assert pause["refused"] is None
        assert (await accept(offering, client, pause)).status == 200
        paused = (await shown())[place]
        told = {"level": "warn", "text": "Paused by Grace via key:test: asked by phone"}
        assert paused["told"][-1] == told
        [resume] = paused["acts"]
        assert (resume["label"], resume["title"]) == ("Resume", f"Resume {name}")
        assert (await accept(offering, client, resume)).body == {"resumed": True}
        assert (await shown())[place] == before[place]
    assert [rule.paused_at for rule in await offering.engine.rules()] == []


async def test_credits_are_offered_to_who_may_grant_them(offering: Scene) -> None:
    owner, path = "a/b ü", "/operations/owners/a%2Fb%20%C3%BC/wallet"
    client = offering.client.as_(EVERYTHING)
    before = (await client.get(path)).body
    assert before["told"] == {"level": "plain", "text": "0 to spend, 0 held for jobs"}
    [grant] = before["acts"]
    assert (grant["label"], grant["title"]) == ("Grant credits", f"Grant credits to {owner}")
    for done in (True, False):  # the same source adds its credits once
        assert (await accept(offering, client, grant)).body["done"] is done
    assert (await client.get(path)).body["told"]["text"] == "7 to spend, 0 held for jobs"
    assert (await offering.client.as_("service:operations").get(path)).body["acts"] == []


async def test_who_only_looks_is_offered_nothing(offering: Scene) -> None:
    job = await uncertain(offering)
    paths = ("overview", f"jobs/{job.id}", f"owners/{OWNER}/wallet")

    async def offered(who: str) -> list[Any]:
        return [
            act
            for path in paths
            for act in acts_in((await offering.client.as_(who).get(f"/operations/{path}")).body)
        ]

    assert len(await offered(EVERYTHING)) > len(shipped())
    assert await offered("service:observe,owners,webhooks,metrics,keys") == []
    assert [act["label"] for act in await offered("service:observe,credits")] == ["Grant credits"]


def acts_in(value: Any) -> list[Any]:
    """Return all acts that an answer offers, wherever they are in it."""
    if isinstance(value, list):
        return [act for each in value for act in acts_in(each)]
    if isinstance(value, dict):
        own = value.get("acts") or []
        return [*own, *(act for name, each in value.items() if name != "acts" for act in acts_in(each))]
    return []


async def test_a_reading_that_had_begun_before_a_change_is_not_shown_after_it() -> None:
    begun, go = asyncio.Queue[int](), asyncio.Event()
    numbers = iter(range(9))

    async def read() -> int:
        number = next(numbers)
        begun.put_nowait(number)
        await go.wait()
        return number

    shared = Shared(read, seconds=60, times=10)
    early = asyncio.create_task(shared.get())
    await begun.get()
    shared.outdate()
    late = [asyncio.create_task(shared.get()) for _ in range(3)]
    go.set()
    assert await early == 0
    assert await asyncio.gather(*late) == [1, 1, 1]
    assert await shared.get() == 1
    shared.outdate()
    assert [await shared.get(), await shared.get()] == [2, 2]
