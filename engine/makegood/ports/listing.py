"""Which jobs are listed, and from where on: a filter and a cursor."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """What the jobs of a list have in common; what is None or empty leaves none out.

    `owner` None is every owner. `active`: True leaves out what is over, False what is not. `since` and
    `until`, times with zone, bound when a job was submitted: not before the one, and before the other.
    """

    owner: str | None = None
    states: tuple[str, ...] = ()
    type: str | None = None
    active: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """A job's place in every list, of which it was the last that was seen."""

    created_at: datetime
    job_id: UUID
