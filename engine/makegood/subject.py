"""What the running task works on, so that a log line, a measure and a span can name it."""

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One job, and of its attempts the one that is worked on, None where it is about none."""

    job_id: UUID
    type: str | None = None
    attempt: int | None = None
    account: str | None = None


#: Set at the beginning of a task of a crew, and for the time of a call: a task begun there inherits it.
SUBJECT: ContextVar[Subject | None] = ContextVar("makegood_subject", default=None)
