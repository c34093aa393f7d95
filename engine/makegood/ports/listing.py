"""Which jobs are listed, and from where on: a filter and a cursor."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

#: A shorter beginning of an id would be that of too many.
_ID_BEGINNING_MIN = 8
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """What the jobs of a list have in common; what is None or empty leaves none out.

    `owner` None is every owner. `active`: True leaves out what is over, False what is not. `since` and
    `until`, times with zone, bound when a job was submitted: not before the one, and before the other.
    `search` is the id of a job or its beginning of 8 hexadecimal digits or more, the id of a task at a
    provider, an idempotency key or an owner, each as it stands.
    """

    owner: str | None = None
    states: tuple[str, ...] = ()
    type: str | None = None
    active: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None

    @property
    def ids(self) -> tuple[UUID, UUID] | None:
        """From which to which id the jobs have what is searched for as the beginning of theirs; None: none
        can have it."""
        digits = (self.search or "").replace("-", "").lower()
        if not (_ID_BEGINNING_MIN <= len(digits) <= 32 and set(digits) <= _HEX):
            return None
        return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


@dataclass(frozen=True, slots=True)
class Cursor:
    """A job's place in every list, of which it was the last that was seen."""

    created_at: datetime
    job_id: UUID
