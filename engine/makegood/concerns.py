"""What needs a person, in sentences: what is the matter, and what to do about it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from makegood.audit import Violation
from makegood.job import Occupancy
from makegood.ports import Heard, LoopHealth, Overview, Trouble, TroubleKind, Worker

#: Of fewer tasks nothing is said about webhooks.
_HEARD_MIN = 20
#: What resolves itself within so long is no alarm yet.
_PATIENCE = timedelta(minutes=15)
_RESOLVE = (
    "`makegood settle {job} --resolve {number} --actor YOU --reason WHY`, or the button on the job's page"
)
#: What each trouble is about, what is the matter, and what to do. `name` is the account, job type, endpoint
#: or state, `task` what is known of the task.
_SAYS: Mapping[TroubleKind, tuple[str, str, str]] = {
    TroubleKind.UNCERTAIN: (
        "{job} {number}",
        "Whether {name} runs a task for attempt {number} of job {job} is not known: its create call was not "
        "answered.",
        f"Look for the task on the provider's page, and if there is none, say so: {_RESOLVE}.",
    ),
    TroubleKind.DRAINING: (
        "{job} {number}",
        "Job {job} is over, and {task} still holds a slot of {name}.",
        "Cancel it on the provider's page if it still runs there; the slot is given free{until} in any case.",
    ),
    TroubleKind.LATE: (
        "{job} {number}",
        "For attempt {number} of job {job} there is {task} at {name} after all: it was found when the "
        "attempt was closed.",
        f"Look on the provider's page what it did and cost, then say that you have: {_RESOLVE}.",
    ),
    TroubleKind.ABANDONED: (
        "{job} {number}",
        "Nobody knows how {task} at {name} ended, of attempt {number} of job {job}: it held its slot to the "
        "last moment.",
        f"Look on the provider's page whether it still runs, then say that you have: {_RESOLVE}.",
    ),
    TroubleKind.CLOSED: (
        "{name}",
        "The job type {name} takes no new jobs: {detail}",
        "Put right what the provider refuses, then `makegood resume --type {name}`, or end the pause on the "
        "page.",
    ),
    TroubleKind.ENDPOINT: (
        "{name}",
        "The endpoint {called} {fails}.",
        "See with `makegood endpoint log {name}` what it answers, put it right, and send again what it has "
        "missed with `makegood endpoint resend {name} --failed-for 1d`; one that is disabled is enabled "
        "first, over the API.",
    ),
    TroubleKind.OVERDUE: (
        "{job}",
        "Job {job} is still {name}, though its time there is over.",
        "See with `makegood audit --job {job}` what it waits for; `makegood settle {job} --fail --actor YOU "
        "--reason WHY`, or the button on its page, ends it with its credits back.",
    ),
}
#: Troubles that are about a task at a provider account.
_OF_TASKS = (TroubleKind.UNCERTAIN, TroubleKind.DRAINING, TroubleKind.LATE, TroubleKind.ABANDONED)


class Level(StrEnum):
    """How soon somebody should look."""

    ALARM = "alarm"  # jobs or credits are stuck, or will be
    WARNING = "warning"  # it may pass by itself, or can wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One thing that needs a person; `kind` and `subject` together name it as long as it lasts. `what` and
    `todo` are sentences."""

    kind: str
    level: Level
    subject: str
    what: str
    todo: str
    job_id: UUID | None = None
    account: str | None = None
    owner: str | None = None
    since: datetime | None = None


def concerns_of(
    found: Overview,
    troubles: Iterable[Trouble],
    heard: Heard,
    refused: Mapping[str, str],
    violations: Iterable[Violation] = (),
) -> list[Concern]:
    """Return what needs a person, alarms first. *refused* are the job types that the store does not take,
    *violations* those of the last audit."""
    alive = [worker for worker in found.workers if not worker.is_lost(found.at)]
    told = [
        *(_violation(each) for each in violations),
        *_nobody_works(found, alive),
        *(_lost(worker) for worker in found.workers if worker.is_lost(found.at)),
        *(_failing(worker, loop) for worker in alive for loop in worker.loops if not loop.healthy),
        *(_of_trouble(each, found.at) for each in troubles),
        *_accounts(found.accounts, alive),
        *(_refused(name, why) for name, why in refused.items()),
        *_webhooks(heard),
    ]
    return sorted(told, key=lambda concern: concern.level is not Level.ALARM)


def _violation(broken: Violation) -> Concern:
    command = f"makegood audit --job {broken.job_id}" if broken.job_id else "makegood audit"
    return Concern(
        kind="violation",
        level=Level.ALARM,
        subject=f"{broken.code} {broken.subject}",
        what=f"The books are broken: {broken.invariant} ({broken.code}, {broken.subject}).",
        todo=f"Keep the database as it is, and see with `{command}` what does not add up, and since when.",
        job_id=broken.job_id,
        owner=broken.owner,
    )


def _nobody_works(found: Overview, alive: list[Worker]) -> Iterator[Concern]:
    stuck = sum(lane.waiting for lane in found.lanes) + sum(use.open for use in found.accounts)
    if not alive and stuck:
        yield Concern(
            kind="worker_lost",
            level=Level.ALARM,
            subject="every process",
            what=f"No process works on this database: {stuck:,} {'job' if stuck == 1 else 'jobs'} cannot go "
            "on.",
            todo="Start one: `makegood serve`.",
            since=max((worker.seen_at for worker in found.workers if worker.seen_at), default=None),
        )


def _lost(worker: Worker) -> Concern:
    return Concern(
        kind="worker_lost",
        level=Level.WARNING,
        subject=_name(worker),
        what=f"The {_name(worker)} was not seen any more: it has died, or cannot reach the database.",
        todo="Start it again with `makegood serve`, or leave it: others take over what it had, and forget it "
        "after a while.",
        since=worker.seen_at,
    )


def _failing(worker: Worker, loop: LoopHealth) -> Concern:
    if loop.over:
        what = "has ended"
    elif loop.hanging:
        what = f"has been in one turn for {loop.lag_seconds:.0f} s"
    else:
        what = f"has failed {loop.failures:,} times in a row ({loop.last_error or 'why is not known'})"
    return Concern(
        kind="loop_failing",
        level=Level.WARNING if loop.failures and not (loop.over or loop.hanging) else Level.ALARM,
        subject=f"{_name(worker)}: {loop.name}",
        what=f"The {loop.name} of the {_name(worker)} {what}.",
        todo="Read why in the log of that process and put it right; start the process again if it does not "
        "recover by itself.",
    )


def _accounts(accounts: Iterable[Occupancy], alive: list[Worker]) -> Iterator[Concern]:
    """Tell of accounts that some process has: others may have been taken away for good."""
    served = {account for worker in alive for account in worker.accounts}
    for use in accounts:
        if use.account not in served or use.healthy:
            continue
        if use.problem is not None:
            level, what = (
                Level.ALARM,
                f"The provider account {use.account} cannot be used: {_ended(use.problem)}",
            )
            todo = (
                "Put it right at the provider, or its key in the configuration; it is tried again by "
                "itself, and `makegood doctor` says how it is."
            )
        else:
            level, why = Level.WARNING, _ended(use.last_error)
            what = f"The provider does not tell how the account {use.account} is: {why}"
            todo = "Look with `makegood doctor` whether the provider answers; it is asked again by itself."
        yield Concern(
            kind="account_unfit",
            level=level,
            subject=use.account,
            account=use.account,
            what=what,
            todo=todo,
            since=use.problem_since,
        )


def _refused(name: str, why: str) -> Concern:
    return Concern(
        kind="type_refused",
        level=Level.ALARM,
        subject=name,
        what=f"The database does not take {name}, and so no new jobs of it are taken: {_ended(why)}",
        todo="Raise `version` in the job type, or bring its old rules back; `makegood diff` shows what "
        "differs.",
    )


def _webhooks(heard: Heard) -> Iterator[Concern]:
    if heard.last < _HEARD_MIN or heard.before < _HEARD_MIN:
        return
    last, before = heard.last_by_webhook / heard.last, heard.before_by_webhook / heard.before
    if before >= 0.5 and last < before / 2:
        yield Concern(
            kind="webhooks_missing",
            level=Level.WARNING,
            subject="webhooks of the provider",
            what=f"Webhooks of the provider fail to come: of the last {heard.last} tasks one told first of "
            f"{last:.0%}, before that of {before:.0%}.",
            todo="Check with `makegood doctor` whether the provider reaches `webhook_base_url`; until it "
            "does, results are found by asking, which takes longer.",
            since=heard.since,
        )


def _of_trouble(trouble: Trouble, now: datetime) -> Concern:
    known = {
        "name": trouble.subject,
        "job": trouble.job_id,
        "number": trouble.attempt,
        "task": f"the task {trouble.detail}" if trouble.detail else "a task",
        "until": f" at {trouble.until:%H:%M} UTC" if trouble.until else "",
        "detail": _ended(trouble.detail),
        "called": trouble.detail or trouble.subject,
        "fails": "is disabled, and hears nothing" if trouble.until else "does not take what it is sent",
    }
    subject, what, todo = (text.format_map(known) for text in _SAYS[trouble.kind])
    return Concern(
        kind=trouble.kind,
        level=_level(trouble, now),
        subject=subject,
        what=what,
        todo=todo,
        job_id=trouble.job_id,
        account=trouble.subject if trouble.kind in _OF_TASKS else None,
        owner=trouble.owner,
        since=trouble.since,
    )


def _level(trouble: Trouble, now: datetime) -> Level:
    if trouble.kind is TroubleKind.CLOSED:
        return Level.ALARM
    lasts = trouble.since is not None and now - trouble.since > _PATIENCE
    stuck = trouble.kind in (TroubleKind.UNCERTAIN, TroubleKind.OVERDUE)
    return Level.ALARM if stuck and lasts else Level.WARNING


def _name(worker: Worker) -> str:
    return f"process {worker.name.pid} on {worker.name.host}"


def _ended(text: str | None) -> str:
    """Return a text of others as the end of a sentence."""
    text = " ".join((text or "the reason is not known").split())
    return text if text.endswith((".", "!", "?")) else f"{text}."
