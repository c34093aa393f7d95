"""Run the whole demo and say, by an independent look at the books, whether every credit is accounted for."""

import hashlib
import os
import tempfile
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.text import Text

from makegood import Catalog, Engine, Settings
from makegood_adapters.cli.demo.director import Director
from makegood_adapters.cli.demo.endings import judge
from makegood_adapters.cli.demo.reconcile import Findings, reconcile
from makegood_adapters.cli.demo.script import SLOTS, USERS, Script, write
from makegood_adapters.cli.demo.show import Show
from makegood_adapters.cli.demo.view import LiveView, PlainView, View
from makegood_adapters.cli.stage import (
    API_KEY,
    EngineProcess,
    account_at,
    crowded_tools,
    database_on,
    embedded_database,
)
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.runninghub.simulator import Pace, Simulator, Task
from makegood_adapters.toolfiles import load_tools

FOLDER = Path("makegood-demo")
#: Webhooks are repeated for longer than an engine takes to start on a slow machine: of a create call whose
#: reply was lost, to a killed engine as well, nothing else tells, and the job would wait for a person.
_PACE = Pace(
    queued_seconds=0.1, running_seconds=0.5, spread=0.6, webhook_retry_seconds=0.6, webhook_retries=50
)


async def play(*, jobs: int, seed: int, headless: bool, dsn: str | None) -> int:
    """Play the demo in the folder `makegood-demo` and return the exit status: 0 when all agrees."""
    script = write(jobs, seed)
    console = Console(highlight=False)
    view: View = LiveView(console) if console.is_terminal and not headless else PlainView(console)
    show = Show(view.tell)
    _announce(console, jobs, seed)
    with _folder() as work:
        async with AsyncExitStack() as stack:
            given = dsn or os.environ.get("DATABASE_URL")
            address = (
                await stack.enter_async_context(database_on(given))
                if given
                else stack.enter_context(embedded_database(work))
            )
            findings, mishaps_good = await _perform(stack, script, show, view, seed, address, work)
            _tell_endings(console, show, findings)
            _close(console, jobs, show, findings)
    return 0 if mishaps_good and not findings.disagreements and not findings.difference else 1


async def _perform(
    stack: AsyncExitStack, script: Script, show: Show, view: View, seed: int, dsn: str, work: Path
) -> tuple[Findings, bool]:
    simulator = await stack.enter_async_context(Simulator(keys={API_KEY: SLOTS}, pace=_PACE, seed=seed))
    for rule in script.rules:
        simulator.add(rule)
    store = await stack.enter_async_context(PostgresStore.open(dsn, update_schema=True))
    blobs, tools = FolderBlobs(work / "files"), crowded_tools(work)
    engine = Engine(
        store,
        Catalog(load_tools(tools)),
        blobs=blobs,
        settings=Settings(loop_interval_seconds=0.25),
        run_loops=False,
    )
    _remove_old_results()
    process = EngineProcess(
        work,
        FOLDER / "engine.log",
        dsn=dsn,
        blobs=work / "files",
        accounts=[account_at(simulator.url, SLOTS)],
        tools=tools,
    )
    await process.start()
    stack.callback(process.stop)
    show.engine = "running"
    await stack.enter_async_context(engine)
    await _fill_wallets(engine)
    view.show(show)
    try:
        await Director(show, script, engine, process, simulator, dsn).perform(FOLDER)
    finally:
        view.close()
    tasks = [task.to_json(simulator.url) for task in simulator.tasks]
    balances = {}
    for owner in USERS:
        wallet = await engine.wallet(owner)
        balances[owner] = (wallet.available, wallet.held)
    findings = await reconcile(dsn, tasks, list(show.tickets.values()), FOLDER, balances)
    show.endings = judge(show, await _tasks_by_job(dsn, simulator.tasks))
    return findings, all(ending.good for ending in show.endings)


async def _fill_wallets(engine: Engine) -> None:
    """Give every user a monthly bucket, which is spent first, and a purchased one."""
    soon = datetime.now(UTC) + timedelta(days=30)
    for owner in USERS:
        await engine.grant(owner, 300, kind="monthly", source_ref="2026-11", priority=10, expires_at=soon)
        await engine.grant(owner, 9000, kind="purchased", source_ref="order-1", priority=50)


async def _tasks_by_job(dsn: str, tasks: tuple[Task, ...]) -> dict[str, list[Task]]:
    """Return the provider's tasks by job id, matched by the hash of the webhook token."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "select job_id::text as job, token_hash from makegood.attempt where token_hash is not null"
        )
    finally:
        await connection.close()
    owner = {row["token_hash"]: row["job"] for row in rows}
    found: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        token = (task.request.webhook_url or "").rsplit("/", 1)[-1]
        if job := owner.get(hashlib.sha256(token.encode()).digest()):
            found[job].append(task)
    return found


@contextmanager
def _folder() -> Iterator[Path]:
    """Make the demo's folder, and a working folder for this run."""
    FOLDER.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="makegood-demo-") as work:
            yield Path(work)
    finally:
        with suppress(OSError):  # it is empty only when the demo could not begin
            FOLDER.rmdir()


def _remove_old_results() -> None:
    for old in [*FOLDER.glob("[0-9][0-9][0-9]-*.png"), FOLDER / "engine.log"]:
        old.unlink(missing_ok=True)


def _announce(console: Console, jobs: int, seed: int) -> None:
    console.print(Text("makegood demo", "bold"), Text(f"{jobs} paid jobs, {SLOTS} slots, seed {seed}", "dim"))
    _paragraph(
        console,
        "A Postgres, a simulated RunningHub and the engine run on this machine. Jobs are paid, files are "
        "really made, and everything that can go wrong does. At the end every credit is accounted for.",
    )
    console.print()


def _tell_endings(console: Console, show: Show, findings: Findings) -> None:
    console.print(Text("\nHow it ended", "bold"))
    for ending in show.endings:
        mark = Text("  ✓ ", "green") if ending.good else Text("  ✗ ", "bold red")
        console.print(mark.append(ending.what, "default").append(f"\n      {ending.outcome}", "dim"))
    console.print(Text("\nThe books", "bold"))
    _paragraph(
        console,
        "The provider's own list of tasks, the files on the disk, the journal replayed from nothing, and "
        "what the users were told are held against each other.",
    )
    if not findings.disagreements:
        console.print(Text("  ✓ they agree, and no invariant of the database is broken", "green"))
    for line in findings.disagreements:
        console.print(Text(f"  ✗ {line}", "bold red"))
    _paragraph(console, f"The pictures are in ./{FOLDER}/, the engine's log is ./{FOLDER / 'engine.log'}.")
    console.print()


def _paragraph(console: Console, text: str) -> None:
    width = min(console.width, 100)
    console.print(
        textwrap.fill(text, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    )


def _close(console: Console, jobs: int, show: Show, findings: Findings) -> None:
    parts = [
        f"{jobs} jobs",
        f"{show.count('completed')} completed",
        f"{show.count('failed')} failed",
        f"{show.count('cancelled')} cancelled",
        f"captured {findings.captured}",
        f"refunded {findings.refunded}",
        f"held {findings.held}",
        f"difference {findings.difference}",
    ]
    good = not findings.difference and not findings.disagreements
    console.print(Text(" · ".join(parts), "bold green" if good else "bold red"), soft_wrap=True)
