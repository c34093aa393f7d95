"""All commands alike: their help, its examples, what a program is told, mistakes."""

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App
from rich.console import Console

from makegood_adapters.cli.app import build
from makegood_adapters.cli.commands import COMMANDS, examples_of
from tests import command

WHOLE = build()


def leaves(app: App, called: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Yield every command that does something, with the words that call it."""
    if app.default_command:
        yield called, app
        return
    for name in app:
        if not name.startswith("-"):
            yield from leaves(app[name], (*called, name))


LEAVES = dict(leaves(WHOLE))
EXAMPLES = [
    (words, line)
    for words, each in LEAVES.items()
    if each.default_command
    for line in examples_of(each.default_command)
]


def test_no_help_loads_what_is_not_called() -> None:
    code = (
        "import sys; sys.argv = ['makegood', '--help']; from makegood_adapters.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(*{'makegood', 'asyncpg', 'aiohttp', 'pydantic'} & set(sys.modules), 'end')"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "end"
    for each in COMMANDS:
        assert f" {each.name} " in told.stdout


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_help_ends_with_an_example(words: tuple[str, ...]) -> None:
    page = io.StringIO()
    WHOLE.help_print([*words], console=Console(file=page, width=200))
    examples = [line for called, line in EXAMPLES if called == words]
    assert examples
    assert page.getvalue().split()[-len(examples[-1].split()) :] == examples[-1].split()


@pytest.mark.parametrize(("words", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_every_example_can_be_typed(words: tuple[str, ...], line: str) -> None:
    typed = shlex.split(line.partition(" > ")[0].partition(" && ")[0])
    assert typed[: len(words) + 1] == ["makegood", *words]
    called, *_ = WHOLE.parse_args(typed[1:], print_error=False, exit_on_error=False)
    assert called is LEAVES[words].default_command


#: Commands that have no `--json`: what they print is read by programs as it is, or they only run.
ITSELF, RUNS = {("completion",), ("openapi",), ("schema",)}, {("dev",), ("serve",)}
#: Commands that are run here without a database, and what of their documents is looked at.
TOLD = {
    "check --json": {"job_types", "problems", "unreadable"},
    "diff base base --json": {"old", "new", "changes", "needs_new_version", "for_live_jobs"},
    "graph base --json": {"name", "version", "states", "edges"},
    "init new --json": {"written", "next"},
    "import --write-sql statements --json": {"written"},
}
#: Commands over a database in which nothing is yet.
TOLD_OF = {
    "migrate": {"applied"},
    "audit": {"at", "violations", "invariants", "found", "total", "owners"},
    "top": {"at", "workers", "accounts", "queue", "states", "jobs_per_minute"},
    "jobs list": {"jobs", "next"},
    "limit --owner ana --running-max 5": {"scope", "name", "running_max", "weight", "actor", "changed_at"},
    "pause --owner ana --reason tired": {"scope", "name", "paused_at", "paused_until", "reason"},
    "resume --owner ana": {"resumed"},
    "key make shop --scope owners": {"id", "name", "scopes", "expires_at", "secret"},
    "key rotate shop": {"id", "previous_until", "secret"},
    "key revoke shop": {"id", "revoked_at", "revoked_by"},
}


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_that_tells_something_tells_it_to_programs_too(words: tuple[str, ...]) -> None:
    flags = {name for each in LEAVES[words].assemble_argument_collection() for name in each.names}
    assert ("--json" in flags) == (words not in ITSELF | RUNS)


@pytest.mark.parametrize("typed", TOLD)
def test_what_a_program_is_told_is_one_document(typed: str, tmp_path: Path) -> None:
    told = command.run(*typed.split(), folder=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    assert json.loads(told.stdout).keys() >= TOLD[typed]


def test_what_a_program_is_told_of_a_database_is_one_document(database: str, tmp_path: Path) -> None:
    environment = {**os.environ, "DATABASE_URL": database}
    for typed, keys in TOLD_OF.items():
        address = ("--dsn", database) if typed == "migrate" else ()
        told = command.run(*typed.split(), *address, "--json", folder=tmp_path, environment=environment)
        assert (told.returncode, told.stderr) == (0, ""), typed
        assert json.loads(told.stdout).keys() >= keys, typed
    for typed in ("rules", "key list", "endpoint list"):
        told = command.run(*typed.split(), "--json", folder=tmp_path, environment=environment)
        assert (told.returncode, type(json.loads(told.stdout))) == (0, list), typed


#: What is typed, and what the sentence says.
MISTAKES = {
    "frobnicate": 'Unknown command "frobnicate". `makegood --help` tells what there is.',
    "key frob": 'Unknown command "frob". `makegood key --help` tells what there is.',
    "top --nonsense": "Unknown option: --nonsense. Did you mean --once?",
    "top extra": "'extra' is more than it takes. `makegood top --help` tells what there is.",
    "top --every often": 'Invalid value for --every: unable to convert "often" into float.',
    "graph base --format gif": 'Invalid value "gif" for --format. Choose from: "mermaid", "svg"',
    "settle": 'Command "settle" parameter JOB requires an argument.',
}


@pytest.mark.parametrize("typed", MISTAKES)
def test_a_mistake_is_one_sentence_that_says_where_to_look(typed: str) -> None:
    told = command.run(*typed.split(), environment={**os.environ, "COLUMNS": "40"})
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith(f"makegood: {MISTAKES[typed]}")
    assert told.stderr.endswith(" --help` tells what there is.\n")
    assert told.stderr.count("\n") == 1
