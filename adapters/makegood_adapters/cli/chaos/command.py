"""The command `makegood chaos`: set the stage, let the crowd in, and tell what the books say."""

import asyncio
import os
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from makegood import Catalog, Engine, InvalidRequest, Settings
from makegood_adapters.cli.chaos.books import hold_against_each_other
from makegood_adapters.cli.chaos.crowd import Crowd
from makegood_adapters.cli.chaos.plan import DEADLINES, SETTINGS, Plan
from makegood_adapters.cli.chaos.report import Progress, Result, announce, as_json, conclude
from makegood_adapters.cli.chaos.site import accounts_of, habits_of, keys_of, simulator_of, told
from makegood_adapters.cli.chaos.strikes import Operator, Sql
from makegood_adapters.cli.stage import EngineProcess, crowded_tools, database_on, embedded_server
from makegood_adapters.cli.told import Json
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.postgres.embedded import EmbeddedPostgres
from makegood_adapters.postgres.store import PostgresStore, connect
from makegood_adapters.toolfiles import load_tools


async def chaos(
    *,
    jobs: int = 10_000,
    seed: int = 1,
    odds: float = 0.02,
    workers: int = 2,
    slots: int = 120,
    accounts: int = 3,
    kills: int = 3,
    kill_every: float | None = None,
    stops: int = 0,
    log: Path | None = None,
    dsn: str | None = None,
    json: Json = False,
) -> None:
    """Run many paid jobs while everything goes wrong at once, then hold the books against the provider's.

    A Postgres, a simulated RunningHub with every fault on, and engines in processes of their own run on
    this machine; users cancel, lie and send twice, and engines are killed. The exit status is 0 when no job,
    credit or slot is missing, and no task was created twice.

    Parameters
    ----------
    jobs
        How many jobs.
    seed
        Another seed draws other faults.
    odds
        The probability of each single fault.
    workers
        How many engines work side by side.
    slots
        How many tasks there may be at one time, as the engines are told.
    accounts
        Between how many provider accounts the slots are divided; nobody else uses the first.
    kills
        How often an engine is killed with SIGKILL and started again.
    kill_every
        Kill one every so many seconds instead, until all jobs are over.
    stops
        How often the database server is stopped at once, as a power cut would, and started again.
    log
        Keep the engines' log here.
    dsn
        A Postgres of your own, 15 or newer (DATABASE_URL does the same); a database of its own is made
        there and dropped. Left out: it brings one.
    json
        Tell the figures as one JSON object.

    Examples
    --------
    makegood chaos --jobs 500 --kills 1
    """
    plan = Plan(
        jobs=jobs,
        seed=seed,
        odds=odds,
        workers=workers,
        slots=slots,
        accounts=accounts,
        kills=kills,
        kill_every=kill_every,
        stops=stops,
    )
    console = Console(highlight=False, stderr=json)
    result = await _stage(plan, dsn or os.environ.get("DATABASE_URL"), log, console)
    conclude(console, result)
    if json:
        sys.stdout.write(as_json(result))
    sys.exit(0 if result.good else 1)


async def _stage(plan: Plan, given: str | None, log: Path | None, console: Console) -> Result:
    """Play on the server at *given*, or on one that comes along."""
    if given and plan.stops:
        raise InvalidRequest(
            "--stops stops the Postgres that chaos brings: leave --dsn and DATABASE_URL out."
        )
    announce(console, plan)
    with tempfile.TemporaryDirectory(prefix="makegood-chaos-") as work:
        async with AsyncExitStack() as stack:
            server: EmbeddedPostgres | None = None
            if given:
                address = await stack.enter_async_context(database_on(given, "chaos"))
            else:
                server = stack.enter_context(embedded_server(Path(work)))
                address = server.dsn
            return await _play(stack, plan, address, server, Path(work), log, Progress(console, plan))


async def _play(
    stack: AsyncExitStack,
    plan: Plan,
    dsn: str,
    server: EmbeddedPostgres | None,
    work: Path,
    log: Path | None,
    progress: Progress,
) -> Result:
    simulator = await stack.enter_async_context(simulator_of(plan))
    store = await stack.enter_async_context(PostgresStore.open(dsn, update_schema=True))
    deadlines = {state: timedelta(seconds=seconds) for state, seconds in DEADLINES.items()}
    tools = crowded_tools(work)
    engine = Engine(
        store,
        Catalog([tool.with_deadlines(deadlines) for tool in load_tools(tools)]),
        blobs=FolderBlobs(work / "files"),
        settings=Settings(loop_interval_seconds=0.5),
        run_loops=False,
    )
    processes = [
        EngineProcess(
            work,
            log or work / "engine.log",
            dsn=dsn,
            blobs=work / "files",
            accounts=accounts_of(plan, simulator.url),
            deadlines=DEADLINES,
            settings=SETTINGS,
            tools=tools,
        )
        for _ in range(plan.workers)
    ]
    for process in processes:
        stack.callback(process.stop)
        await process.start()
    await stack.enter_async_context(engine)
    sql = Sql(dsn)
    stack.callback(sql.close)
    began = time.monotonic()
    operator = Operator(plan, processes, server, sql)
    crowd = Crowd(plan, engine, operator, simulator, sql, progress.tell)
    await crowd.play()
    seconds = time.monotonic() - began
    await operator.recovered()
    for process in processes:
        await asyncio.to_thread(process.stop)  # the provider, which runs here, must go on answering
    tasks = [task.to_json(simulator.url) for task in simulator.tasks]
    plain = await connect(dsn)
    stack.push_async_callback(plain.close)
    findings = await hold_against_each_other(plain, tasks, work / "files")
    return Result(
        plan,
        findings,
        crowd.tally,
        operator.strikes,
        seconds,
        live_max=[simulator.counters.live_max[key] for key in keys_of(plan)],
        allowed=list(keys_of(plan).values()),
        creates=simulator.counters.creates,
        webhooks=simulator.counters.webhooks,
        coins=simulator.counters.coins,
        habits=told(habits_of(plan)),
    )
