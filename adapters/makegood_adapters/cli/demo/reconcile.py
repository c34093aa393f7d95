"""An independent look at the books: nothing here asks the engine.

Four witnesses are held against each other: the provider's own list of tasks, the files on the disk,
the journal replayed line by line from nothing, and what the users were told. The webhook token's
hash, which the provider and the database both know, tells which task belongs to which attempt.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from PIL import Image, UnidentifiedImageError

from makegood_adapters.cli.demo.show import Ticket
from makegood_adapters.cli.replay import BUCKETS, JOURNAL, Account, compare, replay

_ATTEMPTS = "select job_id, number, encode(token_hash, 'hex') as token from makegood.attempt"


@dataclass(slots=True)
class Findings:
    """The result: totals by the replay, and every disagreement as a sentence."""

    captured: int = 0
    refunded: int = 0
    held: int = 0
    difference: int = 0
    disagreements: list[str] = field(default_factory=list)


async def reconcile(
    dsn: str,
    tasks: list[dict[str, Any]],
    tickets: list[Ticket],
    results: Path,
    balances: dict[str, tuple[int, int]],
) -> Findings:
    """Compare the witnesses; *tasks* is the provider's list, *balances* what owners were told last."""
    connection = await asyncpg.connect(dsn)
    try:
        journal = await connection.fetch(JOURNAL)
        stored = await connection.fetch(BUCKETS)
        attempts = await connection.fetch(_ATTEMPTS)
        violations = await connection.fetch("select invariant, subject from makegood.violation")
    finally:
        await connection.close()
    findings = Findings()
    findings.disagreements += [f"violation: {v['invariant']}: {v['subject']}" for v in violations]
    buckets, jobs = replay(journal, findings.disagreements)
    compare(buckets, stored, findings.disagreements)
    _compare_balances(buckets, stored, balances, findings)
    _compare_jobs(jobs, tickets, findings)
    _compare_tasks(tasks, attempts, tickets, results, findings)
    findings.captured = sum(a.captured for a in buckets.values())
    findings.refunded = sum(a.released for a in buckets.values())
    findings.held = sum(a.held for a in buckets.values())
    earned = sum(t.price for t in tickets if t.state == "completed")
    spent = sum(a.issued - a.remaining - a.expired for a in buckets.values())
    findings.difference = abs(spent - earned - findings.held) + abs(findings.captured - earned)
    return findings


def _compare_balances(
    buckets: dict[int, Account],
    stored: list[asyncpg.Record],
    balances: dict[str, tuple[int, int]],
    findings: Findings,
) -> None:
    available: dict[str, int] = defaultdict(int)
    held: dict[str, int] = defaultdict(int)
    for row in stored:
        available[row["owner_id"]] += buckets[row["bucket_id"]].remaining
        held[row["owner_id"]] += buckets[row["bucket_id"]].held
    for owner, told in balances.items():
        replayed = (available[owner], held[owner])
        if told != replayed:
            findings.disagreements.append(
                f"{owner} was told {told} (available, held); the journal says {replayed}"
            )


def _compare_jobs(jobs: dict[str, Account], tickets: list[Ticket], findings: Findings) -> None:
    for ticket in tickets:
        account = jobs[str(ticket.job_id)]
        journal = (account.held, account.captured, account.released)
        told = (ticket.money.held, ticket.money.captured, ticket.money.released)
        back, under_way = (0, 0, ticket.price), (ticket.price, 0, 0)
        ends = {"completed": (0, ticket.price, 0), "failed": back, "cancelled": back}
        wanted = ends.get(ticket.state, under_way)
        if journal != told or journal != wanted:
            findings.disagreements.append(
                f"{ticket.name} ended {ticket.state}: held, captured, released should be {wanted}; "
                f"the journal says {journal}, its user was told {told}"
            )


def _compare_tasks(
    tasks: list[dict[str, Any]],
    attempts: list[asyncpg.Record],
    tickets: list[Ticket],
    results: Path,
    findings: Findings,
) -> None:
    owner = {row["token"]: (str(row["job_id"]), row["number"]) for row in attempts if row["token"]}
    by_job: dict[str, list[dict[str, Any]]] = defaultdict(list)
    seen: set[tuple[str, int]] = set()
    for task in tasks:
        attempt = owner.get(task["webhook_sha256"])
        if attempt is None:
            findings.disagreements.append(f"task {task['id']} at the provider belongs to no attempt")
            continue
        if attempt in seen:
            findings.disagreements.append(f"attempt {attempt[1]} of job {attempt[0]} was submitted twice")
        seen.add(attempt)
        by_job[attempt[0]].append(task)
    expected = set()
    for ticket in tickets:
        done = [t for t in by_job[str(ticket.job_id)] if t["state"] == "SUCCESS"]
        path = results / f"{ticket.part.number:03d}-{ticket.part.job_type}-{ticket.part.owner}.png"
        if ticket.state == "completed":
            expected.add(path.name)
            _check_file(ticket, path, done, findings)
        elif path.exists():
            findings.disagreements.append(f"{ticket.name} is {ticket.state} and its result was delivered")
    for stray in {p.name for p in results.glob("[0-9][0-9][0-9]-*.png")} - expected:
        findings.disagreements.append(f"{stray} is on the disk and nobody has paid for it")


def _check_file(ticket: Ticket, path: Path, done: list[dict[str, Any]], findings: Findings) -> None:
    if not path.exists():
        findings.disagreements.append(f"{ticket.name} is completed and {path.name} is not on the disk")
        return
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest not in {output["sha256"] for task in done for output in task["outputs"]}:
        findings.disagreements.append(f"{path.name} is not what the provider made for {ticket.name}")
    try:
        with Image.open(path) as picture:
            picture.load()
            size = picture.size
    except (UnidentifiedImageError, OSError) as error:
        findings.disagreements.append(f"{path.name} is not a whole picture: {error}")
        return
    if ticket.part.job_type == "upscaler" and size not in {(480, 352), (352, 480)}:
        findings.disagreements.append(f"{path.name} was not enlarged: it is {size[0]} x {size[1]}")
