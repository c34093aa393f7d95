"""The money of one job in plain words: what it cost, who paid what and when, what came back and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from makegood.errors import InvalidRequest
from makegood.job import Attempt, Evidence, Phase, Transition, Verdict
from makegood.machine import Money
from makegood.outcome import JSON
from makegood.ports import Store
from makegood.reruns import AGAIN
from makegood.statement import ENGINE, Entry, EntryKind, entry, movements, plain
from makegood_adapters.cli.audit.dossier import Dossier, collect, faults

_MOVED = {
    EntryKind.HELD: "held",
    EntryKind.PAID: "paid",
    EntryKind.RETURNED: "returned",
    EntryKind.UNUSED: "given back to the unlimited plan",
}

_VERDICTS = {
    Verdict.ACCEPTED: "the provider took it",
    Verdict.REJECTED: "the provider refused it",
    Verdict.SUCCEEDED: "the provider finished it",
    Verdict.FAILED: "the provider failed",
    Verdict.CANCELLED: "the provider cancelled it",
    Verdict.ABSENT: "the provider does not know it",
    Verdict.DEADLINE: "we gave it up",
    Verdict.ADMINISTRATOR: "an administrator decided",
    Verdict.RESOLVED: "a person has looked into it",
}

_SOURCES = {
    "submission": "the reply to the create call",
    "query": "the provider's answer to us",
    "watchdog": "our own clock",
    "fetch deadline": "our own clock",
    "size limit": "our limit for results: no later download would fit",
    "no result": "what the provider listed: none of it is a result",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened, with what it did to the credits, one text for each movement."""

    at: datetime
    text: str
    money: tuple[str, ...] = ()


#: Where a fact stands among those of one moment: (attempt, stage within it, version).
_Place = tuple[int, int, int]
_OPENED, _SENT, _TAKEN, _UNDER_WAY, _KNOWN, _LEFT, _CLOSED, _AFTERWARDS = range(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One job's money. `next` tells what comes, `faults` what is wrong with its books: nothing, ever."""

    job_id: UUID
    title: str
    summary: str
    facts: tuple[Fact, ...]
    next: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """The explanation as text, line by line."""
        told = [f"Job {self.job_id} (times in UTC)", self.title, self.summary, ""]
        for fact in self.facts:
            told.append(f"{_moment(fact.at)}  {fact.text}")
            told += [f"{'':19}  > {text}" for text in fact.money]
        told += ["", *self.next, ""] if self.next else [""]
        if self.faults:
            return [*told, "The books of this job are broken:", *(f"- {fault}" for fault in self.faults)]
        return [*told, "The books of this job balance."]

    def to_json(self) -> JSON:
        """Return the explanation as plain values."""
        return {
            "job": str(self.job_id),
            "title": self.title,
            "summary": self.summary,
            "balances": not self.faults,
            "facts": [{"at": f.at.isoformat(), "text": f.text, "money": list(f.money)} for f in self.facts],
            "next": list(self.next),
            "faults": list(self.faults),
        }


async def explain(store: Store, job_id: UUID) -> Explanation:
    """Explain the money of one job from an open store. Raises UnknownJob, StoreError."""
    found = await collect(store, job_id)
    job = found.job
    facts = sorted(_facts(found), key=lambda placed: (placed[1].at, placed[0]))
    return Explanation(
        job_id=job.id,
        title=f"{job.type}, version {job.type_version}, for {job.owner}: {plain(job.state)}",
        summary=_summary(found),
        facts=tuple(fact for _, fact in facts),
        next=tuple(_next(found)),
        faults=tuple(faults(found)),
    )


def job_id_of(text: str) -> UUID:
    """Read the id of a job. Raises InvalidRequest."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidRequest(
            f"{text!r} is no job id: it looks like 01a213bf-9421-7538-90e1-66c5d4082a84."
        ) from None


def _summary(found: Dossier) -> str:
    price, money = found.job.price, found.money
    if found.job.imported:
        return f"It cost {price:,} credits of another ledger, in which it was over before it was here."
    if not found.lines:
        so_far = "none were held" if found.job.finished_at else "none are held so far"
        return f"It costs {price:,} credits; {so_far}." if price else "It costs nothing."
    covered = of_plan(found, "hold")
    told = [f"{money.held:,} held", f"{money.captured:,} paid", f"{money.released:,} returned"]
    more = f" An unlimited plan covered {covered:,} of it." if covered else ""
    return f"It costs {price:,} credits: {', '.join(told)}.{more}"


def of_plan(found: Dossier, kind: str) -> int:
    """Return how many credits of the job's lines of *kind* are of an unlimited plan: they were never the
    owner's, so they do not come back."""
    return sum(line.amount for line in found.lines if line.unlimited and line.kind == kind)


def _facts(found: Dossier) -> Iterator[tuple[_Place, Fact]]:
    """Yield what happened, each with its place among the facts of one moment."""
    job = found.job
    for a in found.attempts:
        if a.intent_at:
            yield (
                (a.number, _SENT, 0),
                Fact(at=a.intent_at, text=f"attempt {a.number}: is sent to the provider"),
            )
        if a.cancel_sent_at:
            text = f"attempt {a.number}: the provider is asked to cancel it"
            yield (a.number, _UNDER_WAY, 0), Fact(at=a.cancel_sent_at, text=text)
        if a.closed_at:
            text = f"attempt {a.number}: its slot of {a.account} is free again"
            yield (a.number, _CLOSED, 0), Fact(at=a.closed_at, text=text)
    if job.cancel_requested_at:
        text = found.wish or "somebody asks to cancel it"
        yield (job.attempt, _UNDER_WAY, 0), Fact(at=job.cancel_requested_at, text=text)
    for evidence in found.evidence:
        stage = _TAKEN if evidence.verdict is Verdict.ACCEPTED else _KNOWN
        if evidence.at:
            yield (evidence.attempt, stage, 0), Fact(at=evidence.at, text=_known(evidence))
    moved = _movements(found)
    for step in found.history:
        money = tuple(moved.pop(step.version, ()))
        place = (step.attempt, _stage(step, found), step.version)
        yield place, Fact(at=step.at, text=_step(step, found), money=money)
    if strays := tuple(text for texts in moved.values() for text in texts):
        text = "credits moved without a step of the job"
        yield (job.attempt, _AFTERWARDS, 0), Fact(at=found.lines[-1].at, text=text, money=strays)


def _stage(step: Transition, found: Dossier) -> int:
    edge, state = found.edge(step), found.spec.state
    if edge is None or not state[edge.source].slot:
        return _OPENED if edge and found.spec.opens_attempt(edge) else _AFTERWARDS
    return _UNDER_WAY if state[edge.dest].slot else _LEFT


def _movements(found: Dossier) -> dict[int | None, list[str]]:
    """Return what moved by the version of the step that moved it."""
    told: dict[int | None, list[str]] = {}
    for movement in reversed(movements(reversed(found.lines))):
        cause = movement[-1].cause
        debt = sum(line.amount for line in movement if line.kind == "repay")
        more = f"; {debt:,} of them pay the owner's debt" if debt else ""
        told.setdefault(cause.version if cause else None, []).append(_money(entry(movement)) + more)
    return told


def _money(told: Entry) -> str:
    def part(kind: str, amount: int, expires_at: datetime | None) -> str:
        until = f" until {expires_at:%Y-%m-%d}" if kind == "grace" and expires_at else ""
        return f"{amount:,} {plain(kind)}{until}"

    parts = " + ".join(part(p.bucket, p.amount, p.expires_at) for p in told.parts)
    return f"{told.amount:,} {_MOVED[told.kind]}: {parts}"


def _step(step: Transition, found: Dossier) -> str:
    job, by = found.job, _who(step.actor, found.job.owner)
    edge = found.edge(step)
    if job.imported:
        return f"{plain(step.to_state)} elsewhere, and brought in {by}"
    if step.from_state is None:
        return f"ordered {by}, for {job.price:,} credits"
    way = f"{plain(step.from_state)} to {plain(step.to_state)}"
    if edge and found.spec.opens_attempt(edge):
        account = next((a.account for a in found.attempts if a.number == step.attempt), "an account")
        return f"{way}: attempt {step.attempt} takes a slot of {account}"
    why = step.reason or (
        str(job.error.get("message", "")) if step.version == job.version and job.error else ""
    )
    why = f" ({why.rstrip('.')})" if why else ""
    return f"{way}: {plain(step.event)}, {by}{why}"


def _known(evidence: Evidence) -> str:
    detail = evidence.detail
    said = [str(detail[key]).rstrip(".") for key in ("code", "message", "reason") if detail.get(key)]
    task = f" as task {evidence.task_id}" if evidence.task_id and evidence.verdict is Verdict.ACCEPTED else ""
    told = f" ({': '.join(said)})" if said else ""
    if changes := detail.get(AGAIN, {}).get("changes"):
        told += f"; the next run has {', '.join(f'{key} = {value}' for key, value in changes.items())}"
    source = detail.get("actor") or _SOURCES.get(evidence.source, evidence.source)
    return f"attempt {evidence.attempt}: {_VERDICTS[evidence.verdict]}{task}{told}, known from {source}"


def _who(actor: str, owner: str) -> str:
    if actor == owner:
        return f"by its owner {owner}"
    if actor.startswith("database:"):
        return f"by another program, as the database user {actor.removeprefix('database:')}"
    if actor == "inquiry":
        return "after the provider's answer"
    return f"by the {actor}" if actor in ENGINE else f"by {actor}"


def _next(found: Dossier) -> Iterator[str]:
    """Say what comes: what the job waits for, and what becomes of its credits if that does not come."""
    job, spec = found.job, found.spec
    attempt = next((a for a in found.attempts if a.number == job.attempt), None)
    if job.finished_at is not None:
        yield (
            "The job is over: its credits never move again."
            if found.lines
            else "The job is over: no credits of this ledger belong to it."
            if job.imported
            else "The job is over: it cost nothing."
        )
        if attempt and attempt.closed_at is None and attempt.draining_until:
            end = _moment(attempt.draining_until)
            kept = f"keeps its slot of {attempt.account} until the provider is done"
            yield f"Attempt {attempt.number} {kept}, or {end}."
        return
    yield _waits_for(found, attempt)
    if job.cancel_requested_at:
        yield "It is to be cancelled: the provider's answer decides what that costs."
    edge = spec.on_deadline(job.state)
    if job.deadline_at and edge:
        held = found.money.held - of_plan(found, "hold")
        if edge.money is not Money.RELEASE or not found.money.held:
            credits = "its credits stay as they are"
        else:
            credits = f"its {held:,} credits come back" if held else "costs nothing"
        then = credits if found.lines else "costs nothing"
        end = plain(edge.dest)
        yield f"If nothing happens until {_moment(job.deadline_at)}, it becomes {end} and {then}."


def _waits_for(found: Dossier, attempt: Attempt | None) -> str:
    job, spec = found.job, found.spec
    if job.state in spec.waiting:
        after = f", not before {_moment(job.not_before)}" if job.not_before else ""
        return f"It waits for a slot of the pool {job.pool}: place {found.place} in the queue{after}."
    if not spec.state[job.state].slot or attempt is None:
        events = ", ".join(dict.fromkeys(plain(edge.event) for edge in spec.leaving(job.state)))
        return f"It waits for one of: {events}."
    if attempt.verdict is Verdict.SUCCEEDED:
        return "The provider has finished it: the result is being fetched, and is paid once it is ours."
    match attempt.phase:
        case Phase.OPENED:
            return "It is about to be sent to the provider."
        case Phase.SUBMITTING:
            return "The create call is being made."
        case Phase.UNCERTAIN:
            return "Nobody knows whether the provider has it: no second call is made, evidence decides."
        case Phase.ACCEPTED | Phase.CLOSED:
            return f"The provider has it; it is asked again and again, {attempt.asked:,} times so far."


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
