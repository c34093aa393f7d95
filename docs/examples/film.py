"""A film: uploaded, rendered, transcoded by us, and paid once a person has looked at it."""

from datetime import timedelta
from typing import Any, Literal

from makegood import BaseJob, Completion, Event, Failure, Job, JobInput, Money, State


class Cut(Completion):
    preview: str  # what the reviewer looks at


class Rejection(Completion):
    earned: Literal[100] = 100  # rendering is paid, three quarters come back
    output: dict[str, Any] = {}  # and nothing is handed out


class Film(BaseJob):
    price = 400

    class Input(JobInput):
        footage: str  # where the user uploads it

    uploading = State(deadline=timedelta(hours=1), public="pending")
    transcoding = State(deadline=timedelta(minutes=90))
    awaiting_review = State(deadline=timedelta(days=2), data=Cut)
    published, rejected = State(final=True), State(final=True, public="cancelled")
    upload = Event(BaseJob.pending >> uploading)
    accept = Event(uploading >> BaseJob.queued, money=Money.HOLD)
    refuse = Event((BaseJob.pending | uploading) >> BaseJob.failed, Failure)
    deliver = Event((BaseJob.starting | BaseJob.running) >> transcoding, Completion)
    show = Event(transcoding >> awaiting_review, Cut)
    publish = Event(awaiting_review >> published, money=Money.CAPTURE)
    complete = Event(awaiting_review >> BaseJob.completed, Completion, money=Money.CAPTURE)  # kept private
    reject = Event(awaiting_review >> rejected, Rejection, money=Money.CAPTURE)
    expire = Event((transcoding | awaiting_review) >> BaseJob.failed, Failure, money=Money.RELEASE)

    @classmethod
    def delivered(cls, job: Job, files: Any) -> tuple[Event[Completion], Completion]:
        return cls.deliver, Completion(output={"files": files})
