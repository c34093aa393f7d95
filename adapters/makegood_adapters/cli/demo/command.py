"""Run the whole demo and say, by an independent look at the books, whether every credit is accounted for."""

import asyncio
import hashlib
import os
import re
import socket
import tempfile
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
from rich.console import Console
from rich.text import Text

from makegood import Catalog, Engine, Settings
from makegood_adapters.cli.demo.closing import closing, figures, print_closing
from makegood_adapters.cli.demo.director import Director
from makegood_adapters.cli.demo.endings import judge
from makegood_adapters.cli.demo.house import DemoHouse
from makegood_adapters.cli.demo.reconcile import Findings, reconcile
from makegood_adapters.cli.demo.script import SLOTS, TYPES, USERS, Script, write
from makegood_adapters.cli.demo.show import Show
from makegood_adapters.cli.demo.view import LiveView, PlainView, View
from makegood_adapters.cli.stage import (
    API_KEY,
    EngineProcess,
    StageError,
    account_at,
    crowded_tools,
    database_on,
    embedded_database,
)
from makegood_adapters.cli.staging.acts import Acts
from makegood_adapters.cli.staging.board import Board, Button, Tone
from makegood_adapters.cli.staging.interrupt import interruption
from makegood_adapters.cli.staging.printing import STYLES
from makegood_adapters.cli.staging.site import address_of, listen, open_site
from makegood_adapters.cli.told import tell
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.runninghub.simulator import Pace, Simulator, Task
from makegood_adapters.toolfiles import load_tools

FOLDER = Path("makegood-demo")
#: How long what is under way may take when the end is asked for.
_LEAVE_SECONDS = 10.0
#: Webhooks are repeated for longer than an engine takes to start on a slow machine: of a create call whose
#: reply was lost, to a killed engine as well, nothing else tells, and the job would wait for a person.
_PACE = Pace(
    queued_seconds=0.1, running_seconds=0.5, spread=0.6, webhook_retry_seconds=0.6, webhook_retries=50
)

_TONES = {
    "red": Tone.BAD,
    "bold red": Tone.BAD,
    "green": Tone.GOOD,
    "yellow": Tone.WARN,
    "magenta": Tone.WARN,
}


async def play(
    *,
    jobs: int,
    seed: int,
    headless: bool,
    dsn: str | None,
    page: bool | None = None,
    port: int | None = None,
    json: bool = False,
) -> int:
    """Play the demo in the folder `makegood-demo` and return the exit status: 0 when all agrees.

    *page*: whether the page is served, on *port*, and stays after the story until Ctrl-C; None: on a terminal
    that is not *headless*, without *json*. With *json* the figures are told as one object, and the story
    beside it.
    """
    script = write(jobs, seed)
    console = Console(highlight=False, stderr=json)
    terminal = console.is_terminal and not headless
    listener = listen(port) if (terminal and not json if page is None else page) else None
    view: View = LiveView(console) if terminal else PlainView(console)
    _announce(console, jobs, seed, address_of(listener) if listener else None)
    with _folder() as work:
        async with AsyncExitStack() as stack:
            if listener:
                stack.callback(listener.close)
            given = dsn or os.environ.get("DATABASE_URL")
            address = (
                await stack.enter_async_context(database_on(given))
                if given
                else stack.enter_context(embedded_database(work))
            )
            demo = await _raise_curtain(stack, script, view, seed, address, work, listener)
            findings = await demo.story(console)
            good = _good(findings) and all(ending.good for ending in demo.show.endings)
            if listener:
                findings = await demo.stay(console, address_of(listener))
                good = good and _good(findings)
            if json:
                ended = [asdict(ending) for ending in demo.show.endings]
                told = figures(demo.show, findings)
                tell({**told, "mishaps": ended, "disagreements": findings.disagreements})
    return 0 if good else 1


async def _raise_curtain(
    stack: AsyncExitStack,
    script: Script,
    view: View,
    seed: int,
    dsn: str,
    work: Path,
    listener: socket.socket | None,
) -> "_Demo":
    """Start everything, the page first: who has its address may have opened it already."""
    board = Board("makegood demo", lambda text, tone: view.tell(text, STYLES[tone]))

    def tell(line: str, style: str, job: UUID | None) -> None:
        view.tell(line, style)
        board.note(re.sub(r" {2,}", ": ", line, count=1), _TONES.get(style, Tone.PLAIN), job)

    show = Show(tell)
    simulator = await stack.enter_async_context(Simulator(keys={API_KEY: SLOTS}, pace=_PACE, seed=seed))
    for rule in script.rules:
        simulator.add(rule)
    store = await stack.enter_async_context(PostgresStore.open(dsn, update_schema=True))
    blobs, tools = FolderBlobs(work / "files"), crowded_tools(work, TYPES)
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
    await stack.enter_async_context(engine)
    await _fill_wallets(engine)
    if listener:
        await stack.enter_async_context(open_site(listener, engine, board))
    await process.start()
    stack.callback(process.stop)
    show.engine = "running"
    director = Director(show, script, engine, process, simulator, dsn)
    first = len(script.parts) + 1
    house = DemoHouse(show, board, director, engine, simulator, process, dsn, FOLDER, first)
    stack.push_async_callback(house.end)
    stack.push_async_callback(board.end)
    acts = Acts(house, board)
    order = Button("order", "order a job", "A user orders a job, and nothing goes wrong.", acts.run)
    board.offer((order, *acts.mishaps()))
    return _Demo(show, view, board, director, engine, simulator, dsn)


@dataclass(frozen=True, slots=True)
class _Demo:
    """A performance that is under way."""

    show: Show
    view: View
    board: Board
    director: Director
    engine: Engine
    simulator: Simulator
    dsn: str

    async def story(self, console: Console) -> Findings:
        """Play the story to its end, tell how its mishaps ended, and check the books."""
        self.view.show(self.show)
        try:
            await self.director.perform(FOLDER)
        finally:
            self.view.close()
        async with self.board.alone():
            await self.director.silence()
            findings = await self._findings()
            self.show.endings = judge(self.show, await _tasks_by_job(self.dsn, self.simulator.tasks))
            _tell_endings(console, self.show)
            self._tell_books(console, findings)
        return findings

    async def stay(self, console: Console, address: str) -> Findings:
        """Let the page and its buttons work until Ctrl-C, and check the books again."""
        key = await self.engine.make_key("demo", ("operations", "credits"), actor="demo")
        self.board.note("The story is over. The buttons go on working: each orders a job of its own.")
        with interruption() as interrupted:
            console.print()
            console.print(Text("The page stays open", "bold"), Text(address, "bold cyan underline"))
            _paragraph(
                console, "Its buttons work at any time, and each tells here what happened. Ctrl-C ends."
            )
            _paragraph(console, f"To cancel, pause or grant there, sign in with this key: {key.secret}")
            console.print()
            await interrupted.wait()
        console.print(Text("\nThe books, once more", "bold"))
        try:
            async with asyncio.timeout(_LEAVE_SECONDS), self.board.alone():
                pass
        except TimeoutError:
            await self.board.end()
        try:
            await self.director.silence(_LEAVE_SECONDS)
        except StageError as error:  # a queue may be paused; what is held for it is in the books
            _paragraph(console, str(error))
        findings = await self._findings()
        self._tell_books(console, findings)
        return findings

    async def _findings(self) -> Findings:
        for ticket in self.show.tickets.values():
            if not ticket.over:
                ticket.money = await self.engine.money(ticket.job_id)
        tasks = [task.to_json(self.simulator.url) for task in self.simulator.tasks]
        balances = {}
        for owner in USERS:
            wallet = await self.engine.wallet(owner)
            balances[owner] = (wallet.available, wallet.held)
        return await reconcile(self.dsn, tasks, list(self.show.tickets.values()), FOLDER, balances)

    def _tell_books(self, console: Console, findings: Findings) -> None:
        good = _good(findings)
        _tell_findings(console, findings)
        told = closing(self.show, findings)
        self.board.note(f"The books: {told}", Tone.GOOD if good else Tone.BAD)
        print_closing(console, self.show, findings, "bold green" if good else "bold red")


def _good(findings: Findings) -> bool:
    return not findings.difference and not findings.disagreements


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


def _announce(console: Console, jobs: int, seed: int, address: str | None) -> None:
    console.print(Text("makegood demo", "bold"), Text(f"{jobs} paid jobs, {SLOTS} slots, seed {seed}", "dim"))
    _paragraph(
        console,
        "A Postgres, a simulated RunningHub and the engine run on this machine. Jobs are paid, files are "
        "really made, and everything that can go wrong does. At the end every credit is accounted for.",
    )
    if address:
        console.print(Text("\n  Watch it in a browser:", "default"), Text(address, "bold cyan underline"))
    console.print()


def _tell_endings(console: Console, show: Show) -> None:
    console.print(Text("\nHow it ended", "bold"))
    for ending in show.endings:
        mark = Text("  ✓ ", "green") if ending.good else Text("  ✗ ", "bold red")
        console.print(mark.append(ending.what, "default").append(f"\n      {ending.outcome}", "dim"))
    console.print(Text("\nThe books", "bold"))


def _tell_findings(console: Console, findings: Findings) -> None:
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
