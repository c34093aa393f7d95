"""The SQL files fit the schema, the code that calls them, and the snapshots that their rows become."""

import ast
import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import makegood_adapters.postgres
from makegood import ports
from makegood.audit import Totals, Violation
from makegood.fairness import Rule
from makegood.job import (
    Announcement,
    Attempt,
    Bucket,
    Ending,
    Evidence,
    Job,
    JobMoney,
    JournalLine,
    Occupancy,
    Transition,
)
from makegood.ports import Delivery, Endpoint, KeptMessage, Parcel, ServiceKey, StoredHint, Try, Worker
from makegood_adapters.postgres import endpoint_rows, rows
from makegood_adapters.postgres.statements import statement

PACKAGE = Path(makegood_adapters.postgres.__file__).parent
NAMES = sorted(
    str(path.relative_to(PACKAGE / "sql").with_suffix("")) for path in PACKAGE.glob("sql/**/*.sql")
)
MODULES = sorted(PACKAGE.glob("*.py"))
# By statement: what makes its rows into values, and which columns the code reads beside that.
READERS: dict[str, tuple[Callable[..., Any], type, set[str]]] = {
    "jobs/get": (rows.to_job, Job, set()),
    "jobs/insert": (rows.to_job, Job, set()),
    "jobs/history": (rows.to_transition, Transition, set()),
    "jobs/money": (rows.to_money, JobMoney, set()),
    "stream/endings": (rows.to_ending, Ending, {"job_id"}),
    "attempts/get": (rows.to_attempt, Attempt, set()),
    "attempts/keep_evidence": (rows.to_attempt, Attempt, set()),
    "attempts/of": (rows.to_attempt, Attempt, set()),
    "attempts/evidence": (rows.to_evidence, Evidence, set()),
    "accounts/occupancy": (rows.to_occupancy, Occupancy, set()),
    "audit/violations": (rows.to_violation, Violation, {"found"}),
    "audit/totals": (rows.to_totals, Totals, {"owners"}),
    "hints/unread": (rows.to_hint, StoredHint, set()),
    "hints/of": (rows.to_message, KeptMessage, set()),
    "ledger/buckets": (rows.to_bucket, Bucket, {"spendable", "debt"}),
    "ledger/lines": (rows.to_line, JournalLine, set()),
    "rules/all": (rows.to_rule, Rule, set()),
    "ledger/lines_of": (rows.to_line, JournalLine, set()),
    "workers/present": (rows.to_worker, Worker, set()),
    "keys/all": (rows.to_service_key, ServiceKey, set()),
    "keys/find": (rows.to_service_key, ServiceKey, set()),
    "outbox/take": (rows.to_announcement, Announcement, set()),
    "endpoints/get": (endpoint_rows.to_endpoint, Endpoint, set()),
    "endpoints/page": (endpoint_rows.to_endpoint, Endpoint, set()),
    "deliveries/take": (endpoint_rows.to_parcel, Parcel, {"secret", "old_secret", "seq"}),
    "deliveries/page": (endpoint_rows.to_delivery, Delivery, set()),
    "deliveries/tries": (endpoint_rows.to_try, Try, set()),
}


def test_there_are_statements() -> None:
    assert len(NAMES) > 30


async def test_every_statement_can_be_prepared_on_the_migrated_schema(plain: asyncpg.Connection) -> None:
    """`prepare` also refuses a file that holds more than one statement."""
    broken = {}
    for name in NAMES:
        try:
            await plain.prepare(statement(name))
        except asyncpg.PostgresError as error:
            broken[name] = str(error)
    assert not broken


@pytest.mark.parametrize("name", NAMES)
def test_a_statement_says_what_it_does_and_who_calls_it(name: str) -> None:
    lines = statement(name).splitlines()
    comment = " ".join(line[3:] for line in lines if line.startswith("-- "))
    assert lines[0].startswith("-- ")
    assert lines[len([line for line in lines if line.startswith("--")])].split()[0].islower()
    told = re.fullmatch(r"[A-Z].+[.;].* ?Called (?:by|wherever|to) (.+)\.", comment)
    assert told, comment
    for port, method in re.findall(r"\b([A-Z]\w+)\.(\w+)", told[1]):
        assert hasattr(getattr(ports, port), method), f"{port}.{method}"


def constants(path: Path) -> Iterator[str]:
    """Yield every string of a module, and each with the module's name before it, as a folder."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
            yield f"{path.stem}/{node.value}"


def test_every_statement_is_used() -> None:
    used = {text for path in MODULES for text in constants(path)}
    assert not set(NAMES) - used


def test_every_statement_that_is_named_is_there() -> None:
    named = re.compile(r"""\bstatement\(\s*"([^"{}]+)"\s*\)""")
    wanted = {name for path in MODULES for name in named.findall(path.read_text("utf-8"))}
    assert len(wanted) > 20
    assert not wanted - set(NAMES)


def calls(function: Callable[..., Any]) -> dict[str, ast.Call]:
    """Return what a function calls by its plain name."""
    nodes = ast.walk(ast.parse(inspect.getsource(function)))
    found = [node for node in nodes if isinstance(node, ast.Call)]
    return {call.func.id: call for call in found if isinstance(call.func, ast.Name)}


def columns_read(function: Callable[..., Any]) -> set[str]:
    """Return the columns that a function of `rows` reads, itself or through another one of them."""
    found = set()
    for node in ast.walk(ast.parse(inspect.getsource(function))):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            found.add(str(node.slice.value))
    for name in calls(function):
        if name.startswith("to_"):
            found |= columns_read(getattr(rows, name))
    return found


@pytest.mark.parametrize("name", READERS)
async def test_columns_are_what_the_code_reads(plain: asyncpg.Connection, name: str) -> None:
    function, _, beside = READERS[name]
    prepared = await plain.prepare(statement(name))
    columns = [attribute.name for attribute in prepared.get_attributes()]
    assert len(columns) == len(set(columns))
    assert set(columns) == columns_read(function) | beside


@pytest.mark.parametrize("name", READERS)
def test_a_row_fills_every_field_of_its_snapshot(name: str) -> None:
    """Also those that have a default, which no type checker would miss."""
    function, snapshot, _ = READERS[name]
    made = calls(function)[snapshot.__name__]
    assert {keyword.arg for keyword in made.keywords} == {f.name for f in dataclasses.fields(snapshot)}


def test_every_reader_is_looked_at() -> None:
    readers = {name for module in (rows, endpoint_rows) for name in vars(module) if name.startswith("to_")}
    assert readers == {function.__name__ for function, _, _ in READERS.values()}


async def test_what_a_move_changes_is_read_again(plain: asyncpg.Connection) -> None:
    """The other columns of a job are its snapshot's: they must be those that never change."""
    prepared = await plain.prepare(statement("jobs/move"))
    columns = {attribute.name for attribute in prepared.get_attributes()}
    assert columns == columns_read(rows.moved_on) | {"job_id", "operation_id"}
    fixed = {f.name for f in dataclasses.fields(Job)} - columns_read(rows.moved_on) - {"id", "owner"}
    assert fixed == {
        *("type", "type_version", "pool", "price", "input", "request", "files", "key"),
        *("attempts_max", "created_at", "retry_of", "exclusive_scope", "session"),
        "draft",  # and with it price, input, request, files: `Jobs.apply` sees to it that it is still one
    }
