"""Replay the journal line by line from nothing, and compare what comes out with the stored buckets."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

JOURNAL = "select owner_id, seq, kind, bucket_id, job_id, amount from makegood.journal order by owner_id, seq"
BUCKETS = "select bucket_id, owner_id, issued, remaining, held, captured, expired from makegood.bucket"


@dataclass(slots=True)
class Account:
    """What the replay of the journal says of one bucket or one job, in whole credits."""

    issued: int = 0
    remaining: int = 0
    held: int = 0
    captured: int = 0
    released: int = 0
    expired: int = 0

    def add(self, kind: str, amount: int) -> None:
        """Carry out one line."""
        match kind:
            case "issue":
                self.issued += amount
                self.remaining += amount
            case "hold":
                self.remaining -= amount
                self.held += amount
            case "capture":
                self.held -= amount
                self.captured += amount
            case "release":
                self.held -= amount
                self.released += amount
                self.remaining += amount
            case "expire":
                self.remaining -= amount
                self.expired += amount


def replay(
    journal: Sequence[asyncpg.Record], disagreements: list[str]
) -> tuple[dict[int, Account], dict[str, Account]]:
    """Return the accounts of all buckets and of all jobs; what cannot be is added to *disagreements*."""
    buckets: dict[int, Account] = defaultdict(Account)
    jobs: dict[str, Account] = defaultdict(Account)
    last: dict[str, int] = defaultdict(int)
    for line in journal:
        owner = line["owner_id"]
        if line["seq"] != last[owner] + 1:
            disagreements.append(f"the journal of {owner} jumps from {last[owner]} to {line['seq']}")
        last[owner] = line["seq"]
        for account in (buckets[line["bucket_id"]], jobs[str(line["job_id"])]):
            account.add(line["kind"], line["amount"])
        if buckets[line["bucket_id"]].remaining < 0 or buckets[line["bucket_id"]].held < 0:
            disagreements.append(f"a bucket of {owner} was below zero at line {line['seq']}")
    return buckets, jobs


def compare(buckets: dict[int, Account], stored: Sequence[asyncpg.Record], disagreements: list[str]) -> None:
    """Add to *disagreements* each bucket whose row differs from the replay."""
    for row in stored:
        account = buckets[row["bucket_id"]]
        replayed = (account.issued, account.remaining, account.held, account.captured, account.expired)
        kept = (row["issued"], row["remaining"], row["held"], row["captured"], row["expired"])
        if replayed != kept:
            disagreements.append(f"bucket {row['bucket_id']}: the journal says {replayed}, the table {kept}")
