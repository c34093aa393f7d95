"""The command `makegood bench`: its options, where it runs, and how it ends."""

import asyncio
import importlib
import json as as_json
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Annotated, Literal

from cyclopts import Parameter

from makegood_adapters.cli.bench.figures import Figures
from makegood_adapters.cli.bench.paired import report as paired
from makegood_adapters.cli.bench.paired.run import PairedFigures
from makegood_adapters.cli.bench.paired.run import measure as measure_pairs
from makegood_adapters.cli.bench.plan import NAMES, PAIRED, WAITING, BooksDisagree, Plan, clients_of
from makegood_adapters.cli.bench.report import header, row, to_json, to_text
from makegood_adapters.cli.bench.run import measure
from makegood_adapters.cli.bench.server import embedded_server

Name = Literal[
    "accept",
    "transitions",
    "refund",
    "lifecycle",
    "wakeup",
    "handover",
    "claim",
    "stream",
    "hooks",
    "all",
]


def bench(
    name: Name,
    /,
    *,
    seconds: float = 10.0,
    concurrency: int = 256,
    owners: int = 256,
    jobs: int | None = None,
    readers: int = 1_000,
    baseline_clients: str | None = None,
    dsn: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Measure this machine: paid jobs through the engine, next to pgbench on the same server.

    Parameters
    ----------
    name
        accept: pending jobs are accepted, their price is held. transitions: a job is accepted, then
        cancelled with its credits back. refund: many queued jobs fail at once. lifecycle: whole paid lives,
        answered by a provider in memory. wakeup: a wake-up between processes, next to a bare NOTIFY, and
        commits with and without wake-ups. handover: from a slot that is given back to the next job's start.
        claim: the next job of a long queue, next to a short one. stream: steps heard over HTTP while fifty
        jobs a second end, next to a bare server. hooks: webhooks that one process takes in, next to a bare
        handler with one INSERT for each, and to one without a database. all: each of them, and transitions
        with one caller, as a table.
    seconds
        How long each side is measured; pgbench takes as long again, in slices that alternate.
    concurrency
        How many callers work side by side.
    owners
        Between how many wallets the jobs are divided; 1 is the hot wallet.
    jobs
        How many jobs `refund` fails at once (10,000), and how many wait for `claim` (100,000).
    readers
        How many listen in `stream`.
    baseline_clients
        With how many connections pgbench is tried, such as 1,8,16 (the default; 1 for one caller): its
        best counts.
    dsn
        A Postgres of your own, 15 or newer; two databases are made there and dropped. Left out: a fresh
        Postgres in a temporary folder.
    json
        Tell the figures as one JSON object.

    Examples
    --------
    makegood bench accept --seconds 5
    """
    plan = Plan(
        name=name,
        seconds=seconds,
        concurrency=concurrency,
        owners=owners,
        jobs=jobs if jobs is not None else 10_000,
        clients=clients_of(baseline_clients, concurrency),
        readers=readers,
    )
    told = _measured(_plans(plan, jobs, baseline_clients), dsn)
    try:
        if json:
            _tell_as_json(name, list(told))
        elif name == "all":
            _tell_as_table(told)
        else:
            sys.stdout.writelines(map(_as_text, told))
    except BooksDisagree as error:
        sys.stderr.write(f"makegood: {error}\n")
        sys.exit(1)


def _plans(plan: Plan, jobs: int | None, baseline_clients: str | None) -> list[Plan]:
    plans = [plan]
    if plan.name == "all":
        alone = replace(plan, name="transitions", concurrency=1, clients=clients_of(baseline_clients, 1))
        first, last = ([replace(plan, name=name) for name in names] for names in (NAMES, PAIRED))
        plans = [*first, alone, *last]
    return [replace(p, jobs=WAITING) if p.name == "claim" and jobs is None else p for p in plans]


def _measured(plans: list[Plan], dsn: str | None) -> Iterator[Figures | PairedFigures]:
    """Yield the figures of each plan once they are there; all are measured on one server."""
    loop, new_loop = _event_loop()
    with (
        nullcontext(dsn) if dsn else embedded_server() as address,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        for plan in plans:
            if sys.stderr.isatty():
                callers = "" if plan.name in PAIRED else f" with {plan.concurrency:,} callers"
                sys.stderr.write(f"measuring {plan.name}{callers} ...\n")
            if plan.name in PAIRED:
                yield runner.run(measure_pairs(plan, address, loop))
            else:
                yield runner.run(measure(plan, address, loop))


def _as_text(figures: Figures | PairedFigures) -> str:
    return to_text(figures) if isinstance(figures, Figures) else paired.to_text(figures)


def _as_json(figures: Figures | PairedFigures) -> dict[str, object]:
    return to_json(figures) if isinstance(figures, Figures) else paired.to_json(figures)


def _tell_as_json(name: str, found: list[Figures | PairedFigures]) -> None:
    told = _as_json(found[0]) if name != "all" else {"benches": [_as_json(figures) for figures in found]}
    sys.stdout.write(as_json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def _tell_as_table(found: Iterator[Figures | PairedFigures]) -> None:
    sys.stdout.write(header())
    headed = False
    for figures in found:
        if isinstance(figures, Figures):
            sys.stdout.write(row(figures))
        else:
            sys.stdout.write(("" if headed else paired.header()) + paired.rows(figures))
            headed = True
        sys.stdout.flush()


def _event_loop() -> tuple[str, Callable[[], asyncio.AbstractEventLoop] | None]:
    """Return uvloop's event loop where it is installed, as a service would use it."""
    try:
        return "uvloop", importlib.import_module("uvloop").new_event_loop
    except ModuleNotFoundError:
        return "asyncio", None
