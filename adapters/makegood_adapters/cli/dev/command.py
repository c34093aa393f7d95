"""Run the job types of a file, and what is needed around them, until Ctrl-C or once."""

import asyncio
import itertools
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from makegood import Catalog, Engine, Settings
from makegood.lifecycle import BaseJob
from makegood_adapters.cli.dev.buttons import DevButtons
from makegood_adapters.cli.dev.example import example_of
from makegood_adapters.cli.dev.house import CREDITS, OWNER, DevHouse
from makegood_adapters.cli.dev.source import Mistaken, Source, rules_of
from makegood_adapters.cli.dev.stand_in import simulated_site
from makegood_adapters.cli.dev.worker import child_of
from makegood_adapters.cli.stage import NotStarted, database_on, embedded_server
from makegood_adapters.cli.staging.acts import Acts
from makegood_adapters.cli.staging.board import Board, Tone
from makegood_adapters.cli.staging.interrupt import interruption
from makegood_adapters.cli.staging.printing import STYLES, print_line
from makegood_adapters.cli.staging.site import address_of, listen, open_site
from makegood_adapters.cli.staging.telling import tell_end
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.runninghub.simulator import Simulator

Rules = dict[tuple[str, int], str]


@dataclass(frozen=True, slots=True)
class Site:
    """What stays while the file changes. *dsn* is that of the server, on which databases are made."""

    source: Source
    board: Board
    simulator: Simulator
    dsn: str
    work: Path
    numbers: Iterator[int]


async def play(file: Path, *, port: int | None, dsn: str | None) -> int:
    """Run the file and serve the page on *port* until Ctrl-C, and return the exit status."""
    console, source, listener = Console(highlight=False), Source(file), listen(port)
    console.print(Text("makegood dev", "bold"), Text(file.name, "dim"))
    console.print(Text("\n  Watch it in a browser:"), Text(address_of(listener), "bold cyan underline"))
    console.print(Text("  Save the file, and the engine starts with it. Ctrl-C ends.\n", "dim"))
    with listener:
        async with _around(source, partial(_print, console), dsn) as site:
            with interruption() as interrupted:
                running = asyncio.create_task(_run(site, listener))
                waiting = asyncio.create_task(interrupted.wait())
                try:
                    await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in (running, waiting):
                        task.cancel()
            ended = await asyncio.gather(running, waiting, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error
    return 0


async def play_once(file: Path, *, dsn: str | None) -> int:
    """Run one job of each type, print its steps, and return 1 if one of them failed or was cancelled."""
    console, source = Console(highlight=False), Source(file)
    types = await source.load()
    for job_type in types:  # before anything is started
        example_of(job_type, source.folder, 0)
    bad = 0
    async with (
        _around(source, lambda text, tone: None, dsn) as site,
        _database(site) as (address, store),
        _engine(site, store, types) as engine,
        _worked(site, address, engine, types) as house,
    ):
        for job_type in types:
            house.chosen = job_type
            bad += not await _one(console, house)
    return 1 if bad else 0


async def _one(console: Console, house: DevHouse) -> bool:
    """Run one job of the chosen type; False: it failed."""
    ordered = await house.order()
    engine, acts = house.engine, Acts(house, house.board)
    console.print(
        Text(engine.catalog.label(ordered.job.type), "bold"), Text(f"{ordered.job.price} credits", "dim")
    )
    async for step in acts.steps(ordered):
        console.print(Text(f"  {step.event} to {step.to_state}"))
    job = await engine.get(ordered.job.id)
    told = await tell_end(engine, ordered.name, job, await acts.told_tasks(ordered))
    print_line(console, told, STYLES[Tone.GOOD if job.state == "completed" else Tone.WARN])
    for file in (job.output or {}).get("files", ()):
        data = await engine.blobs.get(file["key"])
        console.print(Text(f"  file: {file['kind']}, {len(data or b''):,} bytes"))
    return job.state not in ("failed", "cancelled")


def _print(console: Console, text: str, tone: Tone) -> None:
    print_line(console, text, STYLES[tone])


@asynccontextmanager
async def _around(source: Source, hear: Callable[[str, Tone], None], dsn: str | None) -> AsyncIterator[Site]:
    """Start what does not depend on the file."""
    with tempfile.TemporaryDirectory(prefix="makegood-dev-") as folder, ExitStack() as stack:
        work = Path(folder)
        server = dsn or stack.enter_context(embedded_server(work)).dsn
        async with simulated_site() as simulator:
            board = Board(f"makegood dev {source.path.name}", hear)
            try:
                yield Site(source, board, simulator, server, work, itertools.count(1))
            finally:
                await board.end()


async def _run(site: Site, listener: socket.socket) -> None:
    """Serve one state of the file after the other; of one that is mistaken from the start only the page."""
    types = await _loaded(site, "Repair it and save.") or []
    while True:
        site.board.say(f"a fresh database; {OWNER} has {CREDITS:,} credits")
        async with _database(site) as (dsn, store):
            rules: Rules = {}
            while not _broken(rules, types):
                rules |= rules_of(types)
                async with _engine(site, store, types) as engine, open_site(listener, engine, site.board):
                    types = await _next(site, dsn, engine, types)
            await site.board.end()
        changed = ", ".join(f"{name}@{version}" for name, version in _broken(rules, types))
        site.board.say(
            f"The rules of {changed} are others now. Where jobs of it exist, its version must be raised; "
            "here all begins anew.",
            Tone.WARN,
        )


async def _next(site: Site, dsn: str, engine: Engine, types: list[type[BaseJob]]) -> list[type[BaseJob]]:
    """Run these types until there are others, and return those; where none can run the page is alone."""
    if types:
        try:
            async with _worked(site, dsn, engine, types):
                return await _repaired(site, types)
        except NotStarted as error:
            # A mistake that was saved since is what it did not start with, and is told when it is read here.
            if not site.source.is_changed():
                site.board.say(f"{error} Save the file, and it is tried again.", Tone.BAD)
            site.board.offer(())
    return await _repaired(site, [])


async def _repaired(site: Site, before: list[type[BaseJob]]) -> list[type[BaseJob]]:
    """Return the job types once the file has changed and can be used; *before* are those that run."""
    goes_on = "What ran before goes on until it is repaired." if before else "Repair it and save."
    while True:
        await site.source.changed()
        if types := await _loaded(site, goes_on):
            return types


async def _loaded(site: Site, goes_on: str) -> list[type[BaseJob]] | None:
    """Return the job types of the file as it is, None for one that is mistaken, which is told."""
    try:
        types = await site.source.load()
    except Mistaken as error:
        site.board.say(f"{error} {goes_on}", Tone.BAD)
        return None
    names = ", ".join(f"{each.name}@{each.version}" for each in types)
    site.board.say(f"{site.source.path.name}: {names}", Tone.GOOD)
    return types


def _broken(rules: Rules, types: Iterable[type[BaseJob]]) -> list[tuple[str, int]]:
    """Return which versions a database that was told *rules* would refuse of *types*."""
    now = rules_of(list(types))
    return [key for key in now if rules.get(key, now[key]) != now[key]]


@asynccontextmanager
async def _database(site: Site) -> AsyncIterator[tuple[str, PostgresStore]]:
    """Make a database with a user who has credits, and yield its address and a store on it."""
    async with database_on(site.dsn, "dev") as dsn, PostgresStore.open(dsn, update_schema=True) as store:
        yield dsn, store


@asynccontextmanager
async def _engine(site: Site, store: PostgresStore, types: list[type[BaseJob]]) -> AsyncIterator[Engine]:
    """Run the engine of the page and of the buttons, which does no work."""
    settings = Settings(loop_interval_seconds=0.25)
    blobs = FolderBlobs(_files(site))
    async with Engine(store, Catalog(types), blobs=blobs, settings=settings, run_loops=False) as engine:
        await engine.grant(OWNER, CREDITS, source_ref="welcome")
        yield engine


@asynccontextmanager
async def _worked(
    site: Site, dsn: str, engine: Engine, types: list[type[BaseJob]]
) -> AsyncIterator[DevHouse]:
    """Run another engine, which works, and show buttons for *types*. Raises NotStarted."""
    log = site.work / "engine.log"
    child = child_of(site.source.path, dsn=dsn, blobs=_files(site), site=site.simulator.url, log=log)
    folder = site.source.folder
    house = DevHouse(site.board, engine, site.simulator, child, dsn, folder, types[0], numbers=site.numbers)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(house.end)
        await child.start()
        DevButtons(house, types).show()
        site.board.resume()
        try:
            yield house
        finally:
            site.board.hold()  # an order from now on is one for the next state of the file


def _files(site: Site) -> Path:
    """Return where the jobs' files are."""
    return site.work / "files"
