"""The journal as statements read it: by its index at any depth, and in words whoever wrote it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from makegood.statement import CHANGE
from makegood.testing.contract.statements import Books
from makegood.testing.drive import Drive
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.store import PostgresStore

LINES, PAGE = 4_000, 120


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


@pytest.mark.tampers
@pytest.mark.parametrize("upto", [None, LINES // 2, PAGE])
async def test_a_page_reads_its_own_lines_and_no_others(
    drive: Drive, plain: asyncpg.Connection, upto: int | None
) -> None:
    await drive.grant(1)
    await plain.execute(
        "insert into makegood.journal (owner_id, seq, kind, bucket_id, amount, balance, actor)"
        f" select 'ada', n, 'issue', 1, 1, n, 'test' from generate_series(2, {LINES}) n"
    )
    await plain.execute("analyze makegood.journal")
    told = await plain.fetchval(
        f"explain (analyze, format json) {statement('ledger/lines')}", "ada", PAGE, upto
    )
    scans = [n for n in nodes(json.loads(told)[0]["Plan"]) if n.get("Relation Name") == "journal"]
    assert [scan["Actual Rows"] for scan in scans] == [PAGE]
    used = [node for node in nodes(json.loads(told)[0]["Plan"]) if "owner_id" in node.get("Index Cond", "")]
    assert [node["Index Name"] for node in used] == ["journal_owner_id_seq_key"]


async def test_the_lines_of_a_job_are_found_by_an_index(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.grant(1)
    await plain.execute("set enable_seqscan = off")
    job = await drive.to("queued", price=1)
    told = await plain.fetchval(f"explain (format json) {statement('ledger/lines_of')}", job.id)
    used = [node for node in nodes(json.loads(told)[0]["Plan"]) if "job_id" in node.get("Index Cond", "")]
    assert "journal_settles_once" in [node["Index Name"] for node in used]


async def test_every_kind_of_the_journal_has_words(plain: asyncpg.Connection) -> None:
    rule = await plain.fetchval(
        "select string_agg(pg_get_constraintdef(oid), ' ') from pg_constraint"
        " where conrelid = 'makegood.journal'::regclass and contype = 'c'"
        " and pg_get_constraintdef(oid) like '%kind%'"
    )
    assert set(re.findall(r"'(\w+)'", rule)) == set(CHANGE)


@pytest.mark.parametrize(
    ("state", "said"),
    [("failed", "ended by another program"), ("cancelled", "cancelled by another program")],
)
async def test_what_another_program_did_is_told_as_its_doing(
    drive: Drive, store: PostgresStore, plain: asyncpg.Connection, state: str, said: str
) -> None:
    await drive.grant()
    job = await drive.to("queued")
    await plain.execute("update makegood.job set state = $2 where job_id = $1", job.id, state)
    told = await Books(store).told()
    assert told[0].text == f"100 returned: {said}"
