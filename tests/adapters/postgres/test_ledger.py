"""The journal in Postgres: every entry is a balanced pair, every balance can be computed again."""

from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio

from makegood.job import Verdict
from makegood.testing.drive import PRICE, Drive

REFUSED = "MG006"


@pytest_asyncio.fixture
async def busy(drive: Drive) -> Drive:
    """Bring about every kind of line: cycles, expiry, grace, debt and a plan without limit."""
    ledger, now = drive.store.ledger, await drive.now()
    await drive.grant(2 * PRICE, source_ref="order-1", expires_at=now + timedelta(days=1))
    jobs = [await drive.to("queued") for _ in range(2)]
    await ledger.start_cycle("ada", 30, plan="pro", cycle="1", kind="monthly", priority=1)
    await ledger.start_cycle("ada", 40, plan="pro", cycle="2", kind="monthly", priority=1)
    await ledger.grant_unlimited("ada", kind="unlimited", source_ref="all", priority=50)
    done, failing = await drive.to("running"), await drive.to("running")
    await drive.event(done, "complete", Verdict.SUCCEEDED, settle=70)
    await drive.event(failing, "fail", Verdict.FAILED)
    await drive.advance(2 * 86_400)
    await drive.event(jobs[0], "fail")
    await ledger.charge_back("ada", "order-1")
    await drive.grant(30)
    await drive.event(jobs[1], "fail")
    return drive


async def test_every_entry_is_a_balanced_pair(busy: Drive, plain: asyncpg.Connection) -> None:
    kinds = await plain.fetch("SELECT DISTINCT kind FROM makegood.journal")
    assert {row["kind"] for row in kinds} == {
        *("issue", "hold", "capture", "release", "expire", "withdraw", "debt", "repay")
    }
    unbalanced = await plain.fetch(
        "SELECT journal_id FROM makegood.posting GROUP BY journal_id"
        " HAVING sum(debit) <> sum(credit) OR count(*) <> 2 OR count(DISTINCT account) <> 2"
    )
    assert unbalanced == []


async def test_accounts_show_what_buckets_holds_and_debt_show(busy: Drive, plain: asyncpg.Connection) -> None:
    rows = await plain.fetch(
        "SELECT account, sum(credit - debit)::bigint AS total FROM makegood.posting GROUP BY account"
    )
    total = {row["account"]: row["total"] for row in rows}
    assert sum(total.values()) == 0
    wallet = await busy.store.ledger.wallet("ada")
    for bucket in wallet.buckets:
        assert total.get(f"bucket:{bucket.id}", 0) == bucket.remaining
    assert sum(n for name, n in total.items() if name.startswith("hold:")) == wallet.held
    assert total["debt:ada"] == -wallet.debt
    assert total["earned"] == sum(bucket.captured for bucket in wallet.buckets)


@pytest.mark.tampers
@pytest.mark.parametrize(
    ("sql", "invariant"),
    [
        ("UPDATE makegood.wallet SET balance = balance + 1", "a wallet is not what its journal says"),
        ("UPDATE makegood.wallet SET debt = debt + 1", "a wallet is not what its journal says"),
        (
            "SET session_replication_role = replica;"
            " UPDATE makegood.journal SET balance = balance + 1 WHERE seq = 3",
            "a journal line has another balance than its replay",
        ),
    ],
)
async def test_the_audit_replays_balance_and_debt(
    busy: Drive, plain: asyncpg.Connection, sql: str, invariant: str
) -> None:
    assert (await busy.store.audit()).violations == ()
    await plain.execute(sql)
    assert invariant in {broken.invariant for broken in (await busy.store.audit()).violations}


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("grant_credits('ada', 'gift', 0, 'a', 1, NULL, 'eve')", "a whole number from 1"),
        ("grant_credits('ada', 'gift', 1000000000001, 'a', 1, NULL, 'eve')", "a whole number from 1"),
        ("grant_credits('ada', 'gift', NULL, 'a', 1, NULL, 'eve')", "needs an amount"),
        ("grant_credits('ada', 'gift', 5, 'a', 1, '2020-01-01', 'eve')", "has passed"),
        ("grant_unlimited('ada', 'gift', 'a', 1, '2020-01-01', 'eve')", "has passed"),
        ("start_cycle('ada', 'p:q', 'c', 'm', 5, 1, NULL, false, 'eve')", "no colon"),
        ("start_cycle('ada', 'p', 'c', 'm', NULL, 1, NULL, false, 'eve')", "needs an amount"),
        ("charge_back('ada', 'order-9', 'eve')", "no grant with the source order-9"),
    ],
)
async def test_a_plain_call_is_told_what_is_wrong(plain: asyncpg.Connection, call: str, told: str) -> None:
    with pytest.raises(asyncpg.PostgresError, match=told) as refused:
        await plain.execute(f"SELECT makegood.{call}")
    assert refused.value.sqlstate == REFUSED
    for table in ("wallet", "bucket", "journal"):
        assert await plain.fetchval(f"SELECT count(*) FROM makegood.{table}") == 0


async def test_a_wallet_stays(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.grant()
    for act in ("DELETE FROM makegood.wallet", "TRUNCATE makegood.wallet CASCADE"):
        with pytest.raises(asyncpg.PostgresError, match="forbidden"):
            await plain.execute(act)


async def test_a_batch_moves_as_many_credits_as_its_jobs_cost(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    """One statement for jobs of three owners: with two buckets, with debt, with a plan without limit."""
    ledger, pool = drive.store.ledger, await drive.pool(0)
    await drive.grant(150, owner="ada", priority=1)
    await drive.grant(10 * PRICE, owner="ada")
    await drive.grant(4 * PRICE, owner="bo", source_ref="order-1")
    await ledger.grant_unlimited("cy", kind="unlimited", source_ref="all", priority=0)
    for owner in ("ada", "bo", "cy"):
        for _ in range(4):
            await drive.insert(pool=pool, owner=owner)
    await plain.execute("UPDATE makegood.job SET state = 'queued'")
    held = {owner: (await ledger.wallet(owner)).held for owner in ("ada", "bo", "cy")}
    assert held == dict.fromkeys(("ada", "bo", "cy"), 4 * PRICE)
    await ledger.charge_back("bo", "order-1")
    await drive.grant(250, owner="bo")  # 150 are owed still
    await plain.execute("UPDATE makegood.job SET state = 'failed'")
    wallets = {owner: await ledger.wallet(owner) for owner in ("ada", "bo", "cy")}
    assert [w.available for w in wallets.values()] == [150 + 10 * PRICE, 250, 0]
    assert [(w.held, w.debt) for w in wallets.values()] == [(0, 0)] * 3


async def test_a_batch_with_one_wallet_that_is_too_small_names_it(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    await drive.grant(10 * PRICE, owner="ada")
    await drive.grant(250, owner="bo")
    for owner in ("ada", "bo", "bo", "bo"):
        await drive.insert(owner=owner)
    with pytest.raises(asyncpg.PostgresError, match="of bo has 250 credits, 300 are needed") as refused:
        await plain.execute("UPDATE makegood.job SET state = 'queued'")
    assert refused.value.sqlstate == "MG402"
    assert [(await drive.store.ledger.wallet(o)).held for o in ("ada", "bo")] == [0, 0]
