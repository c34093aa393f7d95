"""Hold the database, the journal, the provider's own list of tasks and the files against each other."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from makegood_adapters.cli.chaos.crowd import HEIGHT, WIDTH
from makegood_adapters.cli.replay import BUCKETS, JOURNAL, compare, replay

_JOBS = (
    "select job_id::text as id, state, price, output::text as output, error ->> 'category' as category, "
    "output #>> '{files,0,key}' as key, intent_attempt is not null as submitted, "
    "cancel_requested_at is not null as cancel_asked from makegood.job"
)
_ATTEMPTS = (
    "select job_id::text as job_id, number, account, encode(token_hash, 'hex') as token, task_id, "
    "intent_at is not null as sent, closed_at is null as open, "
    "exists (select 1 from makegood.evidence e where e.job_id = a.job_id and e.attempt = a.number "
    "        and e.verdict = 'rejected') as rejected "
    "from makegood.attempt a"
)
_VIOLATIONS = "select invariant, subject from makegood.violation"
_SOURCES = (
    "select verdict || ' by ' || source as what, count(*) as n from makegood.evidence group by 1 order by 1"
)
_EVENTS = "select event, count(*) as n from makegood.history group by 1 order by 1"
#: So many sentences of one kind are told; all are counted.
_TOLD_MAX = 5


@dataclass(slots=True)
class Findings:
    """What the books say: figures, and each disagreement as a sentence, by kind."""

    jobs: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    evidence: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    captured: int = 0
    released: int = 0
    held: int = 0
    files: int = 0
    paid_cancellations: int = 0
    tasks: int = 0
    again: int = 0
    attempts: int = 0
    sent: int = 0
    wrong: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def disagreements(self) -> list[str]:
        """At most a few sentences of each kind, and how many more there are."""
        told = []
        for kind, sentences in self.wrong.items():
            told += [f"{kind}: {sentence}" for sentence in sentences[:_TOLD_MAX]]
            if more := len(sentences[_TOLD_MAX:]):
                told.append(f"{kind}: {more} more")
        return told


async def hold_against_each_other(
    sql: asyncpg.Connection, tasks: Sequence[Mapping[str, Any]], blobs: Path
) -> Findings:
    """Return the findings; *tasks* is the provider's list, *blobs* the folder of our files."""
    found = Findings(tasks=len(tasks))
    found.wrong["violation"] += [f"{v['invariant']}: {v['subject']}" for v in await sql.fetch(_VIOLATIONS)]
    found.evidence = {row["what"]: row["n"] for row in await sql.fetch(_SOURCES)}
    found.events = {row["event"]: row["n"] for row in await sql.fetch(_EVENTS)}
    jobs = {row["id"]: row for row in await sql.fetch(_JOBS)}
    attempts = await sql.fetch(_ATTEMPTS)
    found.attempts = len(attempts)
    found.sent = sum(row["sent"] for row in attempts)
    buckets, money = replay(await sql.fetch(JOURNAL), found.wrong["journal"])
    compare(buckets, await sql.fetch(BUCKETS), found.wrong["journal"])
    for job in jobs.values():
        found.jobs[job["state"]] += 1
        if job["category"]:
            found.failures[job["category"]] += 1
        account = money[job["id"]]
        _check_money(job, (account.held, account.captured, account.released), found)
    found.captured = sum(account.captured for account in buckets.values())
    found.released = sum(account.released for account in buckets.values())
    found.held = sum(account.held for account in buckets.values())
    by_job = _check_tasks(tasks, attempts, found)
    found.again = len(tasks) - len(by_job)
    if found.again > (reruns := found.events.get("rerun", 0)):
        found.wrong["task again"].append(
            f"{found.again} for jobs that had one, and {reruns} were to run again"
        )
    for job in jobs.values():
        _check_file(job, by_job[job["id"]], blobs, found)
    return found


def _check_money(job: asyncpg.Record, seen: tuple[int, int, int], found: Findings) -> None:
    """Delivered and paid, or all credits back; a run that its user cancelled may cost what its type says."""
    price = job["price"]
    paid, back = (0, price, 0), (0, 0, price)
    allowed = {"completed": [paid], "failed": [back], "cancelled": [back]}.get(job["state"], [])
    if job["state"] == "cancelled" and job["submitted"] and job["cancel_asked"]:
        allowed = [back, paid]
    if job["state"] == "cancelled" and seen == paid:
        found.paid_cancellations += 1
    if seen not in allowed:
        found.wrong["money"].append(f"job {job['id']} is {job['state']}: held, captured, released are {seen}")


def _check_tasks(
    tasks: Sequence[Mapping[str, Any]], attempts: Sequence[asyncpg.Record], found: Findings
) -> dict[str, list[Mapping[str, Any]]]:
    """Check that no create call was made twice, none without an intent, and no slot is left; return the
    tasks by job. The hash of the webhook's token tells which attempt a task belongs to."""
    owner = {row["token"]: row for row in attempts if row["token"]}
    by_job: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    created: Counter[str] = Counter(str(task["webhook_sha256"]) for task in tasks)
    for token, times in created.items():
        attempt = owner.get(token)
        if attempt is None:
            found.wrong["task of nobody"].append(f"{times} with the token {token}")
        elif times > 1:
            found.wrong["created twice"].append(f"attempt {attempt['number']} of job {attempt['job_id']}")
        elif attempt["rejected"]:
            found.wrong["task of a rejected attempt"].append(
                f"attempt {attempt['number']} of job {attempt['job_id']}"
            )
    for task in tasks:
        if attempt := owner.get(str(task["webhook_sha256"])):
            by_job[attempt["job_id"]].append(task)
    for row in attempts:
        if row["open"]:
            found.wrong["slot"].append(f"attempt {row['number']} of job {row['job_id']} is still open")
    return by_job


def _check_file(
    job: asyncpg.Record, tasks: Sequence[Mapping[str, Any]], blobs: Path, found: Findings
) -> None:
    """Check that a completed job has what the provider made for this very job: a whole picture, or a text."""
    from PIL import Image  # comes with the extra `demo`

    if job["state"] != "completed":
        if job["key"]:
            found.wrong["file"].append(f"job {job['id']} is {job['state']} and has a result")
        return
    path = blobs / str(job["key"])
    if not job["key"] or not path.is_file():
        found.wrong["file"].append(f"job {job['id']} is completed and its file is not there")
        return
    made = {output["sha256"] for task in tasks for output in task["outputs"]}
    if hashlib.sha256(path.read_bytes()).hexdigest() not in made:
        found.wrong["file"].append(f"job {job['id']} has a file that the provider did not make for it")
        return
    if path.suffix == ".txt":  # some tasks answer in words
        found.files += 1
        return
    try:
        with Image.open(path) as picture:
            picture.load()
            size = picture.size
    except OSError as error:
        found.wrong["file"].append(f"job {job['id']} has no whole picture: {error}")
        return
    if size != (2 * WIDTH, 2 * HEIGHT):
        found.wrong["file"].append(f"job {job['id']} has a picture of {size}")
        return
    found.files += 1
