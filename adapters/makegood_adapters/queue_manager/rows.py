"""`/rest/v1/{table}`: the part of PostgREST that the existing pages use for their job rows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from makegood.engine import Engine
from makegood.errors import ActiveJob, InvalidInput, JobTypeClosed
from makegood_adapters.http.application import Refused, read_json
from makegood_adapters.queue_manager.addresses import Addresses
from makegood_adapters.queue_manager.callers import inserting_owner, may_read, may_report
from makegood_adapters.queue_manager.projection import to_row
from makegood_adapters.queue_manager.reports import Claim, Reports
from makegood_adapters.queue_manager.tables import Table, Tables, to_uuid

OBJECT = "application/vnd.pgrst.object+json"
_SELECT_LENGTH_MAX = 2_000
_REPORT = frozenset({"status", "error_message", "completed_at", "output_url"})
_NAME_LENGTH_MAX = 63
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

    A row must be complete when it is inserted: its file columns hold keys of files that are there
    already. Rows that wait for their inputs are not taken. Where users are known, the row of another is
    one that is not there.
    """

    def __init__(self, engine: Engine, tables: Tables, reports: Reports, addresses: Addresses) -> None:
        self._engine, self._tables, self._reports = engine, tables, reports
        self._addresses = addresses

    def routes(self) -> list[web.RouteDef]:
        """Return the routes below `/rest/v1`."""
        return [
            web.post("/{table}", self.insert),
            web.patch("/{table}", self.patch),
            web.get("/{table}", self.select, allow_head=False),
        ]

    async def insert(self, request: web.Request) -> web.Response:
        """Submit a job, which is `pending` and not charged whatever the row says."""
        table = self._table(request)
        columns = _selected(request, table)
        row = _one_row(await read_json(request))
        _refuse_unknown(table, row)
        if not _storable(row):
            raise Refused(400, "A text holds a character that cannot be stored.", code="22P05")
        owner = inserting_owner(request, row)
        given = {name: row[column] for column, name in table.columns.items() if column in row}
        try:
            job = await self._engine.submit(table.job_type, owner, given)
        except InvalidInput as error:
            raise _incomplete(table, error) from None
        except ActiveJob as error:
            raise Refused(409, str(error), code="23505") from None
        except JobTypeClosed as error:
            raise Refused(503, str(error)) from None
        if "return=representation" not in request.headers.get("Prefer", ""):
            return web.Response(status=201)
        made = await to_row(self._engine, table, job, columns, self._addresses)
        return _rows(request, [made], status=201)

    async def patch(self, request: web.Request) -> web.Response:
        """Take a change of the status as a client's report; ignore every other column.

        The reply is 204 whatever came of it, as the page has no use for another.
        """
        row = await read_json(request)
        if not isinstance(row, dict):
            raise Refused(400, "The body is no JSON object.", code="PGRST102")
        operator, _, job_id = request.query.get("id", "").partition(".")
        job = await self._tables.find(request.match_info["table"], job_id) if operator == "eq" else None
        if job is not None and may_report(request, job) and _REPORT & row.keys():
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


def _incomplete(table: Table, error: InvalidInput) -> Refused:
    problems = "; ".join(f"{table.column_of(name)}: {text}" for name, text in error.problems)
    return Refused(
        400,
        f"The row cannot become a job. {problems}. Nothing was stored and nothing charged.",
        code="23514",
        details="Every input must be in the row, and every file in our storage, before the insert.",
    )


def _storable(value: Any) -> bool:
    """Whether the database can hold every text in *value*: no NUL, no half of a character."""
    try:
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return "\\u0000" not in text.replace("\\\\", "")
