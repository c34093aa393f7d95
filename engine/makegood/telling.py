"""How things are, said to people in one way: on a terminal, on a page, and by a program that asks for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from makegood.audit import Totals
from makegood.fairness import Rule, Scope
from makegood.job import JournalLine, Occupancy, Wallet
from makegood.ports import Lane, Line, LoopHealth, Waiter, Worker, WorkerName

#: So many lines on the loops of a process are read.
_LOOPS_MAX = 4
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


class Tone(StrEnum):
    """What a sentence means to who reads it."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"  # it may pass by itself, or somebody has wanted it so
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Told:
    """What is said, without marks and without moments: those are written in the zone of who reads them. It
    may quote others: who shows it takes out what is secret."""

    level: Tone
    text: str


def lasted(seconds: float, units: int = 2) -> str:
    """Return a time in its largest *units*."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for unit, size in _UNITS:
        if left >= size or (unit == "s" and not parts):
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts[:units])


def count(number: int, one: str, more: str | None = None) -> str:
    """Return a number with what it counts; *more* is the plural where that is not *one* with an s."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def joined(told: Sequence[Told]) -> str:
    """Return several sentences in one line."""
    return " · ".join(each.text for each in told)


def of_process(name: WorkerName) -> str:
    """Return what a process is called: where it runs, as what, and which of its siblings it is."""
    return f"{name.host} {name.pid}" + (f" [{name.number}]" if name.number else "")


def of_worker(worker: Worker, now: datetime) -> Told:
    """Say how the loops of a process are doing."""
    if worker.is_lost(now):
        return Told(Tone.BAD, "lost")
    ill = [_trouble(loop) for loop in worker.loops if not loop.healthy]
    if len(ill) > _LOOPS_MAX:  # without its database all are ill, for one reason
        ill[_LOOPS_MAX - 1 :] = [f"{len(ill) - _LOOPS_MAX + 1} loops more"]
    return Told(Tone.BAD, " · ".join(ill)) if ill else Told(Tone.GOOD, f"{len(worker.loops)} well")


def of_account(use: Occupancy, pause: Rule | None, now: datetime) -> list[Told]:
    """Say how a provider account is used, and what keeps jobs from it; *pause* is that of its pool."""
    parts = [f"{use.open:,} of {count(use.capacity, 'slot')} taken"]
    if use.draining:
        parts.append(f"{use.draining:,} draining")
    if use.foreign:
        parts.append(f"{use.foreign:,} not ours")
    if use.learned is not None and use.learned != use.configured:
        known = "an unknown number" if use.configured is None else f"{use.configured:,}"
        parts.append(f"learned: {use.learned:,} of {known}")
    told = [Told(Tone.PLAIN, " · ".join(parts)), *_problem(use)]
    rest = (use.rests_until - now).total_seconds() if use.rests_until else 0.0
    if rest > 0:
        told.append(Told(Tone.WARN, f"rests for another {lasted(rest)}"))
    told += _unanswered(use)
    return [*told, of_pause(pause, now)] if pause else told


def of_ills(use: Occupancy) -> list[Told]:
    """Say what is wrong with a provider account, if anything."""
    return [*_problem(use), *_unanswered(use)]


def of_pause(rule: Rule, now: datetime) -> Told:
    """Say of a rule that pauses for how long yet, who wanted it, and why."""
    closed = ", and takes no new jobs" if rule.closed else ""
    left = f" for another {lasted((rule.paused_until - now).total_seconds())}" if rule.paused_until else ""
    why = f": {rule.reason}" if rule.reason else ""
    return Told(Tone.WARN, f"Paused{left} by {rule.actor}{closed}{why}")


def of_pace(rates: Mapping[str, float]) -> str:
    """Say how many jobs a minute were accepted, completed, failed and cancelled."""
    parts = (f"{round(rate, 1):g}" if rate < 10 else f"{rate:,.0f}" for rate in rates.values())
    return f"Per minute: {', '.join(f'{part} {name}' for part, name in zip(parts, rates, strict=True))}."


def of_hindrance(line: Line, waiter: Waiter) -> str | None:
    """Say what has to change before a job of *line* is started, whatever becomes free; None: nothing."""
    names = {Scope.POOL: waiter.pool, Scope.TYPE: waiter.type, Scope.OWNER: waiter.owner}
    if waiter.paused is not None:
        return f"The {waiter.paused} {names[waiter.paused]} is paused: {waiter.reason}"
    if waiter.full is not None:
        return f"The {waiter.full} {names[waiter.full]} has as many jobs in slots as it may."
    if not line.paces[waiter.pool].slots:
        return f"No provider account of the pool {waiter.pool} can be used now."
    return None


def of_start(line: Line, waiter: Waiter, wait_seconds: float | None) -> Told:
    """Say when a job of *line* is started: at once, or in *wait_seconds* if tasks go on holding their slots
    for as long as the last ones did; None: not known."""
    if hindrance := of_hindrance(line, waiter):
        return Told(Tone.WARN, hindrance)
    early = (waiter.not_before - line.at).total_seconds() if waiter.not_before else 0.0
    if early >= 1:
        return Told(Tone.PLAIN, f"not for another {lasted(early)}")
    if waiter.rivals <= line.paces[waiter.pool].free:
        return Told(Tone.PLAIN, "any moment")
    if wait_seconds is None:
        return Told(Tone.PLAIN, "not known")
    soon = "when a slot is free" if wait_seconds < 1 else f"in {lasted(wait_seconds)} at the usual pace"
    return Told(Tone.PLAIN, soon)


def of_lanes(lanes: Iterable[Lane]) -> Told:
    """Say how many jobs wait in them."""
    all_of = list(lanes)
    waiting, parked = sum(lane.waiting for lane in all_of), sum(lane.parked for lane in all_of)
    return Told(Tone.PLAIN, f"{waiting:,} waiting" + (f", {parked:,} not yet due" if parked else ""))


def of_kept_back(files: int) -> list[Told]:
    """Say of a job that is not paid for why none of its result files is handed out."""
    return [Told(Tone.PLAIN, f"{count(files, 'result file')} kept back: not paid for")] if files else []


def of_refunds(journal: Iterable[JournalLine], now: datetime) -> list[Told]:
    """Say which credits of a job were given back and where they are: what its journal has, and no more. They
    do not stay in a bucket that has expired, nor where a debt is; an unlimited plan had given nothing."""
    lines = list(journal)
    gone = {line.bucket_id: 0 for line in lines}
    for line in lines:
        gone[line.bucket_id] += line.amount if line.kind in ("expire", "repay") else 0
    told = []
    for line in lines:
        amount = line.amount - (gone[line.bucket_id] if line.kind == "release" else 0)
        place = "the owner's debt" if line.kind == "repay" else f"the bucket {line.bucket_kind}"
        if line.unlimited:
            if line.kind == "release":
                unused = f"{count(line.amount, 'credit')} not used under the owner's unlimited plan"
                told.append(Told(Tone.PLAIN, unused))
        elif amount and line.kind in ("release", "issue", "repay"):
            when = lasted((now - line.at).total_seconds(), units=1)
            told.append(Told(Tone.GOOD, f"{count(amount, 'credit')} given back {when} ago, to {place}"))
    return told


def of_books(total: Totals, broken: int) -> Told:
    """Say whether every credit is accounted for; *broken* counts the violations of the invariants."""
    line = (
        f"issued {total.issued:,} = remaining {total.remaining:,} + held {total.held:,} + captured "
        f"{total.captured:,} + expired {total.expired:,}"
    )
    if not (total.difference or broken):
        return Told(Tone.GOOD, line)
    wrong = f"{count(abs(total.difference), 'credit')} off, {count(broken, 'violation')}"
    return Told(Tone.BAD, f"The books are wrong: {wrong}. {line}")


def of_wallet(wallet: Wallet) -> Told:
    """Say what an owner can spend, and what is held and owed."""
    spend = "unlimited" if wallet.unlimited else f"{wallet.available:,}"
    text = f"{spend} to spend, {wallet.held:,} held for jobs"
    return Told(Tone.BAD, f"{text}, {wallet.debt:,} owed") if wallet.debt else Told(Tone.PLAIN, text)


def _problem(use: Occupancy) -> list[Told]:
    return [Told(Tone.BAD, use.problem)] if use.problem else []


def _unanswered(use: Occupancy) -> list[Told]:
    if not use.failures:
        return []
    looks = "the last look" if use.failures == 1 else f"the last {use.failures:,} looks"
    return [Told(Tone.WARN, f"{looks} went unanswered. {use.last_error or ''}".rstrip())]


def _trouble(loop: LoopHealth) -> str:
    """Say what is wrong with a loop."""
    if loop.hanging:
        since = f" for {lasted(loop.lag_seconds)}" if loop.lag_seconds else ""
        return f"{loop.name} hangs{since}"
    if loop.failures:
        kind = f" ({loop.last_error})" if loop.last_error else ""
        return f"{loop.name} failed {count(loop.failures, 'time')}{kind}"
    return f"{loop.name} is over"
