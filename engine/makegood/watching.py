"""The part of the engine that tells what has happened: the history of a job, and the stream of them all."""

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from typing import overload
from uuid import UUID

from makegood.buckets import check_texts
from makegood.errors import InvalidRequest, UnknownJob
from makegood.job import Ending, Transition
from makegood.mover import PLACED, job_topic, owner_topic
from makegood.ports import Store, Wakeups
from makegood.settings import Settings

#: How much of the stream is read at a time.
STEPS_MAX = 200
#: No job gets so far: what a store can count to.
_VERSION_MAX = 2**31 - 1


class Watching:
    """What others learn of transitions; `Engine` is one."""

    _store: Store
    _wakeups: Wakeups
    settings: Settings

    async def history(
        self, job_id: UUID, after_version: int = -1, *, owner: str | None = None
    ) -> list[Transition]:
        """Return the job's transitions with a version above *after_version*, in order; with *owner* none of a
        job that is not that owner's."""
        return await self._store.jobs.history(job_id, min(max(-1, after_version), _VERSION_MAX), owner=owner)

    async def steps(self, after: int, *, owner: str | None = None) -> list[Transition]:
        """Return what the stream has after the place *after*, of an *owner* or of all, at most STEPS_MAX;
        fewer: there is no more by now."""
        check_texts(owner=owner)
        return await self._store.stream.read(max(0, after), STEPS_MAX, owner)

    async def endings(self, job_ids: Collection[UUID]) -> Mapping[UUID, Ending]:
        """Return how those of the jobs ended that are over: with which version, and with which money."""
        return await self._store.stream.endings(job_ids)

    async def last_seq(self) -> int:
        """Return the `seq` of the last transition in the stream, 0 before the first: where to begin in order
        to hear only what is new."""
        return await self._store.stream.last()

    @overload
    def watch(self, job_id: UUID, after: int | None = None) -> AsyncGenerator[Transition, None]: ...
    @overload
    def watch(
        self, job_id: None = None, after: int | None = None, *, owner: str | None = None
    ) -> AsyncGenerator[Transition, None]: ...
    def watch(
        self, job_id: UUID | None = None, after: int | None = None, *, owner: str | None = None
    ) -> AsyncGenerator[Transition, None]:
        """Yield transitions, past and coming: of a job until it is over, of an *owner* or of all for ever.

        *after* is the last one that is known, whoever told of it: of a job its `version`, else its `seq`.
        None is left out and none comes twice, wherever one begins. Those of one job come in its order; those
        of several in that of their places in the stream, which a process with loops gives after the commit.
        While the store cannot be reached it raises StoreUnavailable, and one goes on where one was. Raises
        UnknownJob, and InvalidRequest for an *after* to which the job, or the stream, has not come.
        """
        check_texts(owner=owner)
        if job_id is None:
            return self._watch_stream(owner, max(0, after or 0))
        if owner is not None:
            raise InvalidRequest("Watch a job, or all jobs of an owner, not both: leave one of them out.")
        return self._watch_job(job_id, -1 if after is None else max(-1, after))

    async def watch_pages(
        self, after: int = 0, *, owner: str | None = None
    ) -> AsyncGenerator[list[Transition], None]:
        """Yield what `watch` yields of an *owner* or of all, as many transitions at a time as there are, at
        most STEPS_MAX: for one who reads for many."""
        check_texts(owner=owner)
        seq = max(0, after)
        with self._wakeups.listen(PLACED if owner is None else owner_topic(owner)) as bell:
            if seq > (last := await self.last_seq()):
                raise InvalidRequest(
                    f"The stream has come to {last}, so nobody can have seen {seq}: the number is of another "
                    "database, or this one was restored. Begin at 0, or with what you know to be yours."
                )
            while True:
                steps = await self.steps(seq, owner=owner)
                if steps:
                    yield steps
                    seq = steps[-1].seq or seq
                if len(steps) < STEPS_MAX:
                    await bell.wait(self.settings.loop_interval_seconds)

    async def _watch_job(self, job_id: UUID, after: int) -> AsyncGenerator[Transition, None]:
        version = after
        with self._wakeups.listen(job_topic(job_id)) as bell:
            while True:
                job = await self._store.jobs.get(job_id)
                if job is None:
                    raise UnknownJob(job_id)
                if version == after > job.version:
                    raise InvalidRequest(
                        f"Job {job_id} has come to version {job.version}, so nobody can have seen {after}: "
                        "the number is of another job, or the database was restored. Leave it out."
                    )
                for transition in await self.history(job_id, version):
                    yield transition
                    version = transition.version
                if job.finished_at is not None and version >= job.version:
                    return
                await bell.wait(self.settings.loop_interval_seconds)

    async def _watch_stream(self, owner: str | None, seq: int) -> AsyncGenerator[Transition, None]:
        async with aclosing(self.watch_pages(seq, owner=owner)) as pages:
            async for page in pages:
                for step in page:
                    yield step
