"""`makegood import`: balances and history move in once, whole, and nobody can do the same by hand."""

from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from makegood.errors import InvalidRequest
from makegood_adapters.cli.audit.explain import explain
from makegood_adapters.cli.imports.carry import Carrier
from makegood_adapters.cli.imports.command import bring_in
from makegood_adapters.cli.imports.here import open_here
from makegood_adapters.cli.imports.old import open_old, read_old_side
from makegood_adapters.cli.imports.plan import Survey
from makegood_adapters.cli.imports.rows import JOB_COLUMNS, read_balance, read_job
from makegood_adapters.cli.imports.types import Types
from makegood_adapters.config import load_config
from makegood_adapters.postgres.store import PostgresStore
from tests.imports.old_app import ANA, BO, LONG_AGO, OldApp
from tests.roles import login

CLEO = "33333333-3333-4333-8333-333333333333"
MAIN = {"name": "main", "pool": "runninghub", "capacity": 3, "api_key": "a-key"}


async def furnish(app: OldApp) -> None:
    await app.balance(ANA, 300, 1_000)
    await app.balance(BO, 50, 0, days=-3)
    await app.job(ANA, "completed", output_url="https://old.example/1.png", resolution=2048)
    await app.job(ANA, "failed", error_message="It failed. Your credits were given back!")
    await app.job(BO, "cancelled", "pose_changer_jobs")


async def test_an_import_tells_first_does_it_once_and_changes_nothing_the_second_time(app: OldApp) -> None:
    await furnish(app)
    nothing = await app.all_of_it()
    told = await app.bring_in()
    assert (told["applied"], told["audit"]) == (False, None)
    assert told["credits"]["monthly"]["new"] == 300
    assert told["jobs"]["history"] == {"completed": 1, "failed": 1, "cancelled": 1}
    assert await app.all_of_it() == nothing
    done = await app.bring_in(apply=True)
    told_of_it = {"old": 350, "here": 0, "new": 300, "expired": 50, "left_out": 0, "difference": 0}
    assert done["credits"]["monthly"] == told_of_it
    assert (done["audit"]["violations"], done["audit"]["total"]["difference"]) == (0, 0)
    assert await app.wallet(ANA) == {"import:monthly": (300, 0, 0), "import:lifetime": (1_000, 0, 0)}
    assert await app.wallet(BO) == {}
    first = await app.all_of_it()
    again = await app.bring_in(apply=True)
    assert (again["credits"]["monthly"]["here"], again["jobs"]["here"], again["jobs"]["history"]) == (
        300,
        3,
        {},
    )
    assert await app.all_of_it() == first
    assert "Everything is here already: there is nothing to bring in." in await app.run()


async def test_a_job_that_was_over_elsewhere_is_told_as_it_was_and_moves_and_tells_nothing(
    app: OldApp,
) -> None:
    """Its text about credits is kept for people, and is no word of ours."""
    listener = (
        "insert into makegood.endpoint (endpoint_id, url, secret, after) values ($1, 'https://x', 'x', 0)"
    )
    await app.new.execute(listener, uuid4())
    done = await app.job(ANA, "completed", output_url="https://old.example/1.png", resolution=2048)
    lost = await app.job(ANA, "failed", error_message="Your credits were given back!", completed_at=None)
    early = await app.job(ANA, "cancelled", completed_at=LONG_AGO - timedelta(days=1))
    await app.bring_in(apply=True)
    rows = {r["job_id"]: r for r in await app.new.fetch("select * from makegood.job")}
    job = rows[done]
    assert (job["created_at"], job["finished_at"]) == (LONG_AGO, LONG_AGO + timedelta(minutes=3))
    assert (job["state"], job["price"], job["settled"], job["deadline_at"]) == ("completed", 60, 0, None)
    assert '"output_url": "https://old.example/1.png"' in job["metadata"]
    assert '"resolution": 2048' in job["input"]
    async with PostgresStore.open(app.new_dsn) as store:
        explained = await explain(store, done)
    assert (
        explained.summary == "It cost 60 credits of another ledger, in which it was over before it was here."
    )
    assert [fact.text for fact in explained.facts] == ["completed elsewhere, and brought in by import"]
    assert (explained.next, explained.faults) == (
        ("The job is over: no credits of this ledger belong to it.",),
        (),
    )
    assert "given back" not in rows[lost]["error"]
    assert "Your credits were given back!" in rows[lost]["metadata"]
    assert [rows[each]["finished_at"] for each in (lost, early)] == [LONG_AGO, LONG_AGO]
    steps = await app.new.fetch(
        "select event, from_state, to_state, actor from makegood.history where job_id = $1", done
    )
    assert [tuple(step) for step in steps] == [("import", None, "completed", "import")]
    assert await app.new.fetchval("select count(*) from makegood.outbox where done_at is null") == 0
    await app.new.execute("select makegood.place_history(100)")
    [read] = await app.new.fetch("select * from makegood.make_deliveries(100)")
    assert (read["places"], read["deliveries"]) == (3, 0)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("completed", {"user_credit_cost": -1}, "price is -1: a price is between 0 and 1,000,000,000,000"),
    (
        "stuck",
        {},
        "its status 'stuck' is none of pending, queued, starting, running, completed, failed, cancelled",
    ),
    (
        "completed",
        {"created_at": datetime(2999, 1, 1, tzinfo=UTC)},
        "its created_at 2999-01-01T00:00:00+00:00 is in",
    ),
    ("completed", {"created_at": None}, "it has no created_at"),
    (
        "running",
        {"task_id": "1", "api_account": "evolink"},
        "runs at the account 'evolink', which is none of main",
    ),
]


async def test_what_is_wrong_is_told_row_by_row_and_nothing_of_its_owner_is_brought_in(app: OldApp) -> None:
    app.accounts = [MAIN]
    await app.balance(CLEO, 0, 70)
    await app.job(CLEO, "completed")
    wanted = []
    for n, (status, given, what) in enumerate(WRONG):
        owner = f"{n:08}-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
        await app.balance(owner, 5, 5)
        await app.job(owner, "completed")
        await app.job(owner, status, **given)
        wanted.append((owner, what))
    await app.balance(ANA, -20, 30)
    await app.sql.execute("update upscaler_credits set balance = 9 where user_id = $1", wanted[0][0])
    await app.balance(BO, 1, 1)
    await app.balance(BO, 1, 1)
    twice = await app.job(BO, "completed")
    await app.job(BO, "completed", "pose_changer_jobs", id=twice)
    await app.job(None, "completed")
    await app.job(BO, "completed", "seedance_jobs", credits_charged=60)
    told = await app.bring_in(1, apply=True, leave_out=["seedance_jobs"])
    found = [(problem["owner"], problem["what"]) for problem in told["problems"]]
    expected: list[tuple[str | None, str]] = [
        *wanted,
        (wanted[0][0], "balance is 9, and monthly and lifetime are 10 together"),
        (ANA, "monthly is -20: a balance is between 0 and 1,000,000,000,000"),
        (BO, "the owner has two rows: add them up in the statement"),
        (BO, "its id is that of a job before it"),
        (None, "it has no owner who could have credits or jobs"),
    ]
    for who, text in expected:
        assert any(who == owner and text in what for owner, what in found), text
    assert len(found) == len(WRONG) + 5
    assert told["jobs"]["left_behind"] == {"seedance_jobs": 1}
    assert (told["credits"]["live jobs"]["left_out"], told["jobs"]["live"]) == (60, [])
    assert {pot: sums["difference"] for pot, sums in told["credits"].items()} == dict.fromkeys(
        told["credits"], 0
    )
    here = await app.all_of_it()
    assert {row[0] for row in here["buckets"]} == {row[1] for row in here["jobs"]} == {CLEO}
    await app.sql.execute(
        "update upscaler_credits set monthly_balance = 20, balance = 50 where user_id = $1", ANA
    )
    await app.bring_in(1, apply=True, leave_out=["seedance_jobs"])
    assert await app.wallet(ANA) == {"import:monthly": (20, 0, 0), "import:lifetime": (30, 0, 0)}


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("price", Decimal("NaN"), "price is NaN: a price is a whole number of credits"),
        ("price", float("inf"), "price is inf: a price is a whole number of credits"),
        ("payload", "{", "its payload is no JSON"),
        ("payload", '{"a": NaN}', "its payload is no JSON"),
        ("payload", "[" * 100_000, "its payload is no JSON"),
    ],
)
def test_a_value_that_no_old_app_should_have_is_told_of_its_row(
    column: str, value: object, told: str
) -> None:
    """Statements of a host's own may give anything; one row must not end the reading of all."""
    row = dict.fromkeys(JOB_COLUMNS) | {"id": str(uuid4()), "table": "t", "owner": ANA, "status": "completed"}
    row |= {"created_at": LONG_AGO, column: value}
    assert read_job(row, datetime.now(UTC)).problems == (told,)


def test_what_pages_wrote_into_old_tables_gives_the_terminal_no_orders() -> None:
    row = dict.fromkeys(JOB_COLUMNS) | {"id": "1\x1b[2J", "table": "t", "task_id": "7\x1b[2J", "owner": ANA}
    job = read_job(row | {"created_at": LONG_AGO}, datetime.now(UTC))
    assert (job.place, job.task_id) == ("t 1[2J", "7[2J")
    wrong = read_balance({"owner": ANA, "monthly": 1, "lifetime": 0, "test": 0, "balance": "2"})
    assert wrong is not None
    assert wrong.problems == ("balance is 2, and monthly and lifetime are 1 together",)


async def test_what_was_ended_between_any_two_commits_is_completed_by_the_next(app: OldApp) -> None:
    app.accounts = [MAIN]
    await furnish(app)
    live = [await app.job(ANA, "running", task_id=f"task-{n}", api_account="main") for n in range(2)]
    live += [await app.job(BO, "queued"), await app.job(BO, "starting", credits_charged=False)]
    config, side = app.files()
    read, old = load_config(config), read_old_side(side)
    steps, whole = 0, False
    while not whole:
        steps += 1
        async with open_here(app.new_dsn, read) as here, open_old(app.dsn, old) as rows:
            types, now = Types(here.engine.catalog, old.types), await here.engine.now()
            plan = await Survey(old, types, ["main"], now).take(rows, here.connection)
            async with here.engine, aclosing(Carrier(plan, old, types, here).carry(rows)) as carried:
                whole = True
                async for problem in carried:
                    assert problem is None
                    whole = False
                    break
        assert await app.new.fetch("select * from makegood.violation") == []
        jobs = {row["job_id"] for row in await app.new.fetch("select job_id from makegood.job")}
        paid = {k for owner in (ANA, BO) for k in await app.wallet(owner) if k.startswith("import:job:")}
        assert paid == {f"import:job:{job}" for job in live[:3] if job in jobs}
    assert steps == len(live) + 3  # after the history, after the balances, after each; then nothing is left
    states = await app.new.fetch(
        "select state, count(*) as n from makegood.job group by state order by state"
    )
    assert [tuple(row) for row in states] == [
        ("cancelled", 1),
        ("completed", 1),
        ("failed", 3),
        ("running", 2),
    ]
    assert await app.new.fetchval("select count(*) from makegood.attempt") == 2
    told = await app.bring_in(apply=True, adopt=True)
    assert (told["jobs"]["here"], told["jobs"]["live"], told["credits"]["live jobs"]["here"]) == (7, [], 180)


COPY = (
    "insert into makegood.job (job_id, owner_id, type, type_version, pool, state, price, input, request,"
    " actor, attempts_max{more}) select gen_random_uuid(), owner_id, type, type_version, pool, state, price,"
    " input, request, actor, attempts_max{more} from makegood.job limit 1"
)


@pytest.mark.parametrize("kind", ["worker", "api"])
async def test_the_service_itself_can_make_no_job_that_is_over(app: OldApp, kind: str) -> None:
    """Neither by the function, nor by the mark, nor by a row that says so; the command asks for the owner."""
    await furnish(app)
    await app.bring_in(apply=True)
    async with login(app.new_dsn, kind) as dsn:
        role = await asyncpg.connect(dsn)
        try:
            for attack in (
                "select makegood.import_jobs('[]')",
                "insert into makegood.imported (job_id) values (gen_random_uuid())",
                COPY.format(more=", finished_at"),
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await role.execute(attack)
            with pytest.raises(asyncpg.PostgresError, match="cannot begin in state"):
                await role.execute(COPY.format(more=""))
        finally:
            role.terminate()
        config, side = app.files()
        with pytest.raises(InvalidRequest, match="Only the owner of the schema"):
            await bring_in(side, dsn=dsn, config=config)


@pytest.mark.tampers
async def test_the_audit_tells_of_history_that_begins_in_its_end_without_the_owners_mark(app: OldApp) -> None:
    await furnish(app)
    await app.bring_in(apply=True)
    await app.new.execute("alter table makegood.job disable trigger job_begins")
    forged = COPY.format(more=", settled, finished_at") + " returning job_id"
    job = await app.new.fetchval(forged)
    broken = await app.new.fetch("select code, job_id from makegood.violation")
    assert [tuple(row) for row in broken] == [("history_edge", job)]


async def test_statements_are_written_to_be_adapted_and_one_that_does_not_fit_is_told(app: OldApp) -> None:
    await app.sql.execute("drop table seedance_jobs; alter table upscaler_credits rename to wallets")
    await app.sql.execute("insert into wallets (user_id, lifetime_balance) values ($1, 40)", ANA)
    with pytest.raises(InvalidRequest, match=r'for balances: relation "upscaler_credits" does not exist'):
        await app.run()
    await bring_in(write_sql=app.folder)
    with pytest.raises(InvalidRequest, match="is there already, and is not overwritten"):
        await bring_in(write_sql=app.folder)
    jobs, balances = app.folder / "jobs.sql", app.folder / "balances.sql"
    lines = [line for line in jobs.read_text().splitlines() if "from seedance_jobs" not in line]
    jobs.write_text("\n".join(lines) + ";\n")
    balances.write_text(balances.read_text().replace("from upscaler_credits", "from wallets"))
    app.side = 'balances = "balances.sql"\njobs = "jobs.sql"\n'
    assert (await app.bring_in())["credits"]["lifetime"]["new"] == 40
    balances.write_text("select user_id as owner from wallets")
    with pytest.raises(InvalidRequest, match="for balances gives no column 'monthly'; it gives owner"):
        await app.run()
    balances.write_text("delete from wallets returning 1")
    with pytest.raises(InvalidRequest, match="gives no column 'owner'"):
        await app.run()
    assert await app.sql.fetchval("select count(*) from wallets") == 1
