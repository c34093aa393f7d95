"""What keeps the ledger true while clocks tick, sessions are dressed up, and rights are spread thin."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from makegood import GuardFailed, InsufficientCredits, InvalidRequest, KeyReused
from makegood.job import Job, JobMoney, Verdict
from makegood.testing.drive import PRICE, Drive, fact, token_hash
from makegood_adapters.postgres.attempts import fact_text, facts_text
from makegood_adapters.postgres.refusal import DatabaseRefusal
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.postgres.far import somebody_waits

FORBIDDEN, NO_RIGHT, NO_CREDITS, NO_EVIDENCE = "MG005", "42501", "MG402", "MG002"

# At every look at it the clock is a second on, as on a busy server between two statements.
TICKING = """
    CREATE SEQUENCE makegood.tick;
    CREATE OR REPLACE FUNCTION makegood.now() RETURNS timestamptz LANGUAGE sql VOLATILE AS
      $$ SELECT timestamptz '2030-01-01' + nextval('makegood.tick') * interval '1 second' $$
"""
# A session that is dressed up: what it calls without a schema is its own.
EVIL = """
    CREATE SCHEMA evil;
    CREATE FUNCTION evil.nothing(numeric, bigint) RETURNS numeric LANGUAGE sql IMMUTABLE AS
      'SELECT 0::numeric';
    CREATE AGGREGATE evil.sum(bigint) (sfunc = evil.nothing, stype = numeric, initcond = '0');
    CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
      $$ SELECT timestamptz '2000-01-01' $$;
    SET search_path = evil, pg_catalog
"""
MOVE = "UPDATE makegood.job SET state = $2 WHERE job_id = $1"
MINTING = (
    "UPDATE makegood.bucket SET issued = issued + 5, remaining = remaining + 5",
    "INSERT INTO makegood.bucket (owner_id, kind, priority, source_ref, issued, remaining)"
    " VALUES ('ada', 'gift', 1, 'mine', 5, 5)",
    "INSERT INTO makegood.journal (owner_id, seq, kind, bucket_id, amount, actor)"
    " VALUES ('ada', 3, 'issue', 1, 5, 'eve')",
    "UPDATE makegood.hold SET captured = 0, released = amount",
    "UPDATE makegood.wallet SET seq = 0",
    "SELECT makegood.grant_credits('ada', 'gift', 5, 'mine', 1, NULL, 'eve')",
    "SELECT makegood.expire_credits(5)",
)


async def refusal(plain: asyncpg.Connection, sql: str, *arguments: object) -> str | None:
    """Execute *sql* and return the code with which it was refused."""
    with pytest.raises(asyncpg.PostgresError) as refused:
        await plain.execute(sql, *arguments)
    return refused.value.sqlstate


async def books(drive: Drive) -> tuple[int, int]:
    """Return what Ada may spend and what is held of hers."""
    wallet = await drive.store.ledger.wallet("ada")
    return wallet.available, wallet.held


@pytest_asyncio.fixture
async def guest(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection of a role that may read and update jobs, and nothing else."""
    name = f"makegood_guest_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(f"CREATE ROLE {name}")
        await connection.execute(f"GRANT USAGE ON SCHEMA makegood TO {name}")
        await connection.execute(f"GRANT SELECT, UPDATE ON makegood.job TO {name}")
        await connection.execute(f"SET SESSION AUTHORIZATION {name}")
        yield connection
    finally:
        await connection.execute("RESET SESSION AUTHORIZATION")
        await connection.execute(f"DROP OWNED BY {name}")
        await connection.execute(f"DROP ROLE {name}")
        await connection.close()


class TestTheClock:
    async def test_a_bucket_that_expires_during_accept_pays_the_whole_price_or_nothing(
        self, drive: Drive, plain: asyncpg.Connection
    ) -> None:
        await plain.execute(TICKING)
        states = []
        for ticks in range(5, 32):  # the moment of expiry wanders over everything that accept looks at
            owner = f"owner-{ticks}"
            job = await drive.insert(owner=owner)
            await drive.grant(PRICE, owner=owner, expires_at=await drive.now() + timedelta(seconds=ticks))
            try:
                job = await drive.event(job, "accept")
            except InsufficientCredits:
                job = await drive.job(job)
            held = (await drive.store.jobs.money(job.id)).held
            assert (job.state, held) in (("queued", PRICE), ("pending", 0)), ticks
            states.append(job.state)
        assert set(states) == {"queued", "pending"}

    async def test_a_hold_that_is_not_the_price_is_taken_back_with_its_transition(
        self, drive: Drive, plain: asyncpg.Connection, pending: Job
    ) -> None:
        await plain.execute(
            "CREATE FUNCTION public.lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            "CREATE TRIGGER loses BEFORE INSERT ON makegood.hold"
            " FOR EACH ROW EXECUTE FUNCTION public.lose()"
        )
        with pytest.raises(DatabaseRefusal, match="0 credits were drawn for jobs that cost 100") as refused:
            await drive.event(pending, "accept")
        assert refused.value.sqlstate == FORBIDDEN
        assert (await drive.job(pending), await books(drive)) == (pending, (PRICE, 0))


class TestRights:
    @pytest.mark.parametrize("function", ["hold_credits", "settle_credits"])
    async def test_not_even_the_owner_moves_credits_by_a_call(
        self, drive: Drive, plain: asyncpg.Connection, function: str
    ) -> None:
        await drive.grant()
        queued, pending = await drive.to("queued"), await drive.insert()
        before = await books(drive)
        job = pending if function == "hold_credits" else queued
        assert await refusal(plain, f"SELECT makegood.{function}(ARRAY[$1::uuid])", job.id) == FORBIDDEN
        assert await books(drive) == before

    async def test_no_function_but_the_clock_is_for_everybody(self, plain: asyncpg.Connection) -> None:
        rows = await plain.fetch(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'makegood'::regnamespace"
            " AND has_function_privilege('public', oid, 'EXECUTE')"
        )
        assert {row["proname"] for row in rows} == {"now"}

    async def test_a_role_that_may_only_update_jobs_ends_one_with_its_refund(
        self, drive: Drive, guest: asyncpg.Connection
    ) -> None:
        await drive.grant()
        job = await drive.to("queued")
        await guest.execute(MOVE, job.id, "failed")
        assert (await drive.job(job)).state == "failed"
        assert await drive.store.jobs.money(job.id) == JobMoney(released=PRICE)
        assert await books(drive) == (1_000, 0)
        role = await guest.fetchval("SELECT session_user")
        assert (await drive.store.jobs.history(job.id))[-1].actor == f"database:{role}"

    async def test_a_role_that_may_only_update_jobs_makes_no_credits(
        self, drive: Drive, guest: asyncpg.Connection
    ) -> None:
        await drive.grant()
        job = await drive.to("queued")
        for act in MINTING:
            assert await refusal(guest, act) == NO_RIGHT, act
        for function in ("hold_credits", "settle_credits"):
            call = f"SELECT makegood.{function}(ARRAY[$1::uuid])"
            assert await refusal(guest, call, job.id) == NO_RIGHT, function
        assert await books(drive) == (900, PRICE)


class TestSearchPath:
    async def test_a_session_with_a_sum_of_its_own_spends_nothing_twice(
        self, drive: Drive, plain: asyncpg.Connection
    ) -> None:
        await drive.grant(PRICE)
        jobs = [await drive.insert(), await drive.insert()]
        await plain.execute(EVIL)
        assert await plain.fetchval("SELECT sum(amount) FROM makegood.journal") == 0  # it is dressed up
        await plain.execute(MOVE, jobs[0].id, "queued")
        assert await refusal(plain, MOVE, jobs[1].id, "queued") == NO_CREDITS
        assert [(await drive.store.jobs.money(job.id)).held for job in jobs] == [PRICE, 0]
        await plain.execute(MOVE, jobs[0].id, "failed")
        assert await books(drive) == (PRICE, 0)

    async def test_a_session_with_a_clock_of_its_own_changes_no_time(
        self, drive: Drive, plain: asyncpg.Connection, pending: Job
    ) -> None:
        await plain.execute(EVIL)
        assert (await plain.fetchval("SELECT clock_timestamp()")).year == 2000  # it is dressed up
        apart = "SELECT abs(extract(epoch FROM makegood.now() - pg_catalog.clock_timestamp())) < 60"
        assert await plain.fetchval(apart)
        await plain.execute(MOVE, pending.id, "queued")
        assert (await drive.job(pending)).entered_at >= pending.entered_at

    async def test_every_function_finds_its_names_in_the_catalog_first(
        self, plain: asyncpg.Connection
    ) -> None:
        """All but the clock, whose one name has its schema before it."""
        rows = await plain.fetch(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'makegood'::regnamespace"
            " AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)"
        )
        assert {row["proname"] for row in rows} == {"now"}


class TestGrace:
    async def test_nobody_grants_credits_under_the_name_of_a_refund(
        self, drive: Drive, plain: asyncpg.Connection
    ) -> None:
        await drive.grant(PRICE, expires_at=await drive.now() + timedelta(hours=1))
        job = await drive.to("queued")
        bucket = (await drive.store.ledger.wallet("ada")).buckets[0]
        name = f"grace:{job.id}:{bucket.id}"
        with pytest.raises(InvalidRequest, match="grace:"):
            await drive.grant(1, source_ref=name)
        call = "SELECT makegood.grant_credits('ada', 'gift', 1, $1, 1, NULL, 'eve')"
        assert await refusal(plain, call, name) == FORBIDDEN
        await drive.advance(2 * 3_600)
        await drive.event(job, "fail")
        assert await drive.store.jobs.money(job.id) == JobMoney(released=PRICE)
        assert await books(drive) == (PRICE, 0)
        buckets = (await drive.store.ledger.wallet("ada")).buckets
        assert {(b.kind, b.source_ref) for b in buckets} >= {("grace", name)}


class TestRawCompletion:
    async def test_a_success_without_its_result_in_our_storage_is_not_delivered(
        self, drive: Drive, plain: asyncpg.Connection
    ) -> None:
        await drive.grant()
        job = await drive.to("running")
        await drive.record(job, Verdict.SUCCEEDED)
        assert await refusal(plain, MOVE, job.id, "completed") == NO_EVIDENCE
        assert await drive.job(job) == job
        assert await drive.store.jobs.money(job.id) == JobMoney(held=PRICE)

    @pytest.mark.parametrize("settled", ["0", "1", "NULL"])
    async def test_what_a_plain_update_says_of_the_price_is_ignored(
        self, drive: Drive, plain: asyncpg.Connection, settled: str
    ) -> None:
        await drive.grant()
        job = await drive.to("running")
        await drive.record(job, Verdict.SUCCEEDED)
        await plain.execute(
            f"UPDATE makegood.job SET state = 'completed', output = '{{\"files\": []}}', settled = {settled}"
            " WHERE job_id = $1",
            job.id,
        )
        assert (await drive.job(job)).settled == PRICE
        assert await drive.store.jobs.money(job.id) == JobMoney(captured=PRICE)

    @pytest.mark.parametrize("settled", ["1", f"{PRICE}", "NULL"])
    async def test_a_plain_update_that_cancels_a_run_charges_nothing_whatever_it_says(
        self, drive: Drive, plain: asyncpg.Connection, settled: str
    ) -> None:
        await drive.grant()
        job = await drive.to("running")
        await drive.store.jobs.request_cancel(job.id)
        await drive.record(job, Verdict.CANCELLED)
        await plain.execute(
            f"UPDATE makegood.job SET state = 'cancelled', settled = {settled} WHERE job_id = $1", job.id
        )
        assert (await drive.job(job)).settled == 0
        assert await drive.store.jobs.money(job.id) == JobMoney(released=PRICE)


@asynccontextmanager
async def in_transaction(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection as the store's own, with a transaction that is committed at the end."""
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction():
            yield connection
    finally:
        connection.terminate()


async def final_verdicts(plain: asyncpg.Connection, job: Job) -> list[str]:
    rows = await plain.fetch(
        "SELECT verdict FROM makegood.evidence WHERE job_id = $1 AND verdict IN ('succeeded', 'failed')",
        job.id,
    )
    return [row["verdict"] for row in rows]


class TestContraryVerdicts:
    async def test_of_two_at_one_moment_the_first_is_kept_and_no_other(
        self, drive: Drive, plain: asyncpg.Connection, database: str
    ) -> None:
        await drive.grant()
        job = await drive.to("running")
        async with in_transaction(database) as first:
            await first.execute(
                statement("attempts/keep_evidence"), facts_text([fact_text(fact(job, Verdict.SUCCEEDED))])
            )
            second = asyncio.create_task(drive.record(job, Verdict.FAILED))
            await somebody_waits(plain, first)
        assert (await second).verdict is Verdict.SUCCEEDED
        assert await final_verdicts(plain, job) == ["succeeded"]

    async def test_no_job_fails_on_a_verdict_that_came_second(
        self, drive: Drive, plain: asyncpg.Connection, database: str
    ) -> None:
        await drive.grant()
        job = await drive.to("running")
        async with in_transaction(database) as first:
            await first.execute(
                statement("attempts/keep_evidence"), facts_text([fact_text(fact(job, Verdict.SUCCEEDED))])
            )
            second = asyncio.create_task(drive.event(job, "fail", Verdict.FAILED))
            await somebody_waits(plain, first)
        with pytest.raises(GuardFailed):
            await second
        assert await drive.job(job) == job
        done = await drive.event(job, "complete", output={"files": []})
        assert (done.state, await final_verdicts(plain, job)) == ("completed", ["succeeded"])


class TestUnstorableText:
    """Postgres holds no NUL and no lone surrogate: they are replaced, so that nothing is stuck on them."""

    BAD, STORED = "a\x00b\ud800c", "a\ufffdb?c"

    async def test_a_failure_is_stored_with_its_refund(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        evidence = fact(job, Verdict.FAILED, detail={"message": self.BAD, self.BAD: [self.BAD]})
        error = {"category": "provider", "message": self.BAD}
        failed = await drive.event(job, "fail", evidence=evidence, error=error, reason=self.BAD)
        assert failed.error == {"category": "provider", "message": self.STORED}
        assert (await drive.store.jobs.history(job.id))[-1].reason == self.STORED
        assert await drive.store.jobs.money(job.id) == JobMoney(released=PRICE)

    async def test_a_result_is_stored_and_fetched(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        attempt = await drive.record(job, Verdict.SUCCEEDED, outputs=({"url": self.BAD},))
        assert attempt.outputs == ({"url": self.STORED},)
        done = await drive.event(job, "complete", output={"files": [{"node": self.BAD}]})
        assert done.output == {"files": [{"node": self.STORED}]}

    async def test_a_deadline_ends_the_job_whatever_it_is_called(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("queued")
        ended = await drive.store.jobs.end(
            job, operation_id=uuid4(), actor="test", reason=self.BAD, error={"message": self.BAD}
        )
        assert ended is not None
        assert (ended.state, ended.error) == ("failed", {"message": self.STORED})

    async def test_what_is_said_about_a_task_is_kept(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        attempt = await drive.attempt(job)
        await drive.store.hints.report(job.id, "client", self.BAD)
        known = await drive.store.hints.receive(token_hash(attempt), self.BAD, self.BAD)
        assert known == (job.id, attempt.number)
        kept = await drive.store.hints.unread(attempt)
        assert [(hint.source, hint.task_id) for hint in kept] == [("client", None), ("webhook", self.STORED)]

    async def test_the_name_of_a_task_is_kept(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.submit(await drive.to("starting"))
        accepted = await drive.record(job, Verdict.ACCEPTED, task_id=self.BAD)
        assert accepted.task_id == self.STORED


class TestKeys:
    @pytest.mark.parametrize("number", [1e23, 0.1, 1e-7, 123456789.123456789, 10**30])
    async def test_a_number_that_jsonb_writes_otherwise_is_the_same_request(
        self, store: PostgresStore, drive: Drive, number: float
    ) -> None:
        job = await drive.insert(key="k", input={"x": number, "y": {"b": 1, "a": 2}})
        again = await drive.insert(key="k", input={"y": {"a": 2, "b": 1}, "x": number}, pool=job.pool)
        assert again.id == job.id
        with pytest.raises(KeyReused):
            await drive.insert(key="k", input={"x": 2 * number, "y": {"a": 2, "b": 1}}, pool=job.pool)
