"""`makegood doctor` of the whole service: one check a line, what to do, an exit status, never a secret."""

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from makegood_adapters.cli.doctor.database import _ahead, lends_by_transaction
from tests.doctor.scene import SECRET, Doctor, Told


class TestWholeService:
    """`makegood doctor` without more: everything that `makegood serve` will need."""

    @staticmethod
    def marks(told: Told) -> dict[str, str]:
        return {check["subject"]: check["mark"] for check in json.loads(told.out)["checks"]}

    async def test_all_is_well(self, doctor: Doctor, ours: str, database: str) -> None:
        told = await doctor("--json", account="capacity = 3", hooks=ours, dsn=database)
        assert (told.status, told.err) == (0, "")
        assert self.marks(told) == dict.fromkeys(
            (
                "versions", "configuration", "job types", "database", "clock", "schema", "rights", "pooler",
                "connections", "wake-ups", "files", "account main", "webhooks",
            ),
            "ok",
        ) | {"pool evolink": "warn"}  # fmt: skip
        table = await doctor(account="capacity = 3", hooks=ours, dsn=database)
        assert "14 checks: 1 warning" in table.out
        words = " ".join(table.out.split())
        assert "no account here serves it: no new jobs of gpt_image_evolink, movieled_maker_veo" in words

    async def test_without_a_database_the_rest_is_looked_at(self, doctor: Doctor) -> None:
        told = await doctor("--json", root='sentry_dsn = "https://key@errors.example/1"')
        marks = self.marks(told)
        assert told.status == 1
        assert (marks["database"], marks["files"], marks["account main"]) == ("fail", "ok", "ok")
        assert marks["errors"] == "ok"
        assert "schema" not in marks
        table = await doctor(root='sentry_dsn = "https://errors.example/1"')
        assert "sentry_dsn is no address of Sentry" in " ".join(table.out.split())
        assert "→ until then nothing else of it can be looked at" in " ".join(table.out.split())
        assert table.status == 1

    async def test_a_schema_that_is_missing_or_a_user_without_rights(
        self, doctor: Doctor, empty_database: str, database: str
    ) -> None:
        marks = self.marks(await doctor("--json", dsn=empty_database))
        assert marks["schema"] == "warn"  # the service brings it itself
        told = await doctor("--json", dsn=empty_database, root="database_update_schema = false")
        assert (told.status, self.marks(told)["schema"]) == (1, "fail")
        assert "run `makegood migrate`" in told.out
        owner = await asyncpg.connect(database)
        role = f"looker_{secrets.token_hex(4)}"
        await owner.execute(f"create role {role} login; select makegood.grant_rights('{role}', 'readonly')")
        try:
            user = urlsplit(database)
            dsn = user._replace(netloc=f"{role}@{user.netloc.rpartition('@')[2]}").geturl()
            told = await doctor("--json", dsn=dsn)
            assert (told.status, self.marks(told)["rights"]) == (1, "fail")
            assert "select makegood.grant_rights(" in told.out
            await owner.execute(f"select makegood.grant_rights('{role}', 'worker')")
            assert self.marks(await doctor("--json", dsn=dsn))["rights"] == "ok"
        finally:
            await owner.execute(f"drop owned by {role} cascade; drop role {role}")
            await owner.close()

    async def test_what_does_not_load_is_told_with_what_to_do(
        self, doctor: Doctor, database: str, tmp_path: Path
    ) -> None:
        (tmp_path / "tools").mkdir()
        (tmp_path / "tools" / "a.toml").write_text("name = ")
        more = f'\n[[accounts]]\nname = "odd"\nprovider = "unheard-of"\napi_key = "{SECRET}"'
        told = await doctor("--json", dsn=database, key="another-key", root='tools = "tools"', account=more)
        assert told.status == 1
        found = {check["subject"]: check for check in json.loads(told.out)["checks"]}
        for subject, remedy in (
            ("job types", "see below"),
            ("tool file: a.toml", "repair the file; `makegood check` tells every mistake with its line"),
            ("account: odd", "repair the account in the configuration"),
            ("account main", "check api_key and base_url; `makegood doctor --provider` looks closer"),
        ):
            assert (found[subject]["mark"], found[subject]["remedy"]) == ("fail", remedy)
        assert found["webhooks"]["mark"] == "warn"

    async def test_a_wrong_configuration_is_told_alone(self, doctor: Doctor) -> None:
        told = await doctor("--json", root="prot = 3")
        assert (told.status, self.marks(told)) == (1, {"versions": "ok", "configuration": "fail"})
        assert "did you mean port?" in told.out


class Lent:
    """A connection to a pooler that lends a session of the server for each transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._session: Any = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        async with self._pool.acquire() as self._session, self._session.transaction():
            yield

    async def fetchval(self, query: str) -> Any:
        return await self._session.fetchval(query)


@pytest.mark.parametrize(("told", "ahead"), [(100.0, 0), (110.0, 0), (120.0, 0), (126.0, 6), (94.0, -6)])
def test_a_clock_that_is_long_in_coming_is_not_taken_for_a_wrong_one(told: float, ahead: float) -> None:
    assert _ahead(told, since=100.0, until=120.0) == ahead


async def test_a_pooler_by_transaction_is_found_out(database: str) -> None:
    async with asyncpg.create_pool(database, min_size=2, max_size=2) as pool:
        one, other = Lent(pool), Lent(pool)
        assert await lends_by_transaction(one, other)  # type: ignore[arg-type]  # it does what is needed
        async with pool.acquire() as straight, pool.acquire() as second:
            assert not await lends_by_transaction(straight, second)  # type: ignore[arg-type]  # of a pool
