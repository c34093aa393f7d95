"""The database of an old app as its job tables and balances were, and a few lives in it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from makegood_adapters.cli.imports.command import bring_in

ANA, BO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
TABLES = (
    *("upscaler", "pose_changer", "veste_ai", "video_upscaler", "arcano_cloner", "character_generator"),
    *("flyer_maker", "bg_remover", "image_generator", "video_generator", "movieled_maker"),
)
# What all job tables share, and a few columns of the pages.
SHARED = """
    id uuid primary key, user_id uuid, session_id text, status text not null, task_id text, position integer,
    created_at timestamptz default now(), started_at timestamptz, completed_at timestamptz, output_url text,
    thumbnail_url text, error_message text, user_credit_cost integer, credits_charged boolean,
    credits_refunded boolean, rh_cost numeric, api_account text, job_payload jsonb, current_step text,
    step_history jsonb, raw_api_response jsonb, raw_webhook_payload jsonb, prompt text, category text,
    resolution integer, input_url text, reference_prompt_id text, engine text
"""
# The youngest of them has fewer, and says with a number what it has charged.
SEEDANCE = """
    id uuid primary key, user_id uuid, status text not null, task_id text, created_at timestamptz,
    completed_at timestamptz, output_url text, error_message text, credits_charged integer, api_account text,
    prompt text, duration integer
"""
CREDITS = """
    user_id uuid, balance integer, monthly_balance integer, lifetime_balance integer,
    monthly_expires_at timestamptz
"""
LONG_AGO = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class OldApp:
    """An old database and the service that takes its place."""

    dsn: str
    sql: asyncpg.Connection
    new_dsn: str
    new: asyncpg.Connection
    folder: Path
    capsys: pytest.CaptureFixture[str]
    accounts: list[dict[str, Any]] = field(default_factory=list)
    side: str = ""

    async def make(self) -> None:
        for name in TABLES:
            await self.sql.execute(f"create table {name}_jobs ({SHARED})")
        await self.sql.execute(
            f"create table seedance_jobs ({SEEDANCE}); create table upscaler_credits ({CREDITS})"
        )

    async def balance(self, owner: str, monthly: int, lifetime: int, *, days: float | None = 20) -> None:
        ends = None if days is None else datetime.now(UTC) + timedelta(days=days)
        await self.sql.execute(
            "insert into upscaler_credits values ($1, $2, $3, $4, $5)",
            *(owner, monthly + lifetime, monthly, lifetime, ends),
        )

    async def job(self, owner: str | None, status: str, table: str = "upscaler_jobs", **given: Any) -> UUID:
        """Insert a job of 60 credits that were charged; *given* replaces columns."""
        row = {
            "id": uuid4(),
            "user_id": owner,
            "status": status,
            "created_at": LONG_AGO,
            "completed_at": LONG_AGO + timedelta(minutes=3),
            "user_credit_cost": 60,
            "credits_charged": True,
            "credits_refunded": status in ("failed", "cancelled"),
            **given,
        }
        if table == "seedance_jobs":
            row = {k: v for k, v in row.items() if k not in ("user_credit_cost", "credits_refunded")}
        columns = ", ".join(row)
        places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        await self.sql.execute(f"insert into {table} ({columns}) values ({places})", *row.values())
        made: UUID = row["id"]
        return made

    async def bring_in(self, status: int = 0, **given: Any) -> Any:
        """Run the command, which must end with *status*, and return what it tells as JSON."""
        return json.loads(await self.run(status, json=True, **given))

    def files(self) -> tuple[Path, Path]:
        """Write what the service and what the old side is, and return both."""
        config, side = self.folder / "makegood.toml", self.folder / "old.toml"
        config.write_text(
            f"database_url = {json.dumps(self.new_dsn)}\n"
            + "".join(
                "[[accounts]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in account.items())
                for account in self.accounts
            )
        )
        side.write_text(f"database_url = {json.dumps(self.dsn)}\n{self.side}")
        return config, side

    async def run(self, status: int = 0, **given: Any) -> str:
        """Run the command, which must end with *status*, and return what it tells."""
        config, side = self.files()
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            await bring_in(side, config=config, **given)
        told = self.capsys.readouterr().out
        assert ended.value.code == status, told
        return told

    async def wallet(self, owner: str) -> dict[str, tuple[int, int, int]]:
        """Return (remaining, held, captured) of each bucket, by source without its owner."""
        rows = await self.new.fetch("select * from makegood.bucket where owner_id = $1", owner)
        return {
            r["source_ref"].replace(f"{owner}:", ""): (r["remaining"], r["held"], r["captured"]) for r in rows
        }

    async def all_of_it(self) -> dict[str, Any]:
        """Return everything that an import may leave behind, but for when it was done."""
        buckets = "select owner_id, source_ref, kind, priority, issued, remaining, held from makegood.bucket"
        return {
            "buckets": sorted(tuple(row) for row in await self.new.fetch(buckets)),
            "jobs": sorted(
                tuple(row)
                for row in await self.new.fetch(
                    "select job_id, owner_id, type, state, price, settled, version from makegood.job"
                )
            ),
            "tasks": sorted(
                tuple(row)
                for row in await self.new.fetch("select job_id, account, task_id from makegood.attempt")
            ),
        }
