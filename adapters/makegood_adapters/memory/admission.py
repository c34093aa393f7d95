"""The order of a queue in memory: start tags, the job that waits longest, limits and pauses."""

from collections import Counter
from datetime import datetime

from makegood.fairness import EVERYBODY, OLDEST_EVERY, Rule, Scope
from makegood_adapters.memory.tables import JobRow, Tables


def give_place(tables: Tables, row: JobRow) -> None:
    """Give a job that begins to wait its start tag: not below the lane's virtual time, nor before the owner's
    other jobs there."""
    job = row.job
    lane, share = (job.pool, job.priority), (job.owner, job.pool, job.priority)
    row.start_tag = max(tables.lanes.get(lane, 0.0), tables.shares.get(share, 0.0))
    tables.shares[share] = row.start_tag + _step(tables, job.owner)
    if job.not_before is not None and not tables.passed(job.not_before):
        row.parked = "time"


def take_place_back(tables: Tables, row: JobRow) -> None:
    """Let the owner's next job there stand behind those that still wait, not behind one that left them."""
    job = row.job
    lane, share = (job.pool, job.priority), (job.owner, job.pool, job.priority)
    theirs = [r for r in tables.queue(job.pool) if (r.job.owner, r.job.priority) == (job.owner, job.priority)]
    tags = [r.start_tag for r in theirs]
    last = max(tables.lanes.get(lane, 0.0), *tags, 0.0)
    tables.shares[share] = min(tables.shares[share], last + _step(tables, job.owner))


def _step(tables: Tables, owner: str) -> float:
    rule = tables.rules.get((Scope.OWNER, owner))
    return 1 / ((rule and rule.weight) or 1.0)


def is_paused(tables: Tables, rule: Rule | None) -> bool:
    """Return whether the rule holds everything back now."""
    return rule is not None and rule.paused_at is not None and not tables.passed(rule.paused_until)


class Round:
    """One dispatch of a pool: which job goes next, again and again."""

    def __init__(self, tables: Tables, pool: str) -> None:
        self._tables, self._pool = tables, pool
        self._paused = is_paused(tables, tables.rules.get((Scope.POOL, pool)))
        self._oldest = False
        self._queue = [row for row in tables.queue(pool) if row.job.cancel_requested_at is None]
        running = [row for row in tables.jobs.values() if row.job.pool == pool and row.in_slot]
        self._running = {
            Scope.OWNER: Counter(row.job.owner for row in running),
            Scope.TYPE: Counter(row.job.type for row in running),
        }
        for row in sorted(self._queue, key=lambda row: (_since(row), row.place)):
            was, row.parked = row.parked, self._still_parked(row)
            limited = was in ("owner", "type") and self._limit(Scope(was), row) is not None
            if was != "no" and row.parked == "no" and not limited:
                _take_up(tables, row)
        self._queue.sort(key=Tables.turn)

    def next(self) -> JobRow | None:
        """Return the job that the next slot goes to, None if none may go; it is not returned again."""
        if self._paused:
            return None
        self._oldest = self._tables.since_oldest[self._pool] + 1 >= self._oldest_every()
        ready = [row for row in self._queue if row.parked == "no"]
        if self._oldest:
            ready.sort(key=lambda row: (_since(row), row.place))
        for row in ready:
            row.parked = self._held_back(row)
            if row.parked == "no":
                self._queue.remove(row)
                if not self._oldest:
                    lane = (self._pool, row.job.priority)
                    self._tables.lanes[lane] = max(self._tables.lanes.get(lane, 0.0), row.start_tag)
                return row
        return None

    def started(self, row: JobRow) -> None:
        """Count the job that was returned last, and got a slot."""
        since = self._tables.since_oldest
        since[self._pool] = 0 if self._oldest else since[self._pool] + 1
        self._running[Scope.OWNER][row.job.owner] += 1
        self._running[Scope.TYPE][row.job.type] += 1

    def _held_back(self, row: JobRow) -> str:
        for scope, name in ((Scope.OWNER, row.job.owner), (Scope.TYPE, row.job.type)):
            most = self._limit(scope, row)
            full = most is not None and self._running[scope][name] >= most
            if full or is_paused(self._tables, self._tables.rules.get((scope, name))):
                return scope.value
        return "no"

    def _still_parked(self, row: JobRow) -> str:
        if row.job.not_before is not None and not self._tables.passed(row.job.not_before):
            return "time"
        return self._held_back(row) if row.parked in ("owner", "type") else "no"

    def _limit(self, scope: Scope, row: JobRow) -> int | None:
        name = row.job.owner if scope is Scope.OWNER else row.job.type
        rules = (self._tables.rules.get((scope, which)) for which in (name, EVERYBODY))
        return next((rule.running_max for rule in rules if rule and rule.running_max is not None), None)

    def _oldest_every(self) -> int:
        rules = (self._tables.rules.get((Scope.POOL, name)) for name in (self._pool, EVERYBODY))
        return next((rule.oldest_every for rule in rules if rule and rule.oldest_every), OLDEST_EVERY)


def _take_up(tables: Tables, row: JobRow) -> None:
    """Give a job that was held back, and whose turn has passed, a place as if it began to wait now."""
    if row.job.attempt == 0 and row.start_tag < tables.lanes.get((row.job.pool, row.job.priority), 0.0):
        give_place(tables, row)


def _since(row: JobRow) -> datetime:
    return row.queued_at or row.job.created_at
