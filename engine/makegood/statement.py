"""What a person reads about credits: journal lines put together to entries, each with one sentence.

A sentence says what the ledger and the history show, and nothing else: "returned" stands only where
the journal has the release, and its reason is the transition that made it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from makegood.buckets import GRACE, PLAN
from makegood.job import JournalLine

#: Actors that are loops or calls of the engine itself: no person is named for what they do.
ENGINE = frozenset({"engine", "dispatcher", "submitter", "inquiry", "collector", "watchdog"})

#: What became of a job that failed, by the category of its failure.
FAILURES = {
    "provider": "provider failed",
    "rejected": "provider refused the job",
    "no_output": "provider delivered no result",
    "result": "result could not be fetched in time",
    "too_large": "result was too large",
    "timeout": "not finished in time",
    "input": "input could not be used",
    "client_report": "reported as failed before it began",
    "administrator": "ended by an administrator",
    "external": "ended by another program",
    "unknown": "job failed",
}

#: What a line of each kind does to the credits that remain in the wallet; a debt is owed beside them.
CHANGE = {
    "issue": 1,
    "hold": -1,
    "capture": 0,
    "release": 1,
    "expire": -1,
    "withdraw": -1,
    "debt": 0,
    "repay": -1,
}


class EntryKind(StrEnum):
    """What happened to the credits of an entry."""

    ADDED = "added"
    HELD = "held"  # reserved for a job: neither spent nor lost
    PAID = "paid"  # what was held is spent
    RETURNED = "returned"  # what was held can be spent again, or has paid a debt
    UNUSED = "unused"  # what an unlimited plan would have covered: nothing was taken, nothing comes back
    EXPIRED = "expired"
    TAKEN_BACK = "taken back"  # their payment was: what remained is withdrawn, the rest is owed


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The share of one bucket in an entry, in whole credits; `expires_at` is the bucket's as it is now."""

    bucket: str
    amount: int
    expires_at: datetime | None
    source_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One movement of an owner's credits as a person sees it, in whole credits.

    `amount` is what moved, `change` what that did to the credits that remain in the wallet: 0 where what
    was held is paid. `balance` is what remained afterwards; expired credits count until they are taken
    out, by an entry of their own. `parts` tells the buckets.
    """

    kind: EntryKind
    amount: int
    change: int
    balance: int
    text: str
    at: datetime
    parts: tuple[Part, ...]
    job_id: UUID | None
    job_type: str | None
    cursor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A page of an owner's entries, newest first; `next` is the cursor of the page that follows, None
    behind the last."""

    owner: str
    entries: tuple[Entry, ...]
    next: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnersEntry:
    """An entry with whose it is, and the cursor that stands for it among those of all owners."""

    owner: str
    entry: Entry
    cursor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A page of the entries of all owners, newest first; `next` is the cursor of the page that follows, None
    behind the last."""

    entries: tuple[OwnersEntry, ...]
    next: int | None = None


Movement = Sequence[JournalLine]


def movements(lines: Iterable[JournalLine]) -> list[Movement]:
    """Put together the lines that one person would call one movement; *lines* are one owner's, without
    gaps, newest first, and stay in that order."""
    found: list[list[JournalLine]] = []
    for line in lines:
        if found and _together(line, found[-1][-1]):
            found[-1].append(line)
        else:
            found.append([line])
    return list(found)


def entry(movement: Movement, label: Callable[[str], str] = str, *, to_owner: bool = True) -> Entry:
    """Tell one movement to its owner, or to others; *label* gives the name that people know a job type by."""
    first, kind = movement[-1], _kind(movement[-1])
    if kind is EntryKind.RETURNED and all(line.unlimited for line in movement):
        kind = EntryKind.UNUSED
    parts = tuple(_parts(movement))
    amount = sum(part.amount for part in parts)
    return Entry(
        kind=kind,
        amount=amount,
        change=sum(CHANGE[line.kind] * line.amount for line in movement),
        balance=movement[0].balance,
        text=_text(kind, amount, movement, label, "you" if to_owner else "the owner"),
        at=first.at,
        parts=parts,
        job_id=first.job_id,
        job_type=first.job_type,
        cursor=first.seq,
    )


def line_by_line(lines: Sequence[JournalLine], label: Callable[[str], str] = str) -> list[str]:
    """Return for each of a job's *lines*, in their order, the sentence of the movement that it is part of, as
    it is told to others than the owner."""
    texts: list[str] = []
    for movement in reversed(movements(reversed(lines))):
        texts += [entry(movement, label, to_owner=False).text] * len(movement)
    return texts


def reason(line: JournalLine, who: str = "you") -> str | None:
    """Say why credits that were held moved on, by the transition that did it; None where nobody knows.
    *who* is the owner."""
    step = line.cause
    if step is None:
        return None
    if step.to_state == "cancelled":
        if step.actor == step.owner:
            return f"cancelled by {who}"
        if step.actor.startswith("database:"):
            return "cancelled by another program"
        return "cancelled on request" if step.actor in ENGINE else f"cancelled by {step.actor}"
    if line.category is not None:
        return FAILURES.get(line.category) or f"job failed ({plain(line.category)})"
    if line.money == "capture":
        return "cost less than was held"
    return "job failed" if step.to_state == "failed" else f"job ended as {plain(step.to_state)}"


def plain(name: str) -> str:
    """Write a name of the program as words."""
    return name.replace("_", " ")


def _kind(line: JournalLine) -> EntryKind:
    match line.kind:
        case "capture":
            return EntryKind.PAID
        case "hold":
            return EntryKind.HELD
        case "issue" if line.job_id and line.unlimited:
            return EntryKind.HELD
        case "withdraw" | "debt":
            return EntryKind.TAKEN_BACK
        case "release" | "issue" | "expire" | "repay" if line.job_id:
            return EntryKind.RETURNED
        case "issue" | "repay":
            return EntryKind.ADDED
        case "expire":
            return EntryKind.EXPIRED
        case _:
            raise ValueError(f"There are no words for the kind {line.kind!r} of a journal line.")


def _together(line: JournalLine, above: JournalLine) -> bool:
    """Whether two lines, one directly above the other, are of one movement."""
    kind = _kind(line)
    if kind is not _kind(above) or line.job_id != above.job_id:
        return False
    if line.job_id is not None:
        return True  # a job holds once and settles once
    if kind is EntryKind.TAKEN_BACK:
        return line.origin_id == above.origin_id
    return above.kind == "repay" and line.bucket_id == above.bucket_id


def _parts(movement: Movement) -> list[Part]:
    """Return the shares of the buckets in the order of the journal."""
    amounts: dict[int, int] = {}
    for line in reversed(movement):
        amounts[line.bucket_id] = amounts.get(line.bucket_id, 0) + _moved(line)
    buckets = {line.bucket_id: line for line in movement}
    return [
        Part(
            bucket=buckets[bucket_id].bucket_kind,
            amount=amount,
            expires_at=buckets[bucket_id].expires_at,
            source_ref=buckets[bucket_id].source_ref,
        )
        for bucket_id, amount in amounts.items()
        if amount
    ]


def _moved(line: JournalLine) -> int:
    """Return how much of its entry's amount a line stands for: what came back to a bucket that had expired
    is told as the grace bucket that took its place, and what a plan without limit covered once."""
    if line.kind == "repay" or (line.unlimited and line.kind in ("issue", "expire")):
        return 0
    return -line.amount if line.kind == "expire" and line.job_id else line.amount


def _text(
    kind: EntryKind, amount: int, movement: Movement, label: Callable[[str], str], who: str = "you"
) -> str:
    first, credits = movement[-1], "credit" if amount == 1 else "credits"
    whose = _whose(who)
    name = label(first.job_type) if first.job_type else "a job"
    unlimited = all(line.unlimited for line in movement)
    why = reason(first, who)
    match kind:
        case EntryKind.ADDED:
            text = f"{amount:,} {credits} added: {plain(first.bucket_kind)}{_terms(first)}"
        case EntryKind.HELD if unlimited:
            return f"{amount:,} held for {name} under {whose} unlimited plan"
        case EntryKind.HELD:
            text = f"{amount:,} held for {name}"
        case EntryKind.PAID if unlimited:
            return f"{amount:,} used under {whose} unlimited plan: {name}"
        case EntryKind.PAID:
            text = f"{amount:,} paid for {name}" + (f": {why}" if first.money == "policy" and why else "")
        case EntryKind.RETURNED:
            text = f"{amount:,} returned" + (f": {why}" if why else "")
        case EntryKind.UNUSED:
            return f"{amount:,} not used under {whose} unlimited plan" + (f": {why}" if why else "")
        case EntryKind.EXPIRED:
            return f"{amount:,} expired: {plain(first.bucket_kind)}"
        case EntryKind.TAKEN_BACK:
            return _taken_back(movement)
        case _:
            assert_never(kind)
    return "; ".join([text, *_shares(amount, movement, whose)])


def _terms(line: JournalLine) -> str:
    """Say until when new credits live; a plan's next cycle may change that, and no entry changes later."""
    if line.source_ref.startswith(PLAN):
        _, plan, cycle = line.source_ref.split(":", 2)
        return f", cycle {cycle} of plan {plan}"
    return f", valid until {_day(line.expires_at)}" if line.expires_at else ""


def _shares(amount: int, movement: Movement, whose: str) -> Iterable[str]:
    """Say of which part of an entry more is to be known."""
    if covered := sum(_moved(line) for line in movement if line.unlimited):
        yield f"{_share(covered, amount)} under {whose} unlimited plan"
    if paid := sum(line.amount for line in movement if line.kind == "repay"):
        yield f"{_share(paid, amount)} went to {whose} debt"
    graced = [line for line in movement if line.source_ref.startswith(GRACE) and line.kind == "issue"]
    if graced:
        ends = min(line.expires_at for line in graced if line.expires_at)
        yield f"{_share(sum(line.amount for line in graced), amount)} as grace credits until {_day(ends)}"


def _taken_back(movement: Movement) -> str:
    withdrawn = sum(line.amount for line in movement if line.kind == "withdraw")
    owed = sum(line.amount for line in movement if line.kind == "debt")
    told = [f"{withdrawn:,} withdrawn"] * (withdrawn > 0) + [f"{owed:,} owed"] * (owed > 0)
    first = movement[-1]
    what = f" for {plain(first.bucket_kind)} credits" if first.bucket_id == first.origin_id else ""
    return f"{' and '.join(told)}: payment{what} was taken back"


def _whose(who: str) -> str:
    return "your" if who == "you" else f"{who}'s"


def _share(part: int, amount: int) -> str:
    return "all of them" if part == amount else f"{part:,} of them"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
