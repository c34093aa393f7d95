"""The existing tables as views on job types: whose row a row is, and the columns that pages may name."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
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
#: Columns of every table that a page fills; the second is kept as the session of the job.
PAGE_COLUMNS = ("user_id", "session_id", "reference_prompt_id")
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What a job type is called on the wire.

    `columns` maps columns of its rows to inputs, `run` and `content` fields of the body of its function to
    inputs, those of `content` being files that lie in the body. `kept` are columns that fill no input,
    `fixed` such that are always the same. With `makes_row` its function makes the row, and no page does.
    """

    job_type: str
    label: str
    table: str
    function: str = ""
    endpoint: str = "run"
    makes_row: bool = False
    conflict: str = ""
    when: Mapping[str, Sequence[str]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    kept: Sequence[str] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, str] = field(default_factory=dict)
    content: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, job_type: Any) -> "Tool | None":
        """Return the names of a job type, of whatever making; None if it has no table."""
        table: str = getattr(job_type, "table", "")
        if not table:
            return None
        label = job_type.label or job_type.name
        wire = getattr(job_type, "wire", None)
        if wire is None:  # a class of somebody's own, which names a table and columns
            columns = getattr(job_type, "columns", _NONE)
            function: str = getattr(job_type, "function", "")
            return cls(
                job_type=job_type.name,
                label=label,
                table=table,
                function=function,
                columns=columns,
                run=columns,
            )
        return cls(
            job_type=job_type.name,
            label=label,
            table=table,
            function=wire.function,
            endpoint=wire.endpoint,
            makes_row=wire.makes_row,
            conflict=wire.conflict,
            when=wire.when,
            columns=wire.columns,
            kept=wire.kept,
            fixed=wire.fixed,
            run=wire.run,
            content=wire.content,
        )

    @property
    def own_columns(self) -> tuple[str, ...]:
        """The columns that not every table has."""
        return tuple(dict.fromkeys((*self.columns, *self.kept, *self.fixed)))

    def column_of(self, input_name: str) -> str:
        """Return the column that fills the input, for messages to the page."""
        return next((c for c, name in self.columns.items() if name == input_name), input_name)


@dataclass(frozen=True, slots=True)
class Table:
    """One table, of one tool or of several."""

    name: str
    tools: tuple[Tool, ...]

    @property
    def every_column(self) -> tuple[str, ...]:
        """What `select=*` gives."""
        own = (column for tool in self.tools for column in tool.own_columns)
        return tuple(dict.fromkeys((*SERVER_COLUMNS, *PAGE_COLUMNS, *own)))

    def has(self, column: str) -> bool:
        """Whether the table has the column."""
        return column in self.every_column

    def tool(self, job_type: str) -> Tool | None:
        """Return the tool of a job type whose rows stand in this table."""
        return next((tool for tool in self.tools if tool.job_type == job_type), None)

    def tool_for(self, row: Mapping[str, Any]) -> Tool | None:
        """Return the tool to which a row belongs that a page inserts; None: pages make no rows here."""
        return chosen((t for t in self.tools if not t.makes_row and t.endpoint == "run"), row)


class Tables:
    """The tools of the job types in an engine's catalog that name a table."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        tools: dict[str, Tool] = {}
        # Versions of one type share its table; the newest, which takes new jobs, comes last.
        for job_type in sorted(engine.catalog, key=lambda each: each.version):
            if tool := Tool.of(job_type):
                tools[tool.job_type] = tool
        self._tools = tools
        self._tables = {
            name: Table(name, tuple(tool for tool in tools.values() if tool.table == name))
            for name in dict.fromkeys(tool.table for tool in tools.values())
        }
        for table in self._tables.values():
            _refuse_twins(table)

    def __iter__(self) -> Iterator[Table]:
        return iter(self._tables.values())

    def get(self, name: str) -> Table | None:
        """Return the table of this name."""
        return self._tables.get(name)

    def tool(self, job_type: str) -> Tool | None:
        """Return what a job type is called on the wire."""
        return self._tools.get(job_type)

    def named(self, name: str) -> list[Table]:
        """Return the tables that *name* may mean: that of this name, or those whose tools people call so."""
        if table := self._tables.get(name):
            return [table]
        return [table for table in self._tables.values() if any(tool.label == name for tool in table.tools)]

    def function(self, name: str, endpoint: str = "run") -> list[Tool]:
        """Return the tools that the endpoint of a function runs."""
        return [t for t in self._tools.values() if (t.function, t.endpoint) == (name, endpoint)]

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
        return job if table.tool(job.type) else None


def chosen(tools: Iterable[Tool], values: Mapping[str, Any]) -> Tool | None:
    """Return the tool whose `when` holds of the columns of a row or the fields of a body, else the one that
    has none."""
    rest = None
    for tool in tools:
        if not tool.when:
            rest = tool
        elif all(values.get(name) in accepted for name, accepted in tool.when.items()):
            return tool
    return rest


def to_uuid(text: str) -> UUID | None:
    """Read a UUID."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _refuse_twins(table: Table) -> None:
    """Raise DeclarationError where nobody could tell to which of two job types a row belongs."""
    plain = [t.job_type for t in table.tools if not t.when and not t.makes_row and t.endpoint == "run"]
    if len(plain) > 1:
        raise DeclarationError(plain[-1], [f"its table {table.name!r} belongs to another type, {plain[0]!r}"])
