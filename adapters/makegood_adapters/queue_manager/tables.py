"""The existing tables as views on job types, and the columns that a page may name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from makegood.engine import Engine
from makegood.errors import DeclarationError, UnknownJob
from makegood.job import Job

#: Columns of every table that the server alone sets; what an insert says in them is ignored.
SERVER_COLUMNS = (
    "id",
    "status",
    "task_id",
    "position",
    "created_at",
    "started_at",
    "completed_at",
    "output_url",
    "thumbnail_url",
    "error_message",
    "user_credit_cost",
    "credits_charged",
    "credits_refunded",
    "rh_cost",
    "api_account",
    "waited_in_queue",
    "queue_wait_seconds",
    "job_payload",
    "current_step",
    "step_history",
    "failed_at_step",
    "raw_api_response",
    "raw_webhook_payload",
)
#: Columns that a page may fill and of which nothing is kept in the row.
PAGE_COLUMNS = ("user_id", "session_id", "reference_prompt_id")
# Beside the address of a file, pages send what the file was called on the user's disk.
_FILE_NAME = re.compile(r"[a-z_]{1,40}_file_name")


@dataclass(frozen=True, slots=True)
class Table:
    """One table: `columns` maps a column to the input of the job type that it fills."""

    name: str
    job_type: str
    columns: Mapping[str, str]

    @property
    def every_column(self) -> tuple[str, ...]:
        """What `select=*` gives."""
        return tuple(dict.fromkeys((*SERVER_COLUMNS, *PAGE_COLUMNS, *self.columns)))

    def has(self, column: str) -> bool:
        """Whether the table has the column."""
        return column in self.every_column or _FILE_NAME.fullmatch(column) is not None

    def column_of(self, input_name: str) -> str:
        """Return the column that fills the input, for messages to the page."""
        return next((c for c, name in self.columns.items() if name == input_name), input_name)


class Tables:
    """The tables of the job types in an engine's catalog that name one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tables: dict[str, Table] = {}
        # Versions of one type share its table; the newest, which takes new jobs, comes last.
        for job_type in sorted(engine.catalog, key=lambda each: each.version):
            # Job types of any making may be offered; those read from tool files have both names.
            name = getattr(job_type, "table", "")
            if not name:
                continue
            if name in self._tables and self._tables[name].job_type != job_type.name:
                raise DeclarationError(job_type.name, [f"its table {name!r} belongs to another type"])
            self._tables[name] = Table(name, job_type.name, getattr(job_type, "columns", {}))

    def get(self, name: str) -> Table | None:
        """Return the table of this name."""
        return self._tables.get(name)

    async def find(self, table_name: object, job_id: object) -> Job | None:
        """Return the row of a table, None for whatever is not the name of one."""
        if not isinstance(table_name, str) or not isinstance(job_id, str):
            return None
        table, key = self.get(table_name), to_uuid(job_id)
        if table is None or key is None:
            return None
        try:
            job = await self._engine.get(key)
        except UnknownJob:
            return None
        return job if job.type == table.job_type else None


def to_uuid(text: str) -> UUID | None:
    """Read a UUID."""
    try:
        return UUID(text)
    except ValueError:
        return None
