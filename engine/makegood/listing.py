"""The part of the engine that lists jobs, page by page, in an order that new jobs do not disturb."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from makegood.buckets import check_texts
from makegood.errors import InvalidRequest
from makegood.job import Job
from makegood.ports import Cursor, JobFilter, Store

#: How many jobs one page may have.
PAGE_MAX = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs, newest first; `next` is the cursor of the page that follows, None behind the last."""

    jobs: tuple[Job, ...]
    next: str | None = None


class Listing:
    """What a service shows of many jobs; `Engine` is one."""

    _store: Store

    async def list_jobs(
        self,
        owner: str | None,
        *,
        states: Sequence[str] = (),
        type: str | None = None,
        active: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        search: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> JobPage:
        """Return jobs of the *owner*, or of all owners (None), newest first, at most *limit* (1 to 200).

        Of these *states*, of this *type*, not over (*active* True) or over (False), submitted from *since*
        on and before *until*, times with zone, and found by *search*, see `JobFilter`. *after* is the `next`
        of the page before: it stays good while new jobs arrive, and with another filter. Raises
        InvalidRequest.
        """
        check_texts(owner=owner, type=type, search=search)
        for state in states:
            check_texts(state=state)
        for name, moment in (("since", since), ("until", until)):
            if moment is not None and moment.tzinfo is None:
                raise InvalidRequest(
                    f"{name} {moment} must be a time with zone, as datetime.now(UTC) gives it."
                )
        if not 1 <= limit <= PAGE_MAX:
            raise InvalidRequest(f"limit {limit} must be 1 to {PAGE_MAX} jobs.")
        wanted = JobFilter(
            owner=owner,
            states=tuple(states),
            type=type,
            active=active,
            since=since,
            until=until,
            search=search,
        )
        found = await self._store.jobs.page(wanted, limit + 1, None if after is None else _read(after))
        shown = found[:limit]
        return JobPage(tuple(shown), _written(shown[-1]) if len(found) > limit else None)


def _written(job: Job) -> str:
    """Return the cursor that stands for *job*; it is made to be sent back, not to be read."""
    moment = (job.created_at - _EPOCH) // _MICROSECOND
    return base64.urlsafe_b64encode(moment.to_bytes(8, "big") + job.id.bytes).decode()


def _read(text: str) -> Cursor:
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
        moment = _EPOCH + int.from_bytes(raw[:8], "big") * _MICROSECOND
        return Cursor(moment, UUID(bytes=raw[8:]))
    except (ValueError, OverflowError, binascii.Error):
        raise InvalidRequest(
            f"after {text[:100]!r} is no cursor: give the `next` of the page before."
        ) from None
