"""The store's part in what is ordered piece by piece: drafts, what is kept beside a job, pages that leave."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from makegood.job import Job
from makegood.outcome import JSON

#: So much may be kept beside a job, in bytes of JSON; the store refuses more. There is room for the longest
#: texts that tools take, in any alphabet, and for the addresses of all their files.
METADATA_BYTES_MAX = 65_536
#: So many jobs of one session are ended at a time.
SESSION_JOBS_MAX = 100


@dataclass(frozen=True, slots=True)
class Becomes:
    """The type as which a draft goes on, with what a job has of its type."""

    type: str
    version: int
    pool: str
    attempts_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a draft lacks, validated and priced: `price` in whole credits, `files` from input to blob key.
    `becomes` is None where it stays what it is."""

    price: int
    input: JSON
    request: JSON
    files: Mapping[str, str]
    becomes: Becomes | None = None


class Drafts(Protocol):
    """Jobs whose input comes later than they."""

    async def prepare(self, job_id: UUID, prepared: Prepared) -> Job | None:
        """Complete a draft that is not over, once; return the job as it then is, completed by this call or
        not, None if there is none. What it becomes begins in the state that it is in."""

    async def annotate(self, job_id: UUID, metadata: JSON) -> Job | None:
        """Merge the keys of *metadata* into what is kept beside the job, and return it; None if there is
        none. InvalidRequest where it would be more than METADATA_BYTES_MAX, and nothing is kept."""

    async def renew(self, owner: str) -> None:
        """Let the drafts of the owner stay a whole time of their state from now on, since a file of the owner
        is on its way; at most PROLONGED_TIMES such times in all."""

    async def of_session(self, session: str) -> list[Job]:
        """Return jobs of a session that are not over and were never submitted, oldest first, at most
        SESSION_JOBS_MAX."""
