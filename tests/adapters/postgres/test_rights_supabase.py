"""The recipe for Supabase: after it, the roles of the Data API see and call nothing of the schema."""

import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from makegood.testing.drive import SPECS, Advance, Drive
from makegood_adapters.postgres import migrate as module
from makegood_adapters.postgres.migrate import Migration, load, migrate
from makegood_adapters.postgres.store import PostgresStore
from tests.roles import login

RECIPE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "supabase.sql"
NAMES = ("anon", "authenticated", "service_role")
# What a project has, what its owner may have added for all schemas, and the steps that expose a schema.
ADVANCE = """
    GRANT USAGE ON SCHEMA public TO {roles};
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO {roles};
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON ROUTINES TO {roles};
    ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {roles};
    ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO {roles};
    ALTER DEFAULT PRIVILEGES GRANT ALL ON ROUTINES TO {roles};
"""
EXPOSE = """
    GRANT USAGE ON SCHEMA makegood TO {roles};
    GRANT ALL ON ALL TABLES IN SCHEMA makegood TO {roles};
    GRANT ALL ON ALL ROUTINES IN SCHEMA makegood TO {roles};
    GRANT ALL ON ALL SEQUENCES IN SCHEMA makegood TO {roles};
    ALTER DEFAULT PRIVILEGES IN SCHEMA makegood GRANT ALL ON TABLES TO {roles};
    ALTER DEFAULT PRIVILEGES IN SCHEMA makegood GRANT ALL ON ROUTINES TO {roles};
    ALTER DEFAULT PRIVILEGES IN SCHEMA makegood GRANT ALL ON SEQUENCES TO {roles};
"""
REACHED = """
    SELECT 'schema' AS what WHERE has_schema_privilege($1, 'makegood', 'USAGE, CREATE')
    UNION ALL
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'makegood'::regnamespace AND c.relkind IN ('r', 'v')
      AND (has_table_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
           OR has_any_column_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
    UNION ALL
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'makegood'::regnamespace
      AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege($1, c.oid, 'USAGE, SELECT, UPDATE') END
    UNION ALL
    SELECT proname FROM pg_proc
    WHERE pronamespace = 'makegood'::regnamespace AND has_function_privilege($1, oid, 'EXECUTE')
"""


@pytest_asyncio.fixture
async def owner(empty_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(empty_database)
    try:
        yield connection
    finally:
        await connection.close()


@pytest_asyncio.fixture
async def roles(owner: asyncpg.Connection) -> AsyncIterator[dict[str, str]]:
    """Make the three roles as Supabase does, under names of this test's own: roles belong to the server."""
    made = {name: f"makegood_test_{name}_{secrets.token_hex(6)}" for name in NAMES}
    for name, role in made.items():
        await owner.execute(f"CREATE ROLE {role} NOLOGIN {'BYPASSRLS' if name == 'service_role' else ''}")
    try:
        yield made
    finally:
        for role in made.values():
            await owner.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def recipe(roles: dict[str, str]) -> str:
    """Return the SQL of the page for roles of other names."""
    return re.sub(r"\b(anon|authenticated|service_role)\b", lambda m: roles[m[1]], RECIPE.read_text("utf-8"))


async def reached(owner: asyncpg.Connection, role: str) -> list[str]:
    return [row["what"] for row in await owner.fetch(REACHED, role)]


async def refusals(owner: asyncpg.Connection, role: str) -> set[str | None]:
    """Use every table and function as *role* and return the codes of what came of it."""
    tables = await owner.fetch(
        "SELECT 'TABLE ' || oid::regclass AS use FROM pg_class"
        " WHERE relnamespace = 'makegood'::regnamespace AND relkind IN ('r', 'v')"
    )
    calls = await owner.fetch(
        "SELECT 'SELECT ' || oid::regproc || '(' || array_to_string(array_fill('NULL'::text,"
        " array[pronargs::int]), ', ') || ')' AS use FROM pg_proc"
        " WHERE pronamespace = 'makegood'::regnamespace AND prorettype <> 'trigger'::regtype"
    )
    codes: set[str | None] = set()
    await owner.execute(f"SET ROLE {role}")
    try:
        for row in [*tables, *calls]:
            try:
                await owner.execute(row["use"])
                codes.add(None)
            except asyncpg.PostgresError as error:
                codes.add(error.sqlstate)
    finally:
        await owner.execute("RESET ROLE")
    assert len(tables) > 15
    assert len(calls) > 5
    return codes


async def test_after_the_recipe_the_roles_of_the_api_see_and_call_nothing(
    owner: asyncpg.Connection, roles: dict[str, str], empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = ", ".join(roles.values())
    await owner.execute(ADVANCE.format(roles=listed))
    await migrate(owner)
    await owner.execute(EXPOSE.format(roles=listed))
    for role in roles.values():
        assert len(await reached(owner, role)) > 20
        assert None in await refusals(owner, role)

    for _ in range(2):  # it may be run again
        await owner.execute(recipe(roles))
        for role in roles.values():
            assert await reached(owner, role) == []
            assert await refusals(owner, role) == {"42501"}

    more = (
        "create table makegood.more (); create function makegood.add() returns int language sql as 'select 1'"
    )
    released = [*load(), Migration(len(load()) + 1, "9999_more.sql", more)]
    monkeypatch.setattr(module, "load", lambda: released)
    await migrate(owner)
    for role in roles.values():  # also before it was run again: without the schema nothing is reached
        assert await refusals(owner, role) == {"42501"}


async def test_after_the_recipe_a_worker_works(
    owner: asyncpg.Connection, roles: dict[str, str], empty_database: str
) -> None:
    await migrate(owner)
    await owner.execute(recipe(roles))
    async with login(empty_database, "worker") as dsn, PostgresStore.open(dsn) as store:
        await lives(store)


async def test_over_a_pooler_of_transactions_nothing_is_left_in_a_session(database: str) -> None:
    async with (
        login(database, "worker") as dsn,
        PostgresStore.open(dsn, transaction_pooler=True, connections_max=1) as store,
    ):
        await lives(store)
        rows = await store._database.fetch(
            "SELECT (SELECT count(*) FROM pg_prepared_statements) AS prepared,"
            " current_setting('statement_timeout') AS timeout, current_setting('search_path') AS path"
        )
        assert dict(rows[0]) == {"prepared": 0, "timeout": "0", "path": '"$user", public'}


async def test_a_schema_is_not_updated_over_a_pooler_of_transactions(database: str) -> None:
    with pytest.raises(ValueError, match="direct connection"):
        async with PostgresStore.open(database, transaction_pooler=True, update_schema=True):
            pass


async def lives(store: PostgresStore) -> None:
    async def never(seconds: float) -> None:
        raise AssertionError(f"nobody waits here for {seconds} seconds")

    advance: Advance = never
    await store.declare(SPECS)
    drive = Drive(store, advance)
    await drive.grant()
    for state in ("completed", "failed", "cancelled"):
        assert (await drive.to(state)).state == state
    assert (await store.audit()).violations == ()
