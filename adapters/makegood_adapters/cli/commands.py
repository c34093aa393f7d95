"""The commands by name: where each is, and its one line; what is not called is not loaded."""

import importlib
import inspect
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from cyclopts import App

_HERE = "makegood_adapters.cli."
_EXAMPLES = "Examples\n--------\n"


@dataclass(frozen=True, slots=True)
class Command:
    """One command, as `makegood --help` lists it; `address` is a function or an `App`, as module:name."""

    name: str
    address: str
    summary: str

    def load(self) -> Callable[..., Any] | App:
        """Import and return what is called."""
        module, _, name = self.address.partition(":")
        found: Callable[..., Any] | App = getattr(importlib.import_module(module), name)
        return found


def _command(name: str, address: str, summary: str) -> Command:
    return Command(name, _HERE + address, summary)


COMMANDS = (
    _command("audit", "audit.command:audit", "Check every invariant of the books; explain one job's money."),
    _command("bench", "bench.command:bench", "Measure this machine, next to pgbench on the same server."),
    _command("chaos", "chaos.command:chaos", "Run many paid jobs while everything goes wrong at once."),
    _command("check", "check:check", "Prove job types before any job runs."),
    _command("completion", "completion:completion", "Print what makes a shell complete these commands."),
    _command("config", "configuration:configuration", "Check the configuration and show every value."),
    _command("demo", "demo.options:demo", "Watch paid jobs run, fail and get lost on this machine."),
    _command("dev", "dev.options:dev", "Run the job types of a file while you write them."),
    _command("diff", "diff:diff", "Tell what changes from one job type to another."),
    _command("doctor", "doctor.command:doctor", "Look whether what is configured works, seen from here."),
    _command("endpoint", "endpoint:endpoint", "Who is told by webhooks, and what was sent."),
    _command("graph", "graph:graph", "Show the states, events and money of a job type."),
    _command("import", "imports.command:bring_in", "Bring in balances and jobs of an old job system."),
    _command("init", "init.command:init", "Begin an app, or write a configuration that works."),
    _command("jobs", "jobs.command:jobs", "List jobs, show one with its money, cancel it, follow it."),
    _command("key", "key:key", "Keys of programs that call the API."),
    _command("limit", "rules:limit", "Set a limit or a share of an owner, a job type or a pool."),
    _command("migrate", "migrate:migrate", "Bring the schema of a database up to date, as its owner."),
    _command("openapi", "openapi:openapi", "Write the API as an OpenAPI document."),
    _command("pause", "rules:pause", "Start no more jobs of a pool, a job type or an owner."),
    _command("resume", "rules:resume", "End a pause."),
    _command("rules", "rules:rules", "Show every limit, share and pause."),
    _command("schema", "schema:schema", "Print the JSON Schema of tool files, for editors."),
    _command("serve", "serve.command:serve", "Run the service: loops, API, webhooks and page."),
    _command("settle", "settle:settle", "End a job that is not over, as a person with a reason."),
    _command("simulate", "simulate:simulate", "Run a RunningHub of your own on this machine."),
    _command("top", "top.command:top", "Show who works, what waits, and how fast it goes."),
    _command("watch", "watch:watch", "Print the steps of all jobs as they are committed."),
)


def names() -> frozenset[str]:
    """Return what each command is called."""
    return frozenset(command.name for command in COMMANDS)


def add_commands(app: App, loaded: Container[str]) -> None:
    """Add every command to *app*: those whose name is in *loaded* with their options, the others, of which
    only a line is told, without an import."""
    for command in COMMANDS:
        if command.name not in loaded:
            app.command(command.address, name=command.name, help=command.summary)
            continue
        found = command.load()
        if isinstance(found, App):
            app.command(found, name=command.name)
        else:
            app.command(found, name=command.name)
        end_with_examples(app[command.name], f"makegood {command.name}")


def end_with_examples(app: App, called: str) -> None:
    """Let the help of *app*, and of each command below it, end with the examples in its docstring."""
    if app.default_command:
        examples = examples_of(app.default_command)
        heading = "Example:" if len(examples) == 1 else "Examples:"
        app.help_epilogue = "\n\n".join([heading, *(f"`{line}`" for line in examples)])
        return
    app.help_epilogue = f"`{called} COMMAND --help` tells more of each, and ends with an example."
    for name in app:
        if not name.startswith("-"):
            end_with_examples(app[name], f"{called} {name}")


def examples_of(command: Callable[..., Any]) -> list[str]:
    """Return the command lines that stand at the end of the docstring of *command*, under `Examples`."""
    _, _, examples = (inspect.getdoc(command) or "").partition(_EXAMPLES)
    return examples.splitlines()
