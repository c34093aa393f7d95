"""What both type checkers must refuse, one mistake a line; the line's comment says which."""

from uuid import UUID

from good import Film, Review

from makegood import Engine, Event, Failure, Job, Money, State


async def use(engine: Engine, job_id: UUID) -> None:
    """Make the mistakes."""
    await engine.fire(job_id, Film.ask, Failure())  # error: another event's payload
    await engine.fire(job_id, Film.ask)  # error: a payload is missing
    await engine.fire(job_id, Film.approved)  # error: no such event
    await engine.fire("job-1", Film.accept)  # error: a job's id is no text
    await engine.fire(job_id, Film.in_review)  # error: a state is no event
    await engine.accept(job_id, credits=0)  # error: no such argument
    await engine.submit(Film, 7, {})  # error: an owner is a text


Event(Film.running >> Film.accept)  # error: an event leads to states
Event(Film.running >> Film.completed, money="capture")  # error: money is an enumeration
Event(Film.running >> Film.completed, Review(stars=1))  # error: a payload is declared by its type
State(deadline=3600)  # error: a deadline has a unit
State(final="yes")  # error: a flag is a bool
Money.REFUND  # error: no such meaning


@Film.ask.guard  # error: a guard is pure and synchronous
async def late(job: Job, review: Review) -> bool:
    """Decide later."""
    return True


@Film.ask.guard  # error: a guard gets the event's payload
def other(job: Job, failure: Failure) -> bool:
    """Judge something else."""
    return True


@Film.failed.on_enter  # error: a hook is awaited
def tell(transition: object) -> None:
    """Tell without waiting."""
