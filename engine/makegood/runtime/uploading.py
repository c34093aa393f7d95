"""Bring a job's inputs to its account: as long as bytes move it goes on, and lease and deadline with it."""

import asyncio
import logging

from makegood.errors import MakegoodError
from makegood.job import Attempt, Job
from makegood.ports import Provider
from makegood.runtime.context import Context

log = logging.getLogger("makegood.uploading")


class LeaseLost(Exception):
    """Another worker has the attempt by now, or its job is over: what was begun here is of no use."""


class InputGone(Exception):
    """A file of ours, named by the job, is no longer there."""

    def __init__(self, field: str) -> None:
        super().__init__(f"The input file {field!r} is no longer there.")


class Uploading:
    """One attempt's inputs on their way, with the heartbeat that they drive."""

    def __init__(self, context: Context, job: Job, attempt: Attempt) -> None:
        self._context, self._job, self._attempt = context, job, attempt
        self._moved, self._lost, self._over = asyncio.Event(), False, False

    async def bring(self, provider: Provider) -> dict[str, str]:
        """Return the provider's names of the inputs.

        Raises TimeoutError when nothing has moved for `upload_timeout_seconds`, LeaseLost, InputGone, and
        what the provider raises.
        """
        limit, clock = self._context.settings.upload_timeout_seconds, asyncio.get_running_loop().time
        names: dict[str, str] = {}
        beat: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(limit) as bound:

                def heard(size: int) -> None:
                    # A provider's own task may tell of bytes after all is over, one way or the other.
                    if size > 0 and not self._lost and not self._over and not bound.expired():
                        bound.reschedule(clock() + limit)
                        self._moved.set()

                beat = asyncio.create_task(self._beat(bound), name=f"heartbeat {self._job.id}")
                for field, key in self._job.files.items():
                    data = await self._context.blobs.get(key)
                    if data is None:
                        raise InputGone(field)
                    names[field] = await provider.upload(key, data, heard)
                    heard(len(data))
        except TimeoutError:
            if self._lost:
                raise LeaseLost from None
            raise
        finally:
            self._over = True
            if beat is not None:
                beat.cancel()
                await asyncio.wait([beat])
                if not beat.cancelled() and (error := beat.exception()):
                    log.error("the heartbeat of job %s ended", self._job.id, exc_info=error)
        return names

    async def _beat(self, bound: asyncio.Timeout) -> None:
        """Renew the lease while something moves; return, with the upload's time over, once it is lost."""
        settings = self._context.settings
        while True:
            await self._moved.wait()
            self._moved.clear()
            try:
                ours = await self._context.store.attempts.renew(self._attempt, settings.lease_seconds)
            except MakegoodError as error:  # without a store the lease ends by itself
                log.warning("the lease of job %s could not be renewed: %s", self._job.id, error)
                ours = True
            if not ours:
                self._lost = True
                if not bound.expired():
                    bound.reschedule(asyncio.get_running_loop().time())
                return
            await asyncio.sleep(settings.heartbeat_seconds)
