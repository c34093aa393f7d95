"""What the doctor looks at in the database: server, schema, rights, pooler, wake-ups, clock, room."""

import time
from importlib.resources import files

import asyncpg

from makegood import Catalog
from makegood.errors import StoreUnavailable
from makegood_adapters.cli.doctor.checks import Checks
from makegood_adapters.config import ServiceConfig
from makegood_adapters.postgres.migrate import load
from makegood_adapters.postgres.refusal import missing_right
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.store import connect
from makegood_adapters.postgres.wakeups import deaf

#: A difference of the clocks that people should know of: tokens are checked by that of this machine.
_SKEW_SECONDS = 5.0
#: What a server keeps for its superusers and others.
_RESERVED = 10
_POSTGRES_MIN = 150_000


async def examine_database(config: ServiceConfig, catalog: Catalog | None, checks: Checks) -> None:
    """Look at the database of *config*; its time is compared with that of this machine."""
    dsn = config.database_url.get_secret_value()
    began = time.time()
    try:
        connection = await connect(dsn)
    except StoreUnavailable as error:
        checks.fail("database", str(error), "until then nothing else of it can be looked at")
        return
    try:
        answered = time.time()
        server = await connection.fetchrow(_sql("server"))
        assert server is not None
        told = f"PostgreSQL {server['version']}, connected as {server['name']} in {answered - began:.2f} s"
        if server["number"] < _POSTGRES_MIN:
            checks.fail("database", told, "makegood needs PostgreSQL 15 or newer")
        else:
            checks.ok("database", told)
        _clock(_ahead(server["clock"], answered, time.time()), checks)
        await _schema(connection, config, server["there"], checks)
        await _pooler(connection, dsn, config, checks)
        _room(config, server["connections_max"], checks)
        if server["there"] and catalog is not None:
            await _rules(connection, catalog, checks)
    except asyncpg.InsufficientPrivilegeError as error:
        checks.fail("rights", missing_right(error), "give them as the owner of the schema")
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        checks.fail("database", f"it stopped answering: {error}", "look into the log of the server")
    finally:
        connection.terminate()
    await _wakeups(config, checks)


def _sql(name: str) -> str:
    return files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def _ahead(told: float, since: float, until: float) -> float:
    """Return how far a clock that was read between two moments of ours is ahead of it, at least: 0 if it may
    agree, also where it was long in coming."""
    return max(told - until, 0.0) + min(told - since, 0.0)


def _clock(ahead: float, checks: Checks) -> None:
    told = f"the database is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine"
    if abs(ahead) > _SKEW_SECONDS:
        checks.warn(
            "clock", told, "let both keep time by NTP: tokens of users expire by this machine's clock"
        )
    else:
        checks.ok("clock", "the database and this machine agree on the time")


async def _schema(connection: asyncpg.Connection, config: ServiceConfig, there: bool, checks: Checks) -> None:
    newest = load()[-1].version
    reached = await connection.fetchval(statement("overview/schema")) if there else 0
    updates = config.database_update_schema and not config.database_transaction_pooler
    if reached > newest:
        checks.warn(
            "schema",
            f"the database is at migration {reached}, newer than this release ({newest})",
            "bring this installation up to date: pip install --upgrade makegood",
        )
    elif reached < newest:
        told = f"the database is at migration {reached}, this release needs {newest}"
        if updates and await connection.fetchval(
            "select has_database_privilege(current_database(), 'create')"
        ):
            checks.warn("schema", told, "nothing: `makegood serve` brings it up to date when it starts")
        else:
            checks.fail("schema", told, "run `makegood migrate` as the owner of the schema")
        return
    else:
        checks.ok("schema", f"at migration {reached}, as this release needs")
    lacking = [row["lacking"] for row in await connection.fetch(_sql("lacking_rights"))]
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        checks.fail(
            "rights",
            f"the database user lacks {', '.join(lacking[:3])}{more}",
            "as the owner: select makegood.grant_rights('<user>', 'worker')",
        )
    else:
        checks.ok("rights", "the database user has those of a worker")


async def lends_by_transaction(connection: asyncpg.Connection, other: asyncpg.Connection) -> bool:
    """Return whether two transactions of one connection meet two sessions of the server, as they do behind a
    pooler that lends one for each transaction."""
    pid = "select pg_backend_pid()"
    async with connection.transaction():
        first = await connection.fetchval(pid)
    async with other.transaction():  # takes the session that the first one has just left
        await other.fetchval(pid)
        async with connection.transaction():
            return bool(first != await connection.fetchval(pid))


async def _pooler(connection: asyncpg.Connection, dsn: str, config: ServiceConfig, checks: Checks) -> None:
    other = await connect(dsn)
    try:
        lends = await lends_by_transaction(connection, other)
    finally:
        other.terminate()
    if lends and not config.database_transaction_pooler:
        checks.fail(
            "pooler",
            "database_url leads to a pooler that lends a session for each transaction",
            "set database_transaction_pooler = true (docs/how-to/supabase.md), or name the server itself",
        )
    elif not lends and config.database_transaction_pooler:
        checks.warn(
            "pooler",
            "database_transaction_pooler is set, and database_url leads to a session of the server",
            "set it to false: prepared statements and time-outs of the session are worth having",
        )
    else:
        checks.ok("pooler", "as configured: " + ("one by transaction" if lends else "none"))


def _room(config: ServiceConfig, connections_max: int, checks: Checks) -> None:
    wanted = config.workers * (config.database_connections_max + config.wakeups)
    told = f"the service takes up to {wanted} connections, the server has {connections_max} for all"
    if wanted > connections_max - _RESERVED and not config.database_transaction_pooler:
        checks.warn(
            "connections", told, "lower database_connections_max or workers, or raise max_connections"
        )
    else:
        checks.ok("connections", told)


async def _rules(connection: asyncpg.Connection, catalog: Catalog, checks: Checks) -> None:
    for spec in catalog.specs:
        stored = await connection.fetchval(statement("machine/digest"), spec.name, spec.version)
        if stored is not None and stored != spec.digest:
            checks.fail(
                f"job type {spec.name}",
                f"its rules differ from those the database has under version {spec.version}: no new jobs of "
                "it are taken",
                "raise its `version` (docs/how-to/change-a-job-type.md)",
            )


async def _wakeups(config: ServiceConfig, checks: Checks) -> None:
    if not config.wakeups:
        checks.warn(
            "wake-ups",
            "they are switched off: processes find what others commit after loop_interval_seconds",
            "set wakeups = true, unless there is no way for LISTEN",
        )
        return
    address = config.wakeups_database_url or config.database_url
    if await deaf(address.get_secret_value()):
        checks.fail(
            "wake-ups",
            "LISTEN is taken and nothing arrives: a pooler by transaction cannot carry it",
            "name the server itself in wakeups_database_url, or set wakeups = false",
        )
    else:
        checks.ok("wake-ups", "a NOTIFY of one connection arrives at another")
