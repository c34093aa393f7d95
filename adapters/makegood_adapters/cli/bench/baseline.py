"""What pgbench reaches on the same server with a hand-written statement that leaves the same rows."""

import asyncio
import contextlib
import math
import os
import re
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import asyncpg

from makegood_adapters.cli.bench.jobs import Preparer, text_of
from makegood_adapters.cli.bench.plan import BenchError
from makegood_adapters.cli.bench.server import Meter, Usage
from makegood_adapters.postgres.embedded import SYSTEM, EmbeddedPostgresError, find_binaries

#: How many transitions one run of a script makes.
TRANSITIONS = {"accept": 1, "transitions": 2}
_GUESS_PER_CLIENT = 500.0  # script runs a second, before any is known
_SPARE = 3.0
_FIRST_RUNS = 50
_USED_UP = "division by zero"  # how the scripts end when there is no job left


def find_pgbench() -> Path | None:
    """Find the program: beside the server that makegood brings, on PATH, of the system."""
    places: list[Path] = []
    with contextlib.suppress(EmbeddedPostgresError):
        places.append(find_binaries() / "pgbench")
    if found := shutil.which("pgbench"):
        places.append(Path(found))
    places += sorted(SYSTEM.glob("*/bin/pgbench"), reverse=True)
    return next((place for place in places if os.access(place, os.X_OK)), None)


class Baseline:
    """Runs a script over prepared jobs in a database of its own, whose triggers are switched off meanwhile.

    Foreign keys, checks and unique indexes stay. `runs` counts how often the script was carried out, and
    `cut_short` how often at most it may have been under way, uncounted, when pgbench's time was up.
    """

    def __init__(
        self,
        program: Path,
        dsn: str,
        connection: asyncpg.Connection,
        preparer: Preparer,
        meter: Meter,
        script: str,
    ) -> None:
        self._program, self._connection, self._preparer = program, connection, preparer
        self._meter, self._usage, self._runs_used = meter, Usage(0.0, 0.0, 0), 0
        self._address, self._password = without_password(dsn)
        self.script, self.clients, self.runs, self.cut_short = script, 1, 0, 0
        self._rates: dict[int, float] = {}

    @property
    def transitions(self) -> int:
        """How many transitions all runs have made."""
        return self.runs * TRANSITIONS[self.script]

    @property
    def postgres_us(self) -> float | None:
        """How much CPU time the server spent on one measured transition, in microseconds."""
        if self._usage.postgres is None:
            return None
        return 1_000_000 * self._usage.postgres / (self._runs_used * TRANSITIONS[self.script])

    @property
    def transitions_max(self) -> int:
        """How many there may be, with those that pgbench made and did not count."""
        return self.transitions + self.cut_short * TRANSITIONS[self.script]

    async def choose(self, candidates: tuple[int, ...], seconds: float) -> None:
        """Warm up, and keep the number of clients that is best."""
        for clients in candidates:
            await self._run(clients, seconds / 4)
            await self._run(clients, seconds)
        self.clients = max(candidates, key=lambda clients: self._rates[clients])
        self._usage, self._runs_used = Usage(0.0, 0.0, 0), 0

    async def measure(self, seconds: float) -> float:
        """Return transitions per second with the best number of clients."""
        return await self._run(self.clients, seconds) * TRANSITIONS[self.script]

    async def _run(self, clients: int, seconds: float) -> float:
        """Run the script for *seconds*, or as often as that should take, and return runs per second."""
        rate = self._rates.get(clients, clients * _GUESS_PER_CLIENT)
        whole = round(seconds)
        runs = max(_FIRST_RUNS, math.ceil(rate * seconds / clients))
        # pgbench counts whole seconds only
        bound = ["-t", str(runs)] if seconds < 1 else ["-T", str(whole)]
        range_ = runs if seconds < 1 else int(_SPARE * rate * whole / clients) + _FIRST_RUNS
        await self._connection.execute(text_of("triggers_on"))
        numbers = await self._preparer.insert(clients * range_)
        await self._connection.execute(text_of("triggers_off"))
        await self._preparer.settle()
        before = await self._meter.read()
        told = await self._call(clients, bound, numbers.start, range_)
        self._usage = self._usage.plus((await self._meter.read()).since(before))
        done = re.search(r"^number of transactions actually processed: (\d+)", told, re.MULTILINE)
        reached = re.search(r"^tps = ([\d.]+)", told, re.MULTILINE)
        failed = re.search(r"^number of failed transactions: [1-9].*", told, re.MULTILINE)
        if done is None or reached is None or failed is not None:
            raise BenchError(f"pgbench was not measured: {failed[0] if failed else told.strip()}")
        self.runs, self._runs_used = self.runs + int(done[1]), self._runs_used + int(done[1])
        self.cut_short += clients if seconds >= 1 else 0
        self._rates[clients] = float(reached[1])
        return self._rates[clients]

    async def _call(self, clients: int, bound: list[str], first: int, range_: int) -> str:
        threads = min(clients, os.cpu_count() or 1)
        numbers = {"n": -1, "first": first, "range": range_}
        script = files("makegood_adapters.cli.bench").joinpath("pgbench", f"{self.script}.sql")
        with as_file(script) as path:
            process = await asyncio.create_subprocess_exec(
                self._program,
                *("-n", "-M", "prepared", "-c", str(clients), "-j", str(threads), *bound),
                *(word for name, value in numbers.items() for word in ("-D", f"{name}={value}")),
                *("-f", str(path), self._address),
                env=_environment(self._password),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                out, errors = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
        if process.returncode:
            lines = errors.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            if _USED_UP in errors.decode(errors="replace"):
                raise BenchError(
                    "pgbench was faster than expected and ran out of jobs: run the benchmark again."
                )
            why = next((line for line in lines if "error" in line), lines[-1])
            raise BenchError(f"pgbench ended with an error: {why.removeprefix('pgbench: error: ')}")
        return out.decode()


def _environment(password: str | None) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name not in ("PGOPTIONS", "LC_ALL", "LANG")}
    return kept | {"LC_ALL": "C"} | ({"PGPASSWORD": password} if password is not None else {})


def without_password(dsn: str) -> tuple[str, str | None]:
    """Take the password out of an address: a command line is read by everybody on the machine."""
    parts = urlsplit(dsn)
    query = parse_qsl(parts.query, keep_blank_values=True)
    named = dict(query).get("password")
    password = unquote(parts.password) if parts.password is not None else named
    user, at, place = parts.netloc.rpartition("@")
    netloc = user.partition(":")[0] + at + place
    # libpq takes a plus sign for a plus sign
    rest = urlencode([(name, text) for name, text in query if name != "password"], quote_via=quote)
    return urlunsplit(parts._replace(netloc=netloc, query=rest)), password
