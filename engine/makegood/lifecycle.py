"""The life that every paid job has: seven states, and what each move means for the credits."""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel, Field

from makegood.job import Job
from makegood.jobtype import JobType
from makegood.machine import Event, Money, State


class Failure(BaseModel):
    """Why a job failed: a stable category for programs, a sentence for people."""

    category: str = "unknown"
    message: str = "The job failed."
    detail: dict[str, Any] = Field(default_factory=dict)


class Completion(BaseModel):
    """The result, already in our storage; without `output` what is stored stays. `earned`: credits to
    capture, None for the price."""

    output: dict[str, Any] | None = None
    earned: int | None = Field(default=None, ge=0)


class BaseJob(JobType):
    """Seven states; the price is held on `accept`, then captured or given back exactly once."""

    pending = State(initial=True, deadline=timedelta(minutes=3), label="being prepared")
    queued = State(deadline=timedelta(hours=6), label="waiting for a slot")
    starting = State(slot=True, deadline=timedelta(minutes=10), label="being submitted")
    running = State(slot=True, deadline=timedelta(minutes=15), label="at the provider")
    completed = State(final=True, label="delivered")
    failed = State(final=True, label="failed, whatever was held is back")
    cancelled = State(final=True, label="cancelled")

    accept = Event(pending >> queued, money=Money.HOLD)
    refuse = Event(pending >> failed, Failure)
    dispatch = Event(queued >> starting)
    defer = Event(starting >> queued)
    begin = Event(starting >> running)
    rerun = Event(running >> queued, Failure)
    complete = Event((starting | running) >> completed, Completion, money=Money.CAPTURE)
    fail = Event((queued | starting | running) >> failed, Failure, money=Money.RELEASE)
    cancel = Event(
        (pending >> cancelled)
        | (queued >> cancelled).with_money(Money.RELEASE)
        | ((starting | running) >> cancelled).with_money(Money.POLICY)
    )


@BaseJob.rerun.guard
def attempts_left(job: Job, _: Failure) -> bool:
    """Allow another attempt under the same hold while the type's bound is not reached."""
    return job.reruns + 1 < job.attempts_max
