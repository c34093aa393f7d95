"""What the store knows of one job, read at one moment, and what is wrong with its books."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

from makegood.errors import StoreError, UnknownJob
from makegood.hearing import SHOWN_CHARS_MAX, SHOWN_MAX
from makegood.job import Attempt, Evidence, Job, JobMoney, JournalLine, Transition
from makegood.machine import Edge, Holding, Money, Spec
from makegood.machine.money import holdings
from makegood.ports import WISH, Store

TRIES_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """Everything about one job that has to do with its money; `place` is that in its queue, 0 for none, and
    `wish` who asked to cancel it while the provider had it, and why."""

    job: Job
    spec: Spec
    money: JobMoney
    lines: tuple[JournalLine, ...]
    history: tuple[Transition, ...]
    attempts: tuple[Attempt, ...]
    evidence: tuple[Evidence, ...]
    place: int
    wish: str | None

    @property
    def public(self) -> str:
        """The public status of the job."""
        return self.status_of(self.job.state)

    def status_of(self, state: str) -> str:
        """Return what the outside sees of a state of this job."""
        return self.spec.state[state].public or state

    def edge(self, step: Transition) -> Edge | None:
        """Return the edge that a transition took, None for the first one or where there is no such edge."""
        for edge in self.spec.edges:
            if (edge.event, edge.source, edge.dest) == (step.event, step.from_state, step.to_state):
                return edge
        return None


async def collect(store: Store, job_id: UUID) -> Dossier:
    """Read the job and all about it; what moved meanwhile is read again. Raises UnknownJob, StoreError."""
    for _ in range(TRIES_MAX):
        job = await store.jobs.get(job_id)
        if job is None:
            raise UnknownJob(job_id)
        spec = await store.spec(job.type, job.type_version)
        if spec is None:
            raise StoreError(f"Nothing is stored about the job type {job.type}@{job.type_version}.")
        dossier = Dossier(
            job=job,
            spec=spec,
            money=await store.jobs.money(job_id),
            lines=tuple(await store.ledger.lines_of(job_id)),
            history=tuple(await store.jobs.history(job_id)),
            attempts=tuple(await store.attempts.of(job_id)),
            evidence=tuple(await store.attempts.evidence(job_id)),
            place=await store.jobs.position(job_id),
            wish=await _wish(store, job) if job.cancel_requested_at else None,
        )
        if await store.jobs.get(job_id) == job:
            return dossier
    raise StoreError(f"Job {job_id} moves too fast to be explained; ask again.")


async def _wish(store: Store, job: Job) -> str | None:
    kept = await store.hints.of(job.id, SHOWN_MAX, SHOWN_CHARS_MAX)
    return next((message.body for message in kept if message.source == WISH), None)


def faults(found: Dossier) -> list[str]:
    """Return what is wrong with the books of the job as sentences; there is never anything."""
    return [*_ledger(found), *_phase(found), *_history(found), *_proof(found)]


def _ledger(found: Dossier) -> Iterator[str]:
    """Compare the holds with the journal, and the journal with itself."""

    def total(*kinds: str, unlimited: bool | None = None) -> int:
        return sum(
            line.amount for line in found.lines if line.kind in kinds and unlimited in (None, line.unlimited)
        )

    money = found.money
    drawn, captured, released = total("hold"), total("capture"), total("release")
    back = money.released + money.unused
    if (money.held + money.captured + back, money.captured, back) != (drawn, captured, released):
        yield (
            f"The holds show {money.held:,} held, {money.captured:,} paid and {back:,} returned; "
            f"the journal has {drawn:,} drawn, {captured:,} paid and {released:,} returned."
        )
    if total("issue", unlimited=True) != total("hold", unlimited=True):
        yield "What an unlimited plan issued for the job is not what was held of it."
    if total("expire", unlimited=True) != total("release", unlimited=True):
        yield "What an unlimited plan got back from the job is not gone again: credits were minted."
    if total("expire", unlimited=False) != total("issue", unlimited=False):
        yield "What came back to expired buckets is not what was issued as grace credits."
    if strangers := {line.owner for line in found.lines} - {found.job.owner}:
        yield f"Credits of {', '.join(sorted(strangers))} were moved for a job of {found.job.owner}."


def _phase(found: Dossier) -> Iterator[str]:
    """Compare what the ledger shows with what the state of the job says of its money."""
    job, money = found.job, found.money
    where = holdings(found.spec).get(job.state)
    back = money.released + money.unused
    drawn = money.held + money.captured + back
    fits = {
        None: False,
        Holding.NONE: drawn == 0,
        Holding.HELD: money.held == drawn == job.price,
        Holding.SETTLED: money.held == 0 and drawn in (0, job.price),
        Holding.OVER: money.held == 0 and drawn in (0, job.price),
    }
    if not fits[where]:
        yield (
            f"The job is {job.state} and costs {job.price:,}; {money.held:,} held, {money.captured:,} paid "
            f"and {back:,} returned do not fit that."
        )
    if (job.settled or 0) != money.captured:
        yield f"The job says that {job.settled or 0:,} were paid, the ledger {money.captured:,}."
    if job.state == "failed" and back != drawn:
        yield f"The job failed and only {back:,} of {drawn:,} came back."


def _history(found: Dossier) -> Iterator[str]:
    steps, job = found.history, found.job
    if [step.version for step in steps] != list(range(job.version + 1)):
        yield f"The history has {len(steps)} steps, the job counts {job.version + 1}."
    if not steps or steps[-1].to_state != job.state:
        yield f"The history ends in {steps[-1].to_state if steps else 'nothing'}, the job is {job.state}."
    for before, after in pairwise(steps):
        if before.to_state != after.from_state:
            led = f"the step before it led to {before.to_state}"
            yield f"Step {after.version} leaves {after.from_state}, {led}."
    for step in steps[1:]:
        if found.edge(step) is None:
            yield f"Step {step.version}, {step.event}, is no edge of {job.type}@{job.type_version}."


def _proof(found: Dossier) -> Iterator[str]:
    """Look for the evidence that each step needed when its attempt was submitted."""
    sent = {attempt.number: attempt.intent_at for attempt in found.attempts}
    for step in found.history[1:]:
        edge = found.edge(step)
        rule = found.spec.evidence(edge) if edge else None
        intent = sent.get(step.attempt)
        if edge is None or rule is None or not (rule.always or (intent and intent <= step.at)):
            continue
        known = {evidence.verdict for evidence in found.evidence if evidence.attempt == step.attempt}
        if not known & rule.verdicts:
            wanted = ", ".join(sorted(verdict.value for verdict in rule.verdicts))
            money = "its credits moved" if edge.money is not Money.NONE else "it was taken"
            yield (
                f"Step {step.version}, {step.event}: {money} without evidence about attempt {step.attempt} "
                f"that it is one of: {wanted}."
            )
