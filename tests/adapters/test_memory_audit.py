"""The audit of the store in memory sees each broken invariant, for itself, as that of Postgres does."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from makegood.audit import INVARIANTS
from makegood.job import Bucket, Job, Phase, Verdict
from makegood.testing.clock import FakeClock
from makegood.testing.drive import SPECS, Drive, fact
from makegood_adapters.memory import MemoryStore
from makegood_adapters.memory.tables import Hold, Line, Tables
from tests.adapters.audit_scene import perform


@dataclass(frozen=True)
class Scene:
    """The jobs by state, and short ways to spoil what is kept about them."""

    tables: Tables
    jobs: dict[str, Job]

    def job(self, state: str, /, **given: Any) -> None:
        row = self.tables.jobs[self.jobs[state].id]
        row.job = replace(row.job, **given)

    def attempt(self, state: str, **given: Any) -> None:
        row = self.tables.attempts[self.jobs[state].id, 1]
        row.attempt = replace(row.attempt, **given)

    def step(self, state: str, version: int, **given: Any) -> None:
        lines = self.tables.history[self.jobs[state].id]
        lines[version] = replace(lines[version], **given)

    def bucket(self, change: Callable[[Bucket], Bucket]) -> None:
        buckets = self.tables.wallets["ada"].buckets
        last = max(buckets)
        buckets[last] = change(buckets[last])

    def line(self, kind: str, change: int) -> None:
        journal = self.tables.wallets["ada"].journal
        job_id, seq = self.jobs["pending"].id, len(journal) + 1
        balance = journal[-1].balance + change
        self.tables.journal_lines += 1
        place = self.tables.journal_lines
        journal.append(Line(seq, kind, 1, job_id, abs(change), balance, self.tables.now(), place))


def _hold(scene: Scene) -> None:
    holds = scene.tables.holds[scene.jobs["completed"].id]
    first, second = holds
    holds[:] = [
        Hold(first.bucket_id, first.amount + 1, first.amount + 1),
        Hold(second.bucket_id, second.amount - 1, second.amount - 1),
    ]


def _lines(scene: Scene) -> None:
    scene.line("hold", -50)
    scene.line("release", 50)


def _sequence(scene: Scene) -> None:
    journal = scene.tables.wallets["ada"].journal
    journal[-1] = replace(journal[-1], seq=journal[-1].seq + 1)


def _debt(scene: Scene) -> None:
    scene.tables.wallets["ada"].debt += 1


def _balance(scene: Scene) -> None:
    journal = scene.tables.wallets["ada"].journal
    journal[1] = replace(journal[1], balance=journal[1].balance + 1)


def _failed(scene: Scene) -> None:
    job = scene.jobs["completed"]
    attempt = scene.tables.attempts[job.id, 1]
    attempt.evidence[Verdict.FAILED] = fact(job, Verdict.FAILED)
    scene.step("completed", job.version, event="fail", to_state="failed")
    scene.job("completed", state="failed")


def _lost(scene: Scene) -> None:
    del scene.tables.attempts[scene.jobs["starting"].id, 1]


def _capacity(scene: Scene) -> None:
    [row] = scene.tables.accounts.values()
    row.account = replace(row.account, capacity=1)


def _tasks(scene: Scene) -> None:
    scene.attempt("running", task_id="one")
    scene.attempt("completed", task_id="one")


def _overdue(scene: Scene) -> None:
    deadline_at = scene.jobs["running"].deadline_at
    assert deadline_at is not None
    scene.job("running", deadline_at=deadline_at - timedelta(days=3))


def _evidence(scene: Scene) -> None:
    scene.tables.attempts[scene.jobs["running"].id, 1].evidence.clear()


def _places(scene: Scene) -> None:
    scene.tables.placed[:] = [row.transition for row in scene.tables.outbox]
    of_job = [n for n, s in enumerate(scene.tables.placed) if s.job_id == scene.jobs["running"].id]
    one, two = of_job[:2]
    placed = scene.tables.placed
    placed[one], placed[two] = placed[two], placed[one]


#: The code, what is done, and what else that breaks.
SPOILED: list[tuple[str, Callable[[Scene], Any], set[str]]] = [
    (
        "bucket_sums",
        lambda s: s.bucket(lambda b: replace(b, issued=b.issued + 9, remaining=b.remaining + 9)),
        set(),
    ),
    (
        "bucket_sums",
        lambda s: s.bucket(lambda b: replace(b, held=b.held - 1, remaining=b.remaining + 1)),
        set(),
    ),
    ("hold_sums", _hold, set()),
    ("journal_hold", _lines, set()),
    ("wallet_sequence", _sequence, set()),
    ("wallet_sums", _debt, set()),
    ("journal_balance", _balance, set()),
    # a journal always adds up, so a bucket that does not is never what its journal says
    ("owner_totals", lambda s: s.bucket(lambda b: replace(b, issued=b.issued + 1)), {"bucket_sums"}),
    ("owner_crossed", lambda s: s.job("completed", owner="eve"), set()),
    ("owner_crossed", lambda s: s.bucket(lambda b: replace(b, owner="eve")), set()),
    ("job_credits", lambda s: s.job("running", price=101), set()),
    ("job_credits", lambda s: s.job("completed", settled=None), set()),
    ("job_credits", lambda s: s.job("completed", settled=1), set()),
    ("failed_refund", _failed, set()),
    ("history_end", lambda s: s.job("running", version=9), set()),
    ("history_end", lambda s: s.tables.jobs.pop(s.jobs["pending"].id), set()),
    (
        "history_chain",
        lambda s: s.step("running", 2, event="accept", from_state="pending", to_state="queued"),
        set(),
    ),
    ("history_edge", lambda s: s.step("running", 1, event="begin"), set()),
    ("history_evidence", _evidence, set()),
    ("history_evidence", lambda s: s.job("cancelled", cancel_requested_at=None), set()),
    ("outbox_rows", lambda s: s.tables.outbox.pop(), set()),
    ("outbox_rows", lambda s: s.tables.outbox.append(s.tables.outbox[0]), set()),
    ("stream_places", _places, set()),
    ("attempt_numbers", _lost, set()),
    ("attempt_phase", lambda s: s.attempt("running", phase=Phase.CLOSED), set()),
    ("attempt_open", lambda s: s.attempt("queued", phase=Phase.OPENED, closed_at=None), set()),
    ("attempt_intent", lambda s: s.job("running", intent_attempt=None), set()),
    ("attempt_draining", lambda s: s.attempt("failed", draining_until=None), set()),
    ("account_slots", _capacity, set()),
    ("task_once", _tasks, set()),
    ("job_times", lambda s: s.job("running", deadline_at=None), set()),
    ("job_times", lambda s: s.job("completed", finished_at=None), set()),
    ("job_overdue", _overdue, set()),
    ("job_key", lambda s: s.job("pending", key="first"), set()),
]


@pytest.mark.parametrize(("code", "spoil", "also"), SPOILED, ids=[code for code, _, _ in SPOILED])
async def test_the_audit_sees_what_was_broken_and_nothing_else(
    code: str, spoil: Callable[[Scene], Any], also: set[str]
) -> None:
    clock = FakeClock()
    store = MemoryStore(clock)
    await store.declare(SPECS)
    scene = Scene(store.tables, await perform(Drive(store, clock.advance)))
    assert (await store.audit()).violations == ()
    spoil(scene)
    assert {broken for broken, n in (await store.audit()).counts.items() if n} == {code} | also


def test_every_invariant_is_broken_by_a_test() -> None:
    assert {code for code, _, _ in SPOILED} == set(INVARIANTS)
