"""`/rest/v1/{table}`: the part of PostgREST that the existing pages use for their job rows."""

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, get_args

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel

from makegood.engine import Engine
from makegood.errors import ActiveJob, InvalidRequest, JobTypeClosed
from makegood_adapters.http.application import Refused, read_json
from makegood_adapters.http.callers import Gate
from makegood_adapters.queue_manager.addresses import Addresses
from makegood_adapters.queue_manager.callers import count, inserting_owner, may_read, may_report
from makegood_adapters.queue_manager.projection import to_row
from makegood_adapters.queue_manager.reports import Claim, Reports
from makegood_adapters.queue_manager.tables import Table, Tables, Tool, to_uuid

OBJECT = "application/vnd.pgrst.object+json"
_SELECT_LENGTH_MAX = 2_000
_REPORT = frozenset({"status", "error_message", "completed_at", "output_url"})
_NAME_LENGTH_MAX = 63
_SESSION_LENGTH_MAX, _REFERENCE_LENGTH_MAX = 200, 500
_NUMBER_BELOW = 10**18
_WHOLE, _NUMBER = re.compile(r"-?\d{1,18}"), re.compile(r"-?\d{1,18}(\.\d{1,18})?")
_PROFILES = ("Accept-Profile", "Content-Profile")
#: The one column that pages change after the insert, of no consequence.
REFERENCE = "reference_prompt_id"
_CODES = {
    400: "PGRST102",
    401: "PGRST301",
    404: "PGRST125",
    405: "PGRST117",
    413: "PGRST102",
    503: "PGRST001",
}


def row_error(refused: Refused) -> web.Response:
    """Return the refusal as PostgREST does: `{code, message, details, hint}`."""
    body = {
        "code": refused.code or _CODES.get(refused.status, "XX000"),
        "message": refused.message,
        "details": refused.details,
        "hint": None,
    }
    return web.json_response(body, status=refused.status)


class Rows:
    """Insert, read and patch job rows.

    A row that is inserted is a draft: its inputs may be a part, and addresses of files that nobody looks at
    before its function is called. Where users are known, the row of another is one that is not there.
    """

    def __init__(
        self, engine: Engine, tables: Tables, reports: Reports, addresses: Addresses, gate: Gate | None
    ) -> None:
        self._engine, self._tables, self._reports = engine, tables, reports
        self._addresses, self._gate = addresses, gate

    def routes(self) -> list[web.RouteDef]:
        """Return the routes below `/rest/v1`."""
        return [
            web.post("/{table}", self.insert),
            web.patch("/{table}", self.patch),
            web.get("/{table}", self.select, allow_head=False),
        ]

    async def insert(self, request: web.Request) -> web.Response:
        """Make a draft, which is `pending` and not charged whatever the row says."""
        table = self._table(request)
        columns = _selected(request, table)
        refuse_upsert(request)
        row = _one_row(await read_json(request))
        _refuse_unknown(table, row)
        if not _storable(row):
            raise Refused(400, "A text holds a character that cannot be stored.", code="22P05")
        owner, session = inserting_owner(request, row), _session(row)
        await count(self._gate, request, owner, "submits")  # a draft costs nothing, and stays for ever
        tool = table.tool_for(row)
        if tool is None:
            raise Refused(403, "Rows of this table are made by the function of their tool.", code="42501")
        _refuse_misfits(table, self._engine.catalog.get(tool.job_type).Input, tool, row)
        given = {name: row[column] for column, name in tool.columns.items() if row.get(column) is not None}
        named = (*tool.own_columns, REFERENCE)
        kept = {column: row[column] for column in named if row.get(column) is not None}
        try:
            job = await self._engine.submit(
                tool.job_type, owner, given, draft=True, session=session, metadata=kept
            )
        except ActiveJob as error:
            raise _conflict(tool, error) from None
        except JobTypeClosed as error:
            raise Refused(503, str(error)) from None
        except InvalidRequest as error:
            raise Refused(400, str(error), code="22001") from None
        if "return=representation" not in request.headers.get("Prefer", ""):
            return web.Response(status=201)
        made = await to_row(self._engine, table, job, columns, self._addresses)
        return _rows(request, [made], status=201)

    async def patch(self, request: web.Request) -> web.Response:
        """Take a change of the status as a client's report, keep `reference_prompt_id` for the owner, and
        ignore every other column.

        The reply is 204 whatever came of it, as the page has no use for another.
        """
        row = await read_json(request)
        if not isinstance(row, dict):
            raise Refused(400, "The body is no JSON object.", code="PGRST102")
        job = None
        if set(request.query) <= {"id", "select", "columns"}:
            operator, _, job_id = request.query.get("id", "").partition(".")
            job = await self._tables.find(request.match_info["table"], job_id) if operator == "eq" else None
        if job is None or not may_report(request, job):
            return web.Response(status=204)
        reference = row.get(REFERENCE)
        if isinstance(reference, str) and may_read(request, job):
            with contextlib.suppress(InvalidRequest):  # too long, or what no database holds
                await self._engine.annotate(job.id, {REFERENCE: reference[:_REFERENCE_LENGTH_MAX]})
        if _REPORT & row.keys():
            await self._reports.take(job, Claim.read(row, "error_message", "output_url"))
        return web.Response(status=204)

    async def select(self, request: web.Request) -> web.Response:
        """Return the row with the given id as a list of one, `[]` for an unknown id."""
        table = self._table(request)
        columns = _selected(request, table)
        filters = sorted(set(request.query) - {"select"})
        operator, _, job_id = request.query.get("id", "").partition(".")
        if filters != ["id"] or operator != "eq":
            raise Refused(400, "Rows are read one at a time, by id=eq.{uuid}.", code="PGRST100")
        if to_uuid(job_id) is None:
            raise Refused(400, "The id is not a valid uuid.", code="22P02")
        job = await self._tables.find(table.name, job_id)
        found = []
        if job is not None and may_read(request, job):
            found.append(await to_row(self._engine, table, job, columns, self._addresses))
        return _rows(request, found)

    def _table(self, request: web.Request) -> Table:
        name = request.match_info["table"]
        table = self._tables.get(name)
        if table is None:
            # The name is not repeated: it may be any text, and the page shows the message.
            raise Refused(404, "Could not find the table in the schema cache", code="PGRST205")
        return table


@web.middleware
async def public_schema(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Serve the schema `public` and no other."""
    for name in _PROFILES:
        if request.headers.get(name, "public") != "public":
            raise Refused(406, "The schema must be one of the following: public", code="PGRST106")
    return await handler(request)


def _one_row(body: Any) -> Mapping[str, Any]:
    """Return the row of an insert; the client library sends one row also as a list of one."""
    if isinstance(body, list) and len(body) == 1:
        [body] = body
    if not isinstance(body, dict):
        raise Refused(400, "The body is not one row as a JSON object.", code="PGRST102")
    return body


def _refuse_unknown(table: Table, row: Mapping[str, Any]) -> None:
    for column in row:
        if not table.has(column):
            name = column[:_NAME_LENGTH_MAX]
            message = f"Could not find the '{name}' column of '{table.name}' in the schema cache"
            raise Refused(400, message, code="PGRST204")


def _selected(request: web.Request, table: Table) -> Sequence[str]:
    """Return the columns that `select` names, all of them when it is left out or `*`."""
    text = request.query.get("select", "*")
    if text.strip() in ("", "*"):
        return table.every_column
    if len(text) > _SELECT_LENGTH_MAX:
        raise Refused(400, "The list of columns is too long.", code="PGRST100")
    columns = [part.strip() for part in text.split(",")]
    for column in columns:
        if not table.has(column):
            raise Refused(
                400, f"column {table.name}.{column[:_NAME_LENGTH_MAX]} does not exist", code="42703"
            )
    return columns


def _rows(request: web.Request, rows: Sequence[Mapping[str, Any]], status: int = 200) -> web.Response:
    """Return rows as a list, or the only one as an object where the client asks for that."""
    if OBJECT not in request.headers.get("Accept", ""):
        return web.json_response(rows, status=status)
    if len(rows) != 1:
        raise Refused(
            406,
            "Cannot coerce the result to a single JSON object",
            code="PGRST116",
            details=f"The result contains {len(rows)} rows",
        )
    return web.json_response(rows[0], status=status, content_type=OBJECT)


def refuse_upsert(request: web.Request) -> None:
    """Raise Refused for an insert that would change a row that is there."""
    if "resolution=" in request.headers.get("Prefer", "") or "on_conflict" in request.query:
        raise Refused(400, "A row is inserted, never put in place of another.", code="PGRST100")


def _session(row: Mapping[str, Any]) -> str | None:
    """Return the session of the page, None for what cannot be one."""
    session = row.get("session_id")
    fits = isinstance(session, str) and 0 < len(session) <= _SESSION_LENGTH_MAX and session.isprintable()
    return session if fits else None


def _refuse_misfits(table: Table, input: type[BaseModel], tool: Tool, row: Mapping[str, Any]) -> None:
    """Raise Refused for a value that a column of numbers does not take, as a database would."""
    numbers = _number_columns(input)
    for column, name in tool.columns.items():
        value = row.get(column)
        if name in numbers and not _is_number(value, whole=numbers[name]):
            kind = "integer" if numbers[name] else "numeric"
            shown = str(value)[:_NAME_LENGTH_MAX]
            message = f'invalid input syntax for type {kind}: "{shown}"'
            raise Refused(400, message, code="22P02", details=f"Column {column} of {table.name}.")


@cache
def _number_columns(input: type[BaseModel]) -> dict[str, bool]:
    """Return the inputs that are numbers, and whether they are whole ones."""
    found = {}
    for name, info in input.model_fields.items():
        kinds = _kinds(info.annotation)
        if kinds & {int, float}:
            found[name] = float not in kinds
    return found


def _kinds(annotation: Any) -> set[Any]:
    """Return the plain types in an annotation, of whatever alternatives and bounds it consists."""
    if isinstance(annotation, type):
        return {annotation}
    return {kind for part in get_args(annotation) for kind in _kinds(part)}


def _is_number(value: Any, *, whole: bool) -> bool:
    if value is None:
        return True
    if isinstance(value, str):
        return (_WHOLE if whole else _NUMBER).fullmatch(value.strip()) is not None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < _NUMBER_BELOW and (not whole or value == int(value))


def _conflict(tool: Tool, error: ActiveJob) -> Refused:
    """Return the refusal of a second job: the page looks for the name of the index in the message."""
    index = tool.conflict or "one_active_job_per_user"
    return Refused(
        409,
        f'duplicate key value violates unique constraint "{index}"',
        code="23505",
        details=str(error),
    )


def _storable(value: Any) -> bool:
    """Whether the database can hold every text in *value*: no NUL, no half of a character."""
    try:
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return "\\u0000" not in text.replace("\\\\", "")
