"""Lives of jobs, step by step, so that whoever finds a job anywhere can go on with it."""

from collections.abc import Mapping
from typing import Any

import asyncpg

from makegood.job import Job, Verdict
from makegood.ports import Store
from makegood.testing.drive import (
    LEASE_SECONDS,
    PLAIN,
    accounts,
    change,
    edge_of,
    fact,
    token_hash,
)

# What is done at each place of a life; a place is the job's state and the number of its attempt, and a slot
# has two: before and after its attempt may have been sent.
FORWARD = {"pending": "accept", "queued": "dispatch", "opened": "submit", "starting": "begin"}
SAID = {
    "begin": Verdict.ACCEPTED,
    "complete": Verdict.SUCCEEDED,
    "fail": Verdict.FAILED,
    "cancel": Verdict.CANCELLED,
    "defer": Verdict.REJECTED,
    "rerun": Verdict.FAILED,
}
Plan = Mapping[str, str]

WHOLE_LIFE: Plan = {"running 1": "complete"}
# The first place of each differs from the usual way, and its requests are those at which the worker dies.
TURNS: list[Plan] = [
    {"pending 0": "refuse"},
    {"pending 0": "cancel"},
    {"queued 0": "fail"},
    {"queued 0": "cancel"},
    {"opened 1": "fail"},
    {"opened 1": "cancel"},
    {"starting 1": "complete"},
    {"starting 1": "fail"},
    {"starting 1": "cancel"},
    {"starting 1": "defer", "running 2": "complete"},
    {"running 1": "fail"},
    {"running 1": "cancel"},
    {"running 1": "rerun", "running 2": "complete"},
]
#: Each plan with the place where something befalls the worker; an empty one stands for the whole life.
LIVES: list[tuple[Plan, str]] = [(WHOLE_LIFE, ""), *((plan, next(iter(plan))) for plan in TURNS)]


class NothingToDo(Exception):
    """Somebody holds what would be done next, perhaps this worker itself without knowing it."""


def named(life: object) -> str:
    """Return the name of a plan or place among a test's parameters."""
    return " ".join(next(iter(life.items()))) if isinstance(life, Mapping) else ""


def place_of(job: Job) -> str:
    opened = job.state == "starting" and not job.submitted
    return f"{'opened' if opened else job.state} {job.attempt}"


async def step(store: Store, job: Job, plan: Plan, *, alone: bool = True) -> Job | None:
    """Do what comes next, as any worker would that finds the job like this; return the job if told of it.

    Unless it is *alone*, a request of a worker that has died may still be under way, and come first.
    """
    act = plan.get(place_of(job)) or FORWARD[place_of(job).split()[0]]
    match act:
        case "dispatch":
            await store.attempts.dispatch(job.pool, accounts(job.pool), 1)
        case "submit":
            claimed = await store.attempts.claim(accounts(job.pool), 1, LEASE_SECONDS)
            if not claimed:
                raise NothingToDo
            assert await store.attempts.intend(claimed[0], token_hash(claimed[0]), LEASE_SECONDS)
        case _:
            if act == "cancel":
                job = await store.jobs.request_cancel(job.id) or job
                if job.finished_at is not None and not alone:
                    return job  # that request came first
            evidence = fact(job, SAID[act]) if job.submitted and job.state != "queued" else None
            moved = await store.jobs.apply(change(job, edge_of(PLAIN, job.state, act), evidence=evidence))
            assert moved or not alone, "who has moved the job is told that somebody else did"
            return moved
    return None


async def live(
    store: Store, job: Job, plan: Plan, *, to: str = "", through: str = "", alone: bool = True
) -> Job:
    """Live from wherever the job is to its end, or *to* a place, or *through* the one where it is."""
    while job.finished_at is None and place_of(job) != to:
        if through and place_of(job) != through:
            break
        moved = await step(store, job, plan, alone=alone)
        found = await store.jobs.get(job.id)
        assert found is not None
        assert moved in (None, found), "what the worker was told is not what was committed"
        job = found
    return job


async def summary(store: Store, plain: asyncpg.Connection, job: Job) -> tuple[Any, ...]:
    """Return what is the same for every job of one plan, wherever its worker died."""
    row = await plain.fetchrow(
        "SELECT count(*) FILTER (WHERE kind = 'hold') AS holds,"
        " count(*) FILTER (WHERE kind IN ('capture', 'release')) AS settlements"
        " FROM makegood.journal WHERE job_id = $1",
        job.id,
    )
    assert row is not None
    events = tuple(transition.event for transition in await store.jobs.history(job.id))
    return row["holds"], row["settlements"], await store.jobs.money(job.id), job.state, events
