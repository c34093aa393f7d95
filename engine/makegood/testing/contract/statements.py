"""Statements: what people read about their credits is what the journal has, and no page cuts it."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from makegood.accounting import Accounting
from makegood.catalog import Catalog
from makegood.job import Verdict
from makegood.machine import Edge, Money, Spec
from makegood.ports import Store
from makegood.statement import Entry, EntryKind
from makegood.testing.drive import PLAIN, PRICE, SPECS, Drive, change, edge_of

ENDS = [
    (spec, edge)
    for spec in SPECS
    for edge in spec.edges
    if spec.state[edge.dest].terminal or edge.money not in (Money.NONE, Money.HOLD)
]
DAY = 86_401


def _name(value: Spec | Edge) -> str:
    return value.name if isinstance(value, Spec) else f"{value.source}-{value.event}"


class Books(Accounting):
    """The accounting of an engine, over a store, without the engine."""

    def __init__(self, store: Store) -> None:
        self._store, self.catalog = store, Catalog([])

    async def told(self, limit: int = 500) -> list[Entry]:
        """Return all of Ada's entries, newest first, read in pages of *limit*."""
        told: list[Entry] = []
        after = None
        while True:
            page = await self.statement("ada", after=after, limit=limit)
            assert len(page.entries) == limit or page.next is None
            told += page.entries
            if page.next is None:
                return told
            after = page.next

    async def fed(self, limit: int) -> list[tuple[str, Entry]]:
        """Return all entries of all owners, newest first, read in pages of *limit*."""
        fed: list[tuple[str, Entry]] = []
        after = None
        while True:
            page = await self.feed(after=after, limit=limit)
            assert len(page.entries) == limit or page.next is None
            fed += [(each.owner, each.entry) for each in page.entries]
            if page.next is None:
                return fed
            after = page.next


async def lively(drive: Drive) -> None:
    """Give Ada a history with everything in it: three buckets, a price in parts, grace, expiry, refusal."""
    for kind, priority, days in [("promo", 1, 1), ("monthly", 2, 1), ("purchased", 3, None)]:
        expires_at = None if days is None else await drive.now() + timedelta(days=days)
        await drive.grant(70, kind=kind, priority=priority, expires_at=expires_at)
    first, second = await drive.to("running"), await drive.to("running")
    await drive.event(first, "complete", Verdict.SUCCEEDED, settle=80)
    await drive.advance(DAY)
    await drive.event(second, "fail", Verdict.FAILED)
    await drive.grant(30, kind="promo", expires_at=await drive.now() + timedelta(days=1))
    await drive.grant(1_000, kind="purchased")
    third = await drive.to("queued")
    await drive.event(third, "cancel")
    await drive.advance(DAY)
    await drive.store.ledger.expire(10)


class StatementsContract:
    """What `Ledger.lines`, `lines_of`, `feed` and `lines_at`, and `Attempts.evidence` promise."""

    async def test_a_feed_tells_the_entries_of_all_owners_newest_first_and_no_page_cuts_one(
        self, drive: Drive
    ) -> None:
        """Jobs of three owners that draw on several buckets come and go at the same time."""
        owners = ("ada", "bo", "cy")
        await lively(drive)
        for owner in owners:
            for priority in range(9):
                await drive.grant(PRICE // 10, owner=owner, priority=priority)
            await drive.grant(5 * PRICE, owner=owner)
        jobs = await asyncio.gather(*(drive.to("running", owner=owner) for owner in 2 * owners))
        await asyncio.gather(*(drive.event(job, "fail", Verdict.FAILED) for job in jobs[:3]))
        await asyncio.gather(
            *(drive.event(job, "complete", Verdict.SUCCEEDED, settle=PRICE // 2) for job in jobs[3:])
        )
        books = Books(drive.store)
        fed = await books.fed(500)
        for owner in owners:
            own = await books.statement(owner, limit=500, to_owner=False)
            assert [told for whose, told in fed if whose == owner] == list(own.entries)
        for limit in (1, 2, 3, 4, 5, 6, 7, 9):
            assert await books.fed(limit) == fed
        places = [line.place or 0 for line in await drive.store.ledger.feed(500)]
        assert places == sorted(set(places), reverse=True)
        first, *rest = await drive.store.ledger.feed(500)
        assert await drive.store.ledger.feed(2, first.place) == rest[:2]
        assert await drive.store.ledger.lines_at([(first.owner, first.seq), ("dan", 1), ("bo", 0)]) == [first]

    async def test_an_empty_journal_feeds_nothing(self, drive: Drive) -> None:
        assert await Books(drive.store).fed(3) == []

    async def test_lines_are_told_newest_first_with_bucket_and_cause(self, drive: Drive) -> None:
        await drive.grant(60, kind="monthly", source_ref="june")
        await drive.grant(100)
        job = await drive.to("running")
        await drive.event(job, "fail", Verdict.FAILED, actor="inquiry", error={"category": "provider"})
        lines = await drive.store.ledger.lines("ada", 100)
        assert [line.seq for line in lines] == [6, 5, 4, 3, 2, 1]
        assert [line.kind for line in lines] == ["release"] * 2 + ["hold"] * 2 + ["issue"] * 2
        back, held, issued = lines[1], lines[3], lines[5]
        assert (back.owner, back.bucket_kind, back.amount, back.job_id) == ("ada", "monthly", 60, job.id)
        assert (back.job_type, back.money, back.category) == (PLAIN.name, "release", "provider")
        history = await drive.store.jobs.history(job.id)
        assert back.cause == history[-1]
        assert (held.cause, held.money, held.category) == (history[1], "hold", None)
        assert (issued.source_ref, issued.cause, issued.job_id, issued.job_type) == ("june", None, None, None)
        assert await drive.store.ledger.lines_of(job.id) == lines[3::-1]

    async def test_lines_are_read_from_a_place_downwards(self, drive: Drive) -> None:
        for _ in range(5):
            await drive.grant(10)
        lines = drive.store.ledger.lines
        assert [line.seq for line in await lines("ada", 2)] == [5, 4]
        assert [line.seq for line in await lines("ada", 2, 3)] == [3, 2]
        assert [line.seq for line in await lines("ada", 9, 1)] == [1]
        assert await lines("bo", 9) == []
        assert await drive.store.ledger.lines_of(uuid4()) == []

    async def test_a_failure_after_the_credits_are_settled_is_not_told_as_its_reason(
        self, drive: Drive
    ) -> None:
        await drive.grant()
        job = await drive.to("queued")
        assert (await drive.store.ledger.lines_of(job.id))[0].category is None
        await drive.event(job, "fail", error={"category": "timeout"})
        held, back = await drive.store.ledger.lines_of(job.id)
        assert (held.category, back.category) == (None, "timeout")

    async def test_evidence_is_told_in_the_order_in_which_it_was_learned(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        job = await drive.event(job, "rerun", Verdict.FAILED)
        await drive.submit(await drive.dispatch(job))
        job = await drive.job(job)
        await drive.record(job, Verdict.SUCCEEDED, detail={"seconds": 7})
        known = await drive.store.attempts.evidence(job.id)
        assert [(e.attempt, e.verdict) for e in known] == [
            (1, Verdict.ACCEPTED),
            (1, Verdict.FAILED),
            (2, Verdict.SUCCEEDED),
        ]
        assert (known[2].source, known[2].detail, known[2].outputs) == ("test", {"seconds": 7}, ())
        now = await drive.now()
        assert all(evidence.at is not None and evidence.at <= now for evidence in known)
        assert await drive.store.attempts.evidence(uuid4()) == []

    @pytest.mark.parametrize(("spec", "edge"), ENDS, ids=_name)
    async def test_no_text_claims_what_the_ledger_does_not_show(
        self, drive: Drive, spec: Spec, edge: Edge
    ) -> None:
        """M12, P32, D22: whatever ends the job, "returned" is said of what came back, of nothing else."""
        await drive.grant()
        job = await drive.to(edge.source, spec)
        if spec.state[edge.source].slot:
            job = job if job.submitted else await drive.submit(job)
        await drive.take(job, edge, **({"settle": 40} if edge.money is Money.POLICY else {}))
        money, told = await drive.store.jobs.money(job.id), await Books(drive.store).told()
        for kind, word, amount in [
            (EntryKind.RETURNED, "returned", money.released),
            (EntryKind.PAID, "paid", money.captured),
        ]:
            assert sum(e.amount for e in told if e.kind is kind) == amount
            said = [e.text for e in told if word in e.text]
            assert said == [e.text for e in told if e.kind is kind]
            assert all(text.startswith(f"{amount} {word}") for text in said)
        assert "refund" not in " ".join(e.text for e in told)

    async def test_a_hold_over_three_buckets_is_one_entry(self, drive: Drive) -> None:
        for kind, priority in [("promo", 1), ("monthly", 2), ("purchased", 3)]:
            await drive.grant(40, kind=kind, priority=priority)
        job = await drive.to("queued")
        held, *_ = told = await Books(drive.store).told()
        assert len(told) == 4
        assert (held.kind, held.amount, held.change, held.job_id) == (EntryKind.HELD, PRICE, -PRICE, job.id)
        assert [(part.bucket, part.amount) for part in held.parts] == [
            ("promo", 40),
            ("monthly", 40),
            ("purchased", 20),
        ]
        assert held.text == f"100 held for {PLAIN.name}"

    async def test_credits_that_come_back_as_grace_are_part_of_one_entry(self, drive: Drive) -> None:
        await drive.grant(20, kind="monthly", priority=1, expires_at=await drive.now() + timedelta(days=1))
        await drive.grant(100)
        job = await drive.to("running")
        await drive.advance(DAY)
        failed = await drive.event(job, "fail", Verdict.FAILED, error={"category": "provider"})
        back, held, *_ = await Books(drive.store).told()
        assert (back.kind, back.amount, back.change) == (EntryKind.RETURNED, PRICE, PRICE)
        assert sorted((part.bucket, part.amount) for part in back.parts) == [
            ("grace", 20),
            ("purchased", 80),
        ]
        until = f"{failed.entered_at + timedelta(days=30):%Y-%m-%d}"
        assert back.text == f"100 returned: provider failed; 20 of them as grace credits until {until}"
        assert held.kind is EntryKind.HELD

    async def test_pages_of_any_size_show_the_same_whole_entries(self, drive: Drive) -> None:
        await lively(drive)
        books = Books(drive.store)
        told = await books.told()
        assert [entry.text.split(":")[0] for entry in told] == [
            "30 expired",
            "20 expired",
            "100 returned",
            f"100 held for {PLAIN.name}",
            "1,000 credits added",
            "30 credits added",
            "100 returned",
            "20 returned",
            f"80 paid for {PLAIN.name}",
            f"100 held for {PLAIN.name}",
            f"100 held for {PLAIN.name}",
            "70 credits added",
            "70 credits added",
            "70 credits added",
        ]
        for limit in range(1, len(told) + 2):
            assert await books.told(limit) == told
        wallet = await drive.store.ledger.wallet("ada")
        assert sum(entry.change for entry in told) == sum(bucket.remaining for bucket in wallet.buckets)

    async def test_balances_follow_one_another(self, drive: Drive) -> None:
        await lively(drive)
        told = (await Books(drive.store).told())[::-1]
        balance = 0
        for entry in told:
            balance += entry.change
            assert entry.balance == balance
        wallet = await drive.store.ledger.wallet("ada")
        assert balance == sum(bucket.remaining for bucket in wallet.buckets)

    async def test_a_payment_taken_back_is_told_with_its_debt_and_who_pays_it(self, drive: Drive) -> None:
        await drive.grant(250, source_ref="order-1")
        done, failed = await drive.to("running"), await drive.to("running")
        await drive.event(done, "complete", Verdict.SUCCEEDED)
        await drive.store.ledger.charge_back("ada", "order-1")
        await drive.event(failed, "fail", Verdict.FAILED, error={"category": "provider"})
        await drive.grant(300)
        told = await Books(drive.store).told()
        assert [(entry.text, entry.change, entry.balance) for entry in told[:3]] == [
            ("300 credits added: purchased; 100 of them went to your debt", 200, 200),
            ("100 returned: provider failed; all of them went to your debt", 0, 0),
            ("50 withdrawn and 200 owed: payment for purchased credits was taken back", -50, 0),
        ]
        assert told[0].parts[0].source_ref != told[2].parts[0].source_ref == "order-1"

    async def test_a_plan_without_limit_is_told_without_minting(self, drive: Drive) -> None:
        await drive.grant(30, kind="promo", priority=1)
        await drive.store.ledger.grant_unlimited("ada", kind="unlimited", source_ref="gold", priority=2)
        mixed, covered, failed = [await drive.to("running") for _ in range(3)]
        await drive.event(covered, "complete", Verdict.SUCCEEDED)
        await drive.event(failed, "fail", Verdict.FAILED, error={"category": "provider"})
        await drive.event(mixed, "fail", Verdict.FAILED, error={"category": "provider"})
        told = await Books(drive.store).told()
        assert [(entry.text, entry.change) for entry in told] == [
            ("100 returned: provider failed; 70 of them under your unlimited plan", 30),
            ("100 not used under your unlimited plan: provider failed", 0),
            (f"100 used under your unlimited plan: {PLAIN.name}", 0),
            (f"100 held for {PLAIN.name} under your unlimited plan", 0),
            (f"100 held for {PLAIN.name} under your unlimited plan", 0),
            (f"100 held for {PLAIN.name}; 70 of them under your unlimited plan", -30),
            ("30 credits added: promo", 30),
        ]
        assert told[0].balance == (await drive.store.ledger.wallet("ada")).available == 30

    async def test_a_cycle_that_ends_is_told_as_expired(self, drive: Drive) -> None:
        for cycle in ("june", "july"):
            await drive.store.ledger.start_cycle(
                "ada", 50, plan="gold", cycle=cycle, kind="monthly", priority=1
            )
        assert [entry.text for entry in await Books(drive.store).told()] == [
            "50 expired: monthly",
            "50 credits added: monthly, cycle july of plan gold",
            "50 credits added: monthly, cycle june of plan gold",
        ]

    async def test_an_entry_of_more_lines_than_one_question_reads_stays_whole(self, drive: Drive) -> None:
        for n in range(70):
            await drive.grant(1, kind=f"kind-{n}", priority=n)
        job = await drive.to("queued", price=70)
        await drive.event(job, "cancel")
        books = Books(drive.store)
        page = await books.statement("ada", limit=1)
        assert [(entry.amount, len(entry.parts)) for entry in page.entries] == [(70, 70)]
        page = await books.statement("ada", limit=1, after=page.next)
        assert [(entry.text, len(entry.parts)) for entry in page.entries] == [
            (f"70 held for {PLAIN.name}", 70)
        ]
        assert len(await books.told(1)) == 72

    async def test_a_cursor_inside_an_entry_shows_no_half_of_it(self, drive: Drive) -> None:
        await lively(drive)
        books, last = Books(drive.store), (await drive.store.ledger.lines("ada", 1))[0].seq
        told = await books.told()
        for after in range(1, last + 5):
            page = await books.statement("ada", after=after, limit=100)
            assert list(page.entries) == told[len(told) - len(page.entries) :]
            assert all(entry.cursor < after for entry in page.entries)

    async def test_a_page_is_stable_while_new_lines_arrive(self, drive: Drive) -> None:
        await lively(drive)
        books = Books(drive.store)
        told = await books.told()
        page = await books.statement("ada", limit=3)
        seen = list(page.entries)
        while page.next is not None:
            jobs = [await drive.insert(price=3) for _ in range(3)]
            accept = edge_of(PLAIN, "pending", "accept")
            writing = asyncio.gather(
                *(drive.store.jobs.apply(change(job, accept)) for job in jobs), drive.grant(5)
            )
            page = await books.statement("ada", after=page.next, limit=3)
            await writing
            seen += page.entries
        assert seen == told

    async def test_a_first_page_under_writers_has_only_whole_entries(self, drive: Drive) -> None:
        for n in range(4):
            await drive.grant(30, kind=f"kind-{n}", priority=n)
        jobs = [await drive.insert(price=PRICE) for _ in range(8)]
        accept, cancel = edge_of(PLAIN, "pending", "accept"), edge_of(PLAIN, "queued", "cancel")

        async def come_and_go() -> None:
            for job in jobs:
                await drive.apply(await drive.apply(job, accept), cancel)

        pages, writing = [], asyncio.create_task(come_and_go())
        while not writing.done():
            pages.append(await Books(drive.store).statement("ada", limit=2))
            await asyncio.sleep(0)
        await writing
        pages.append(await Books(drive.store).statement("ada", limit=2))
        moved = [e for page in pages for e in page.entries if e.job_id is not None]
        assert moved
        assert {(e.amount, len(e.parts)) for e in moved} == {(PRICE, 4)}

    async def test_a_statement_begins_where_it_is_told_to(self, drive: Drive) -> None:
        await drive.grant(10)
        await drive.advance(3_600)
        since = await drive.now()
        await drive.grant(20)
        await drive.grant(30)
        page = await Books(drive.store).statement("ada", since=since)
        assert [entry.amount for entry in page.entries] == [30, 20]
        first = await Books(drive.store).statement("ada", since=since, limit=1)
        assert first.next is not None
        second = await Books(drive.store).statement("ada", since=since, limit=1, after=first.next)
        assert ([e.amount for e in second.entries], second.next) == ([20], None)

    async def test_an_unknown_owner_has_an_empty_statement(self, drive: Drive) -> None:
        page = await Books(drive.store).statement("nobody")
        assert (page.owner, page.entries, page.next) == ("nobody", (), None)
