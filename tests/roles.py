"""Login roles of the server, each with the rights of one kind in one database and nothing else."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

PASSWORD = "a-password"


@asynccontextmanager
async def login(database: str, kind: str | None) -> AsyncIterator[str]:
    """Make a login role, give it *kind* in the database, and yield the DSN that connects as it."""
    role = f"makegood_test_{kind or 'nothing'}_{secrets.token_hex(6)}"
    await make_role(database, role, kind)
    try:
        yield dsn_as(database, role)
    finally:
        owner = await asyncpg.connect(database)
        try:
            await owner.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")
        finally:
            await owner.close()


async def make_role(database: str, role: str, kind: str | None) -> None:
    """Make a login role and give it *kind* in the database and in its copies; other databases know it too."""
    owner = await asyncpg.connect(database)
    try:
        async with owner.transaction():
            await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
            if kind:
                await owner.execute("SELECT makegood.grant_rights($1, $2)", role, kind)
    finally:
        await owner.close()


def dsn_as(database: str, role: str) -> str:
    """Return the address of the same database for another user."""
    parts = urlsplit(database)
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{role}:{PASSWORD}@{place}").geturl()
