"""The part of the engine that tells people about their jobs under way: which one it is, and its place."""

from uuid import UUID

from makegood.job import Job, Place
from makegood.ports import Pace, Standing, Store


class Waiting:
    """What a service tells its users while they wait; `Engine` is one."""

    _store: Store

    async def active_job(self, owner: str, scope: str) -> Job | None:
        """Return the job of *owner* that keeps others of an exclusive *scope* out, None if there is none."""
        return await self._store.jobs.active(owner, scope)

    async def position(self, job_id: UUID) -> int:
        """Return the job's place in its queue, from 1; 0 when it does not wait. See `place`."""
        return await self._store.jobs.position(job_id)

    async def place(self, job_id: UUID) -> Place | None:
        """Return where the job waits and for how long, None when it does not wait.

        It takes the same time whatever the length of the queue.
        """
        standing = await self._store.queue.standing(job_id)
        if standing is None:
            return None
        return Place(
            position=standing.position,
            exact=standing.exact,
            of=max(standing.length, standing.position),
            wait_seconds=estimate(standing),
            at=standing.at,
            version=standing.version,
        )


def estimate(standing: Standing) -> float | None:
    """Return how long a job may wait, in seconds; None when nothing is known of it.

    It rests on the mean time for which the pool's last tasks held their slots, the slots that can be used
    now, and those that may be dispatched before the job: who is held back by a time, a limit or a pause is
    left out.
    """
    start = (standing.not_before - standing.now).total_seconds() if standing.not_before else 0.0
    pace = Pace(slots=standing.slots, free=standing.free, slot_seconds=standing.slot_seconds)
    return None if standing.held_back else wait_of(standing.rivals, pace, start)


def wait_of(rivals: int, pace: Pace, start_seconds: float) -> float | None:
    """Return how long the last of so many *rivals* waits, in seconds, and at least *start_seconds*; None when
    nothing is known of it. See `estimate`."""
    if not pace.slots or pace.slot_seconds is None:
        return None
    turns = max(0, rivals - pace.free) / pace.slots
    return max(turns * pace.slot_seconds, start_seconds)
