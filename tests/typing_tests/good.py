"""What a job type's author may write: both type checkers accept all of it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from makegood import BaseJob, Completion, Engine, Event, Failure, Job, JobInput, Money, State, Transition


class Review(BaseModel):
    """What the reviewer says."""

    stars: int


class Film(BaseJob):
    """A type with a state, an event and an input of its own."""

    pool, price = "gpu", 400

    class Input(JobInput):
        """What the user sends."""

        prompt: str

    in_review = State(deadline=timedelta(days=2), data=Review)
    ask = Event(BaseJob.running >> in_review, Review)
    approve = Event(in_review >> BaseJob.completed, Completion, money=Money.CAPTURE)
    decline = Event((in_review | BaseJob.running) >> BaseJob.failed, Failure, money=Money.RELEASE)


@Film.ask.guard
def enough_stars(job: Job, review: Review) -> bool:
    """Refuse a poor review."""
    return review.stars > 2 and job.price > 0


@Film.ask.effect
async def note(transaction: Any, job: Job, review: Review) -> None:
    """Write into the host's own table."""
    await transaction.execute("insert into review values ($1, $2)", job.id, review.stars)


@Film.failed.on_enter
async def tell(transition: Transition) -> None:
    """Tell the user."""
    print(transition.owner)


async def use(engine: Engine, job_id: UUID) -> str:
    """Fire events with their payloads."""
    await engine.fire(job_id, Film.ask, Review(stars=5))
    await engine.fire(job_id, Film.accept)
    await engine.fire(job_id, Film.fail, Failure(category="closed"))
    job = await engine.fire(job_id, Film.approve, Completion(earned=3))
    async for transition in engine.watch(job_id):
        print(transition.to_state)
    return job.state
