"""When attempts in memory are asked about: by what is learned of their type, within a budget."""

from collections.abc import Sequence
from math import floor

from makegood.job import Attempt, Phase
from makegood_adapters.memory.tables import AttemptRow, Learned, Tables


def first_pause(tables: Tables, attempt: Attempt) -> float:
    """Return how long an attempt that is accepted now waits for its first question, in seconds."""
    told = any(
        (row.hint.job_id, row.hint.attempt) == (attempt.job_id, attempt.number) and not row.read
        for row in tables.hints
    )
    learned = _learned(tables, attempt)
    return learned.first_ask_seconds if learned and not told else 0.0


def pause(tables: Tables, attempt: Attempt, least_seconds: float, most_seconds: float) -> float:
    """Return how long an attempt that is asked about now waits for its next question, in seconds."""
    learned = _learned(tables, attempt)
    if learned is None or attempt.phase is not Phase.ACCEPTED or attempt.accepted_at is None:
        return least_seconds
    age = (tables.now() - attempt.accepted_at).total_seconds()
    usual = max(learned.seconds / 10, age / 20, learned.first_ask_seconds - age)
    return max(least_seconds, min(most_seconds, usual))


def within_budget(
    tables: Tables, due: Sequence[AttemptRow], limit: int, per_second: float | None
) -> list[AttemptRow]:
    """Return the first *limit* of those *due* that their accounts have questions left for, and take these."""
    taken: list[AttemptRow] = []
    for row in due:
        if len(taken) >= limit:
            break
        if per_second is None or _take(tables, row.attempt.account, per_second):
            taken.append(row)
    return taken


def _take(tables: Tables, account: str, per_second: float) -> bool:
    row, now = tables.accounts[account], tables.now()
    since = 3_600.0 if row.asked_at is None else (now - row.asked_at).total_seconds()
    row.ask_tokens, row.asked_at = min(max(per_second, 1.0), row.ask_tokens + per_second * since), now
    if floor(row.ask_tokens) < 1:
        return False
    row.ask_tokens -= 1
    return True


def _learned(tables: Tables, attempt: Attempt) -> Learned | None:
    """Return what is known of the type; None also where the task is not wanted, and asked about soon."""
    row = tables.jobs[attempt.job_id]
    wanted = row.in_slot and row.job.attempt == attempt.number and row.job.cancel_requested_at is None
    return tables.run_times.get(row.job.type) if wanted else None
