"""Sentences about how things are: what `makegood top` and the page of operators say, word by word."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from makegood.audit import Totals
from makegood.fairness import Rule, Scope
from makegood.job import JournalLine, Occupancy, Wallet
from makegood.ports import Lane, Line, Pace, Waiter, Worker, WorkerName, WorkerState
from makegood.telling import (
    Told,
    Tone,
    of_account,
    of_books,
    of_kept_back,
    of_lanes,
    of_pace,
    of_pause,
    of_process,
    of_refunds,
    of_start,
    of_wallet,
    of_worker,
)

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
PLAIN, GOOD, WARN, BAD = Tone.PLAIN, Tone.GOOD, Tone.WARN, Tone.BAD
RULE = Rule(
    scope=Scope.POOL,
    name="studio",
    paused_at=NOW,
    reason="it is closed",
    actor="Grace via key:grace",
    changed_at=NOW,
)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def account(**given: Any) -> Occupancy:
    usual = Occupancy(account="main", pool="studio", capacity=3, open=2, draining=0, waiting=0)
    return replace(usual, **given)


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (account(), [(PLAIN, "2 of 3 slots taken")]),
        (account(open=0, capacity=1), [(PLAIN, "0 of 1 slot taken")]),
        (
            account(capacity=1_500, open=1_200, draining=1, foreign=1, learned=3, configured=5),
            [(PLAIN, "1,200 of 1,500 slots taken · 1 draining · 1 not ours · learned: 3 of 5")],
        ),
        (account(learned=3), [(PLAIN, "2 of 3 slots taken · learned: 3 of an unknown number")]),
        (account(learned=3, configured=3, rests_until=after(-1)), [(PLAIN, "2 of 3 slots taken")]),
        (
            account(problem="No money.", rests_until=after(40), failures=3, last_error="TimeoutError"),
            [
                (PLAIN, "2 of 3 slots taken"),
                (BAD, "No money."),
                (WARN, "rests for another 40 s"),
                (WARN, "the last 3 looks went unanswered. TimeoutError"),
            ],
        ),
        (account(failures=1), [(PLAIN, "2 of 3 slots taken"), (WARN, "the last look went unanswered.")]),
    ],
)
def test_an_account_is_told_in_order(use: Occupancy, told: list[tuple[Tone, str]]) -> None:
    expected = [Told(*each) for each in told]
    assert of_account(use, None, NOW) == expected
    assert of_account(use, RULE, NOW) == [*expected, of_pause(RULE, NOW)]


def test_a_pause_is_told_with_its_rest_whose_it_is_and_why() -> None:
    assert of_pause(RULE, NOW) == Told(WARN, "Paused by Grace via key:grace: it is closed")
    timed = replace(RULE, paused_until=after(7_200))
    assert of_pause(timed, NOW).text == "Paused for another 2 h by Grace via key:grace: it is closed"
    closed = replace(RULE, closed=True, actor="submitter", reason="3 jobs were refused")
    assert of_pause(closed, NOW).text == "Paused by submitter, and takes no new jobs: 3 jobs were refused"
    assert of_pause(replace(RULE, reason=None), NOW).text == "Paused by Grace via key:grace"


def test_a_process_is_told_with_what_its_loops_lack() -> None:
    health: dict[str, Any] = {"dispatcher": {}, "poller": {}}
    name = WorkerName(host="gpu", pid=4711, number=2)
    worker = Worker(
        id=uuid4(), name=name, state=WorkerState.RUNNING, accounts=(), health=health, seen_at=after(-1)
    )
    assert (of_process(name), of_process(replace(name, number=0))) == ("gpu 4711 [2]", "gpu 4711")
    assert of_worker(worker, NOW) == Told(GOOD, "2 well")
    ill = {
        "dispatcher": {"hanging": True, "lag_seconds": 12.2},
        "poller": {"failures": 3, "last_error": "TimeoutError"},
        "relay": {"failures": 1},
        "watchdog": {"over": True},
        "collector": {},
    }
    told = of_worker(replace(worker, health=ill), NOW)
    assert (told.level, told.text.split(" · ")) == (
        BAD,
        [
            "dispatcher hangs for 12 s",
            "poller failed 3 times (TimeoutError)",
            "relay failed 1 time",
            "watchdog is over",
        ],
    )
    assert of_worker(replace(worker, seen_at=after(-60)), NOW) == Told(BAD, "lost")
    cut_off = {f"loop-{number}": {"failures": 1} for number in range(9)}
    assert of_worker(replace(worker, health=cut_off), NOW).text.endswith(
        "loop-2 failed 1 time · 6 loops more"
    )


def test_a_pace_has_a_decimal_where_it_is_slow() -> None:
    rates = {"accepted": 3.0, "completed": 2.4, "failed": 0.0, "cancelled": 1234.5}
    assert of_pace(rates) == "Per minute: 3 accepted, 2.4 completed, 0 failed, 1,234 cancelled."


@pytest.mark.parametrize(
    ("given", "wait", "told"),
    [
        ({}, 40.0, (PLAIN, "in 40 s at the usual pace")),
        ({}, 0.9, (PLAIN, "when a slot is free")),
        ({"pool": "idle"}, 0.0, (PLAIN, "any moment")),
        ({"pool": "idle"}, None, (PLAIN, "any moment")),
        ({"pool": "idle", "rivals": 3}, 0.9, (PLAIN, "when a slot is free")),
        ({}, None, (PLAIN, "not known")),
        ({"not_before": after(180)}, 180.0, (PLAIN, "not for another 3 min")),
        ({"not_before": after(-5)}, 65.0, (PLAIN, "in 1 min 5 s at the usual pace")),
        ({"paused": Scope.TYPE, "reason": "broken"}, None, (WARN, "The type film is paused: broken")),
        # Who resumes it is to see that before what may pass by itself.
        (
            {"paused": Scope.POOL, "reason": "shut", "full": Scope.OWNER},
            None,
            (WARN, "The pool studio is paused: shut"),
        ),
        ({"full": Scope.OWNER}, None, (WARN, "The owner ada has as many jobs in slots as it may.")),
        ({"pool": "shut"}, 3.0, (WARN, "No provider account of the pool shut can be used now.")),
    ],
)
def test_when_a_job_starts_is_told(given: dict[str, Any], wait: float | None, told: tuple[Tone, str]) -> None:
    usual = Waiter(
        job_id=UUID(int=1),
        owner="ada",
        type="film",
        pool="studio",
        priority=0,
        position=1,
        rivals=1,
        queued_at=NOW,
        not_before=None,
        full=None,
        paused=None,
        reason=None,
    )
    paces = {
        "studio": Pace(slots=1, free=0, slot_seconds=9.0),
        "idle": Pace(slots=4, free=2, slot_seconds=1.0),
        "shut": Pace(slots=0, free=0, slot_seconds=9.0),
    }
    line = Line(at=NOW, pools=list(paces), waiters=(), paces=paces)
    assert of_start(line, replace(usual, **given), wait) == Told(*told)


def test_who_waits_is_counted_and_who_is_not_yet_due_too() -> None:
    first = Lane(pool="studio", priority=0, waiting=1_200, parked=0, oldest=NOW)
    assert of_lanes([]).text == "0 waiting"
    assert (
        of_lanes([first, replace(first, priority=1, waiting=3, parked=2)]).text
        == "1,203 waiting, 2 not yet due"
    )


def lines_of(*moves: tuple[str, int, str], unlimited: bool = False) -> list[JournalLine]:
    return [
        JournalLine(
            owner="ada",
            seq=seq,
            kind=kind,
            amount=amount,
            balance=0,
            at=after(-90),
            source_ref="order-1",
            bucket_id=len(bucket),
            bucket_kind=bucket,
            expires_at=None,
            unlimited=unlimited,
            origin_id=1,
        )
        for seq, (kind, amount, bucket) in enumerate(moves, 1)
    ]


def test_what_was_given_back_is_told_line_by_line() -> None:
    lines = lines_of(
        ("hold", 60, "monthly"),
        ("release", 1, "monthly"),
        ("capture", 9, "purchased"),
        ("release", 50, "purchased"),
    )
    assert of_refunds(lines, NOW) == [
        Told(GOOD, "1 credit given back 1 min ago, to the bucket monthly"),
        Told(GOOD, "50 credits given back 1 min ago, to the bucket purchased"),
    ]


def test_only_where_there_are_results_some_are_kept_back() -> None:
    assert of_kept_back(0) == []
    assert of_kept_back(2) == [Told(PLAIN, "2 result files kept back: not paid for")]


def test_what_an_unlimited_plan_did_not_give_is_not_given_back() -> None:
    moves = [(kind, 60, "unlimited") for kind in ("issue", "hold", "release", "expire")]
    told = of_refunds(lines_of(*moves, unlimited=True), NOW)
    assert told == [Told(PLAIN, "60 credits not used under the owner's unlimited plan")]


def test_what_came_back_is_told_where_it_has_stayed() -> None:
    expired = lines_of(("release", 60, "monthly"), ("expire", 60, "monthly"), ("issue", 60, "grace"))
    assert [told.text for told in of_refunds(expired, NOW)] == [
        "60 credits given back 1 min ago, to the bucket grace"
    ]
    owed = lines_of(("release", 60, "purchased"), ("repay", 45, "purchased"))
    assert [told.text for told in of_refunds(owed, NOW)] == [
        "15 credits given back 1 min ago, to the bucket purchased",
        "45 credits given back 1 min ago, to the owner's debt",
    ]


def test_the_books_and_a_wallet_are_told_in_figures() -> None:
    total = Totals(owner=None, issued=1_000, remaining=500, held=0, captured=500, expired=0)
    line = "issued 1,000 = remaining 500 + held 0 + captured 500 + expired 0"
    assert of_books(total, 0) == Told(GOOD, line)
    assert of_books(total, 2) == Told(BAD, f"The books are wrong: 0 credits off, 2 violations. {line}")
    off = of_books(replace(total, remaining=501), 1)
    assert off.text.startswith("The books are wrong: 1 credit off, 1 violation. issued 1,000 = remaining 501")
    wallet = Wallet(owner="ada", available=10_000, held=0)
    assert of_wallet(wallet) == Told(PLAIN, "10,000 to spend, 0 held for jobs")
    assert of_wallet(replace(wallet, debt=5)) == Told(BAD, "10,000 to spend, 0 held for jobs, 5 owed")
    assert of_wallet(replace(wallet, unlimited=True)).text == "unlimited to spend, 0 held for jobs"
