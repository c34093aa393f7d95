"""The ledger of all owners as operators see it: the line that adds up, what was written last, jobs found."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from makegood.audit import INVARIANTS, Audit, Totals, Violation
from makegood.errors import StoreUnavailable
from makegood_adapters.http.problems import problem_of
from makegood_adapters.http.v1.books import BooksView
from makegood_adapters.http.v1.shared import Reading, Shared
from makegood_adapters.redaction import Redaction
from tests.api.scene import CREDITS, Client, Scene
from tests.loop_time import time_by_hand, turns


def operator(scene: Scene) -> Client:
    return scene.client.as_("service:operations")


async def test_the_books_are_those_of_the_audit_and_made_once_for_many(scene: Scene) -> None:
    made = (await scene.client.post("/jobs", json=await scene.order())).body
    job = await scene.engine.get(UUID(made["id"]))
    await scene.complete(job, b"x", "png")
    replies = await asyncio.gather(*(operator(scene).get("/operations/books") for _ in range(8)))
    books = replies[0].body
    assert {reply.body["at"] for reply in replies} == {books["at"]}
    audit = (await operator(scene).get("/operations/audit")).body
    shown = {name: books[name] for name in audit["total"] if name != "owner"}
    assert shown == {name: value for name, value in audit["total"].items() if name != "owner"}
    assert (shown["issued"], shown["captured"], shown["difference"]) == (CREDITS, job.price, 0)
    assert (books["broken"], books["violations"]) == (0, [])
    left = CREDITS - job.price
    line = f"issued {CREDITS:,} = remaining {left:,} + held 0 + captured {job.price} + expired 0"
    assert books["told"] == {"level": "good", "text": line}
    assert 0 < books["took_seconds"] < 60
    assert books["age_seconds"] < 60


async def test_books_that_are_wrong_say_how_much_and_list_the_first_of_what_is_broken() -> None:
    found = [Violation(code=next(iter(INVARIANTS)), subject=f"wallet {n}", owner="ada") for n in range(25)]
    total = Totals(owner=None, issued=1_000, remaining=500, held=60, captured=300, expired=133)
    audit = Audit(
        at=datetime(2026, 11, 26, tzinfo=UTC),
        counts={found[0].code: 31},
        violations=tuple(found),
        total=total,
        owners=1,
        totals=(total,),
    )
    told = BooksView.of(Reading(audit, ended_at=0.0, took=0.5), Redaction(()))
    assert (told.broken, told.difference) == (31, 7)
    assert [each.subject for each in told.violations] == [f"wallet {n}" for n in range(20)]
    figures = {name: getattr(told, name) for name in ("issued", "remaining", "held", "captured", "expired")}
    assert figures == {"issued": 1_000, "remaining": 500, "held": 60, "captured": 300, "expired": 133}
    assert told.told.text.startswith("The books are wrong: 7 credits off, 31 violations. issued 1,000 = ")
    assert (told.told.level, told.took_seconds) == ("bad", 0.5)


async def test_an_audit_is_made_one_at_a_time_and_who_asks_meanwhile_gets_the_last() -> None:
    begun, go = asyncio.Queue[None](), asyncio.Event()

    async def gated() -> int:
        begun.put_nowait(None)
        await go.wait()
        return 1

    books = Shared(gated, seconds=5, times=20)
    with time_by_hand() as pass_:
        callers = [asyncio.create_task(books.latest()) for _ in range(5)]
        await begun.get()
        callers[0].cancel()  # one who leaves ends it for nobody
        go.set()
        first, *others = await asyncio.gather(*callers[1:])
        assert all(other is first for other in others)
        pass_(4)
        assert await books.latest() is first
        assert begun.empty()
        go.clear()
        pass_(2)
        callers = [asyncio.create_task(books.latest()) for _ in range(3)]
        await begun.get()
        await turns()
        pass_(1)  # longer than anybody waits for the new one
        assert await asyncio.gather(*callers) == [first] * 3
        assert begun.empty()
        assert first.age == 7
        go.set()
        await turns()
        pass_(300)
        assert (await books.latest()).age == 0, "after a quiet time nobody is shown the past"
        await begun.get()
        books.last = old = replace(first, ended_at=asyncio.get_running_loop().time() - 30, took=2)
        assert await books.latest() is old  # 20 times what it took have not passed
        assert begun.empty()


async def test_without_a_store_there_are_no_books_and_the_next_call_tries_again(scene: Scene) -> None:
    tries = iter([StoreUnavailable("gone")])

    async def audit() -> Audit:
        for error in tries:
            raise error
        return await scene.engine.audit(owners_max=0)

    books = Shared(audit, seconds=5, times=20)
    with pytest.raises(StoreUnavailable):
        await books.latest()
    assert (await books.latest()).result.broken == 0
    told = problem_of(StoreUnavailable("gone"))
    assert (told.code, told.headers) == ("unavailable", {"Retry-After": "5"})
    assert told.detail == "The service answers, but cannot reach its data. Nothing is lost: please try again."


async def test_the_ledger_tells_of_all_owners_page_by_page(scene: Scene) -> None:
    await scene.engine.grant("bob", 70, source_ref="order-2")
    made = (await scene.client.post("/jobs", json=await scene.order())).body
    await scene.client.post(f"/jobs/{made['id']}/cancel", json={})
    seen, path = [], "/operations/ledger?limit=2"
    while path:
        page = (await operator(scene).get(path)).body
        seen += page["entries"]
        path = page["next"] and f"/operations/ledger?limit=2&after={page['next']}"
    price = made["price"]
    assert [(each["owner"], each["kind"], each["change"], each["text"]) for each in seen] == [
        ("ada", "returned", price, f"{price} returned: cancelled by the owner"),
        ("ada", "held", -price, f"{price} held for Image upscaler"),
        ("bob", "added", 70, "70 credits added: purchased"),
        ("ada", "added", CREDITS, f"{CREDITS:,} credits added: purchased"),
    ]
    assert (seen[0]["job_id"], seen[0]["job_type"], seen[0]["balance"]) == (made["id"], "upscaler", CREDITS)
    own = (await operator(scene).get("/operations/ledger?owner=ada&limit=2")).body
    assert [each["text"] for each in own["entries"]] == [each["text"] for each in seen[:2]]
    rest = (await operator(scene).get(f"/operations/ledger?owner=ada&after={own['next']}")).body
    assert [each["text"] for each in rest["entries"]] == [seen[3]["text"]]
    assert (await operator(scene).get("/operations/ledger?owner=nobody")).body == {
        "entries": [],
        "next": None,
    }
    for wrong in ("after=0", "limit=0", "limit=201", "after=x", "since=2026"):
        assert (await operator(scene).get(f"/operations/ledger?{wrong}")).status == 422, wrong


async def test_operators_search_jobs(scene: Scene) -> None:
    order = await scene.order()
    found = await scene.client.post("/jobs", json=order, headers={"Idempotency-Key": "order 7/%"})
    get = operator(scene).get
    for text in (found.body["id"], found.body["id"][:13], "order 7/%", "ada"):
        [job] = (await get("/operations/jobs", params={"search": text})).body["jobs"]
        assert job["id"] == found.body["id"]
    for nothing in (
        {"search": "ada", "state": "failed"},
        {"search": "ad"},
        {"search": "ada", "owner": "bob"},
    ):
        assert (await get("/operations/jobs", params=nothing)).body["jobs"] == []
    assert (await get("/operations/jobs", params={"search": ""})).status == 422
    for since, jobs in (("24h", 1), ("9999h", 1), ("0h", 0), (found.body["created_at"], 1)):
        assert len((await get("/operations/jobs", params={"since": since})).body["jobs"]) == jobs, since
    for since in ("10000h", "24", "24m", "-1h", "2026-13-01T00:00:00Z"):
        wrong = await get("/operations/jobs", params={"since": since})
        [error] = wrong.body["errors"]
        assert (wrong.status, error["field"]) == (422, "since"), since
        assert error["message"].endswith(", or hours, as in 24h")
    assert (await scene.client.get("/jobs", params={"search": "ada"})).status == 422  # operators alone search
