"""Who has which rights: given by the owner alone, in one database alone, and no more than the lists say."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from makegood import Catalog, Engine, ProviderAccount
from makegood.errors import StoreUnavailable
from makegood.job import Verdict
from makegood.testing.drive import PRICE, SPECS, Advance, Drive, Plain, token_hash
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres import migrate as module
from makegood_adapters.postgres.migrate import Migration, load, migrate
from makegood_adapters.postgres.refusal import DatabaseRefusal
from makegood_adapters.postgres.store import PostgresStore
from tests.conftest import Administrator
from tests.roles import PASSWORD, dsn_as, login

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "database-roles.md"
KINDS = ("worker", "api", "readonly")
#: Written by the ledger and the referee alone.
CLOSED = ("bucket", "hold", "journal", "wallet", "history", "granted", "migration")
VERBS = {"SELECT": "read", "INSERT": "add", "UPDATE": "change"}
RIGHTS = """
    SELECT c.relname, p.privilege
    FROM pg_class c CROSS JOIN unnest(array['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) p (privilege)
    WHERE c.relnamespace = 'makegood'::regnamespace AND c.relkind IN ('r', 'v')
      AND has_any_column_privilege($1, c.oid, p.privilege)
    UNION ALL
    SELECT c.relname, p.privilege
    FROM pg_class c CROSS JOIN unnest(array['DELETE', 'TRUNCATE', 'TRIGGER']) p (privilege)
    WHERE c.relnamespace = 'makegood'::regnamespace AND c.relkind IN ('r', 'v')
      AND has_table_privilege($1, c.oid, p.privilege)
    UNION ALL
    SELECT proname, 'EXECUTE' FROM pg_proc
    WHERE pronamespace = 'makegood'::regnamespace AND proname <> 'now'
      AND has_function_privilege($1, oid, 'EXECUTE')
"""
#: But for those that other tests make at the same time.
ROLES = "SELECT array_agg(rolname::text ORDER BY 1) FROM pg_roles WHERE rolname !~ '^makegood_(test|guest)_'"
NOTHING: dict[str, set[str]] = {}


async def rights(owner: asyncpg.Connection, dsn: str) -> dict[str, set[str]]:
    """Return what the user of *dsn* may do with each table and function, as the catalog has it."""
    role = dsn.split("//")[1].split(":")[0]
    found: dict[str, set[str]] = {}
    for row in await owner.fetch(RIGHTS, role):
        found.setdefault(row["relname"], set()).add(row["privilege"])
    return found


@pytest_asyncio.fixture
async def roles(database: str) -> AsyncIterator[dict[str, str]]:
    """Yield a DSN for each kind."""
    async with AsyncExitStack() as stack:
        yield {kind: await stack.enter_async_context(login(database, kind)) for kind in KINDS}


async def test_nobody_writes_what_the_ledger_and_the_referee_write(
    plain: asyncpg.Connection, roles: dict[str, str]
) -> None:
    for kind, dsn in roles.items():
        may = await rights(plain, dsn)
        assert {table: may[table] for table in CLOSED if may.get(table, set()) - {"SELECT"}} == {}, kind
        assert set().union(*may.values()) <= {"SELECT", "INSERT", "UPDATE", "EXECUTE"}, kind


async def test_readonly_reads_everything_but_secrets_and_changes_nothing(
    plain: asyncpg.Connection, roles: dict[str, str], drive: Drive
) -> None:
    await drive.grant()
    await drive.submit(await drive.to("starting"))
    tables = await plain.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'makegood'::regnamespace AND relkind IN ('r', 'v')"
    )
    may = await rights(plain, roles["readonly"])
    where_it_waits = {name: {"EXECUTE"} for name in ("standing", "count_waiting", "queue_ends")}
    assert may == {row["relname"]: {"SELECT"} for row in tables} | where_it_waits
    hidden = await plain.fetch(
        "SELECT attrelid::regclass || '.' || attname AS name FROM pg_attribute JOIN pg_class c"
        " ON c.oid = attrelid WHERE relnamespace = 'makegood'::regnamespace AND relkind IN ('r', 'v')"
        " AND attnum > 0 AND NOT has_column_privilege($1, attrelid, attnum, 'SELECT')",
        roles["readonly"].split("//")[1].split(":")[0],
    )
    assert sorted(row["name"] for row in hidden) == [
        "makegood.attempt.token_hash",
        "makegood.endpoint.old_secret",
        "makegood.endpoint.secret",
        "makegood.endpoint.url",
        "makegood.service_key.key_hash",
        "makegood.service_key.previous_hash",
    ]
    async with PostgresStore.open(roles["readonly"]) as store:
        assert (await store.audit()).violations == ()
        with pytest.raises(
            DatabaseRefusal, match="may not do this: permission denied for function insert_jobs"
        ):
            await Drive(store, drive.advance).insert(pool="pool")


async def test_an_api_starts_before_a_worker_has_told_the_public_statuses_again(
    roles: dict[str, str], plain: asyncpg.Connection, drive: Drive
) -> None:
    """As right after migration 0019: a machine of before has none, and an API may not write them."""
    await plain.execute("update makegood.machine_state set public_status = null")
    told = "select count(*) from makegood.machine_state where public_status is not null"
    async with PostgresStore.open(roles["api"]) as store:
        await store.declare(SPECS)
        await Drive(store, drive.advance).to("pending", pool=await drive.pool())
    assert await plain.fetchval(told) == 0
    async with PostgresStore.open(roles["worker"]) as store:
        await store.declare(SPECS)
    assert await plain.fetchval(told) > 0


async def test_an_api_sells_and_ends_jobs_but_makes_no_credits_and_runs_nothing(
    roles: dict[str, str], drive: Drive
) -> None:
    await drive.grant(10 * PRICE)
    pool = await drive.pool()
    async with PostgresStore.open(roles["api"]) as store:
        await store.declare(SPECS)  # which a worker has declared
        shop = Drive(store, drive.advance)
        waiting = await shop.to("queued", pool=pool)
        assert (await shop.event(waiting, "cancel")).state == "cancelled"
        running = await drive.to("running", pool=pool)
        asked = await store.jobs.request_cancel(running.id)
        assert asked is not None
        assert asked.cancel_requested_at is not None
        await store.hints.report(running.id, "client", "it failed")
        assert (await store.ledger.wallet("ada")).held == PRICE
        for refused in (
            store.ledger.grant("ada", 5, kind="gift", source_ref="mine"),
            store.ledger.expire(5),
            store.attempts.dispatch(pool, [f"{pool}-a"], 1),
            store.attempts.claim([f"{pool}-a"], 1, 60),
            store.outbox.take(["contract_plain"], 1, 60),
            shop.pool(),
            shop.record(asked, Verdict.FAILED),
            shop.event(asked, "fail", Verdict.ADMINISTRATOR),
        ):
            with pytest.raises(DatabaseRefusal, match="The database user may not do this: permission denied"):
                await refused
    assert await drive.job(running) == asked


async def test_an_api_takes_webhooks_for_accounts_that_workers_have_registered(
    roles: dict[str, str], drive: Drive
) -> None:
    await drive.grant(PRICE)
    running = await drive.to("running", pool=await drive.pool())
    attempt = await drive.attempt(running)
    known = ProviderAccount(name=attempt.account, pool=running.pool, capacity=1)
    providers = {known: ScriptedProvider()}
    async with (
        PostgresStore.open(roles["api"]) as store,
        Engine(store, Catalog([Plain]), blobs=MemoryBlobs(), providers=providers, run_loops=False) as engine,
    ):
        assert await engine.receive_webhook(token_hash(attempt), {}, b"task-1")
        assert [use.capacity for use in await engine.occupancy()] == [10]  # as it was
    [hint] = await drive.store.hints.unread(attempt)
    assert hint.task_id == "task-1"


async def test_a_kind_takes_the_place_of_another_and_leaves_nothing_behind(
    plain: asyncpg.Connection, database: str
) -> None:
    async with login(database, "worker") as dsn, login(database, "api") as other:
        role = dsn.split("//")[1].split(":")[0]
        await plain.execute("SELECT makegood.grant_rights($1, 'api')", role)
        assert await rights(plain, dsn) == await rights(plain, other)
        await plain.execute("SELECT makegood.revoke_rights($1)", role)
        assert await rights(plain, dsn) == NOTHING
        assert not await plain.fetchval("SELECT has_schema_privilege($1, 'makegood', 'USAGE')", role)


@pytest.mark.parametrize(
    ("role", "kind", "sentence"),
    [
        ("nobody_of_this_name", "worker", 'there is no role "nobody_of_this_name": create it first'),
        ("public", "worker", 'there is no role "public"'),
        ("pg_monitor", "owner", 'there are no rights of kind "owner": it is worker, api or readonly'),
        ("pg_monitor", None, "there are no rights of kind"),
    ],
)
async def test_a_mistake_in_giving_rights_is_told_and_gives_none(
    plain: asyncpg.Connection, role: str, kind: str | None, sentence: str
) -> None:
    with pytest.raises(asyncpg.PostgresError) as refused:
        await plain.execute("SELECT makegood.grant_rights($1, $2)", role, kind)
    assert sentence in str(refused.value)
    assert await plain.fetchval("SELECT count(*) FROM makegood.granted") == 0


async def test_a_migration_gives_each_role_its_kind_again_with_what_is_new(
    plain: asyncpg.Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (await plain.fetchval("SELECT pg_get_viewdef('makegood.kind_right')")).rstrip("; ")
    new = Migration(
        len(load()) + 1,
        "9999_more.sql",
        "create table makegood.more (); create or replace view makegood.kind_right as "
        f"{before} union all values ('readonly', 'select', 'table makegood.more')",
    )
    async with login(database, "readonly") as dsn, login(database, "readonly") as gone:
        role = gone.split("//")[1].split(":")[0]
        await plain.execute(f"DROP OWNED BY {role}; DROP ROLE {role}; CREATE ROLE {role}")
        released = [*load(), new]
        monkeypatch.setattr(module, "load", lambda: released)
        assert await migrate(plain) == [new.name]
        assert (await rights(plain, dsn))["more"] == {"SELECT"}
        assert await rights(plain, gone) == NOTHING  # another role, though of the same name


@asynccontextmanager
async def databases(administrator: Administrator, owner: str, n: int) -> AsyncIterator[list[str]]:
    """Make empty databases that belong to a role that may neither make roles nor pass over rights."""
    names = [f"makegood_owned_{secrets.token_hex(6)}" for _ in range(n)]
    administrator.execute(f"CREATE ROLE {owner} LOGIN NOSUPERUSER NOCREATEROLE PASSWORD '{PASSWORD}'")
    try:
        for name in names:
            administrator.execute(f"CREATE DATABASE {name} OWNER {owner} TEMPLATE template0")
        yield [dsn_as(administrator.dsn_of(name), owner) for name in names]
    finally:
        for name in names:
            administrator.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        administrator.execute(f"DROP ROLE {owner}")


async def test_an_owner_without_any_right_over_roles_migrates_two_databases_and_shares_one(
    administrator: Administrator,
) -> None:
    owner, service = (f"makegood_test_{name}_{secrets.token_hex(6)}" for name in ("owner", "service"))
    async with databases(administrator, owner, 2) as (first, second):
        before = await value(first, ROLES)
        administrator.execute(f"CREATE ROLE {service} LOGIN PASSWORD '{PASSWORD}'")
        try:
            await asyncio.gather(*(made(dsn) for dsn in (first, second)))
            assert await value(first, ROLES) == before
            await value(first, f"SELECT makegood.grant_rights('{service}', 'worker')")
            await lives(dsn_as(first, service))
            with pytest.raises(StoreUnavailable, match="permission denied for schema makegood"):
                await lives(dsn_as(second, service))
        finally:
            for dsn in (first, second):
                administrator.execute(f"DROP DATABASE {dsn.split('?')[0].rsplit('/', 1)[1]} WITH (FORCE)")
            administrator.execute(f"DROP ROLE {service}")


async def made(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await migrate(connection)
    finally:
        await connection.close()


async def value(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def lives(dsn: str) -> None:
    """Drive a job through its whole life as the user of *dsn*."""

    async def never(seconds: float) -> None:
        raise AssertionError(f"nobody waits here for {seconds} seconds")

    advance: Advance = never
    async with PostgresStore.open(dsn) as store:
        await store.declare(SPECS)
        drive = Drive(store, advance)
        await drive.grant()
        for state in ("completed", "failed", "cancelled"):
            assert (await drive.to(state)).state == state
        assert (await store.audit()).violations == ()


async def kind_table(owner: asyncpg.Connection, roles: dict[str, str]) -> str:
    """Return what each kind may do as the table of the documentation, tables first."""
    may = {kind: await rights(owner, dsn) for kind, dsn in roles.items()}
    functions = {name for kind in KINDS for name, verbs in may[kind].items() if "EXECUTE" in verbs}
    lines = [f"| | {' | '.join(KINDS)} |", "|---|---|---|---|"]
    for name in sorted(set().union(*may.values()), key=lambda name: (name in functions, name)):
        cells = []
        for kind in KINDS:
            verbs = [verb for right, verb in VERBS.items() if right in may[kind].get(name, ())]
            cells.append(", ".join(verbs) or ("call" if name in may[kind] else "no"))
        lines.append(f"| `{name}{'()' if name in functions else ''}` | {' | '.join(cells)} |")
    return "\n".join(lines)


async def test_the_documentation_tells_what_each_kind_may_do(
    plain: asyncpg.Connection, roles: dict[str, str]
) -> None:
    assert await kind_table(plain, roles) in PAGE.read_text("utf-8")
