"""What operators do: see every job, end and settle jobs, rule the queues, look at the accounts, audit."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from makegood.administration import REASON_MAX
from makegood.buckets import CREDITS_MAX
from makegood.fairness import (
    KEEP,
    OLDEST_EVERY_MAX,
    RUNNING_MAX,
    WEIGHT_MAX,
    WEIGHT_MIN,
    Rule,
)
from makegood.fairness import Scope as RuleScope
from makegood.lifecycle import BaseJob
from makegood.machine import Event
from makegood_adapters.access import LOOKS
from makegood_adapters.http.callers import Scope
from makegood_adapters.http.operation import Call, Op
from makegood_adapters.http.problems import ApiProblem
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.asked import Asked, Moment, Name, Person, Since, Whole
from makegood_adapters.http.v1.dossier import JobDossier, attempt_of, get_dossier
from makegood_adapters.http.v1.jobs import Listed, page
from makegood_adapters.http.v1.offers import Offers
from makegood_adapters.http.v1.oversight import (
    Accounts,
    AccountView,
    AttemptView,
    AuditView,
    Resumed,
    Rules,
    RuleView,
    without_secrets,
)
from makegood_adapters.http.v1.views import JobPageView, JobSummary
from makegood_adapters.redaction import Redaction

_ENDS: Mapping[str, Event[Any]] = {
    "fail": BaseJob.fail,
    "cancel": BaseJob.cancel,
    "complete": BaseJob.complete,
}
_BY = "The person who decides; it is kept with the key that was used."


class WantedOfAll(Listed):
    """Which jobs of whom are listed, and how many."""

    since: Since | None = Field(None, description="Ordered then or later: a time, or hours, as in 24h.")
    owner: Name | None = None
    search: Name | None = Field(
        None,
        description="The id of a job or its beginning (8 hexadecimal digits or more), the id of a task at a "
        "provider, an idempotency key, or an owner.",
    )


class End(Asked):
    """How a job ends, who says so, and why: kept with the job for good."""

    event: Literal["fail", "cancel", "complete"]
    by: Person = Field(description=_BY)
    reason: str = Field(min_length=1, max_length=REASON_MAX)
    files: list[Name] = Field([], max_length=100, description="Of `complete`: keys of the result files.")
    earned: int | None = Field(
        None,
        ge=0,
        le=CREDITS_MAX,
        description="Of `complete`: what is captured of the price; all if left out.",
    )


class Resolve(Asked):
    """Who has looked at the provider, and what was found."""

    by: Person = Field(description=_BY)
    reason: str = Field(min_length=1, max_length=REASON_MAX)


class NewLimit(Asked):
    """What is left out stays, null takes a value away: then the rule `*` of the scope counts."""

    scope: RuleScope
    name: Name = Field(
        description="A pool, a job type or an owner; `*` stands for all that have no own value."
    )
    by: Person = Field(description=_BY)
    running_max: int | None = Field(
        None, ge=0, le=RUNNING_MAX, description="Jobs of an owner or a type in slots of a pool at one time."
    )
    weight: float | None = Field(
        None, ge=WEIGHT_MIN, le=WEIGHT_MAX, description="An owner's share of a lane."
    )
    oldest_every: int | None = Field(
        None,
        ge=1,
        le=OLDEST_EVERY_MAX,
        description="One of so many slots of a pool goes to the longest wait.",
    )


class NewPause(Asked):
    """What is not started for now, and why."""

    scope: RuleScope
    name: Name
    by: Person = Field(description=_BY)
    reason: Name
    until: Moment | None = Field(None, description="Without it: until it is resumed.")


class Resume(Asked):
    """What is started again."""

    scope: RuleScope
    name: Name
    by: Person = Field(description=_BY)


class Depth(Asked):
    """How much an audit lists."""

    owners_max: Whole = Field(100, ge=0, le=1_000, description="Of so many owners the totals are listed.")


async def list_all_jobs(api: Api, call: Call, query: WantedOfAll) -> JobPageView:
    """Jobs of all owners, or of one, newest first."""
    since = await api.engine.now() - query.since if isinstance(query.since, timedelta) else query.since
    found = await page(api, query.owner, query, since, query.search)
    return JobPageView(jobs=[_shown(job, api.redaction) for job in found.jobs], next=found.next)


def _shown(job: JobSummary, redaction: Redaction) -> JobSummary:
    told = without_secrets({"metadata": job.metadata, "error": job.error}, redaction)
    return job.model_copy(update=told)


async def end_job(api: Api, call: Call, job_id: UUID, body: End) -> JobDossier:
    """`fail` and `cancel` give back all that is held of the owner's credits (nothing while the job is
    pending), `complete` delivers files and captures. What was submitted keeps its slot until the provider is
    known to be done."""
    await api.engine.administer(
        job_id,
        _ENDS[body.event],
        actor=_who(call, body.by),
        reason=body.reason,
        files=body.files,
        earned=body.earned,
    )
    return await get_dossier(api, call, job_id)


async def resolve_attempt(api: Api, call: Call, job_id: UUID, number: int, body: Resolve) -> AttemptView:
    """A person has looked at the provider, and settles what no program could: of an attempt whose submission
    is uncertain, that there is no task."""
    told = await api.engine.resolve(job_id, number, actor=_who(call, body.by), reason=body.reason)
    return await attempt_of(api, told, Offers(call.caller))


async def list_accounts(api: Api, call: Call) -> Accounts:
    """The slots of every provider account, and how it is doing."""
    seen = await api.engine.occupancy()
    return Accounts(accounts=[AccountView.of(each, api.redaction) for each in seen])


async def list_rules(api: Api, call: Call) -> Rules:
    """Limits, shares and pauses, by scope and name."""
    rules = [RuleView.of(rule, api.redaction) for rule in await api.engine.rules()]
    return Rules(rules=rules, refused=api.engine.refused)


async def put_limit(api: Api, call: Call, body: NewLimit) -> RuleView:
    """Obeyed from the next dispatch of every process on; jobs that run go on."""
    return RuleView.of(await _limited(api, body, _who(call, body.by)), api.redaction)


async def pause_jobs(api: Api, call: Call, body: NewPause) -> RuleView:
    """Nothing of it is started; jobs are accepted and cancelled as always, and keep their places."""
    paused = await api.engine.pause(
        **{body.scope.value: body.name}, reason=body.reason, actor=_who(call, body.by), until=body.until
    )
    return RuleView.of(paused, api.redaction)


async def resume_jobs(api: Api, call: Call, body: Resume) -> Resumed:
    """A job type that was closed takes new jobs again."""
    actor = _who(call, body.by)
    return Resumed(resumed=await api.engine.resume(**{body.scope.value: body.name}, actor=actor))


async def audit_store(api: Api, call: Call, query: Depth) -> AuditView:
    """Every invariant with what breaks it, and who has what, all as of one moment. It reads the whole
    store."""
    return AuditView.of(await api.engine.audit(owners_max=query.owners_max))


async def _limited(api: Api, body: NewLimit, actor: str) -> Rule:
    given = {name: getattr(body, name) for name in _OF_SCOPE if name in body.model_fields_set}
    if strange := sorted(name for name in given if body.scope not in _OF_SCOPE[name]):
        raise ApiProblem("invalid_request", f"A rule of one {body.scope} has no {' and no '.join(strange)}.")
    if not given:
        raise ApiProblem("invalid_request", "Nothing is to be set. Nothing was changed.")
    match body.scope:
        case RuleScope.OWNER:
            kept = {"running_max": KEEP, "weight": KEEP, **given}
            return await api.engine.limit_owner(body.name, actor=actor, **kept)
        case RuleScope.TYPE:
            return await api.engine.limit_type(body.name, actor=actor, running_max=body.running_max)
        case RuleScope.POOL:
            return await api.engine.limit_pool(body.name, actor=actor, oldest_every=body.oldest_every)


_OF_SCOPE = {
    "running_max": (RuleScope.OWNER, RuleScope.TYPE),
    "weight": (RuleScope.OWNER,),
    "oldest_every": (RuleScope.POOL,),
}


def _who(call: Call, person: str) -> str:
    """Return how an act is signed: by the person, with the key that was used."""
    return f"{person} via {call.caller.actor}"


def _op(method: str, path: str, run: Callable[..., Any], summary: str, **given: Any) -> Op:
    """Return an operation of this room; it has the name of its function. Who observes may read."""
    return Op(
        method=method,
        path=f"/operations{path}",
        name=run.__name__,
        summary=summary,
        run=run,
        who=Scope.OBSERVE if method == "GET" else Scope.OPERATIONS,
        cost=LOOKS if method == "GET" else "requests",
        tag="operations",
        **given,
    )


_JOB = {"job_id": UUID}
_REFUSED = ("invalid_request",)
_UNMOVED = ("invalid_request", "illegal_transition", "held_back", "conflict")

OPERATIONS = (
    _op(
        "GET",
        "/jobs",
        list_all_jobs,
        "Jobs of all owners",
        query=WantedOfAll,
        out=JobPageView,
        codes=_REFUSED,
    ),
    _op(
        "POST",
        "/jobs/{job_id}/end",
        end_job,
        "End a job",
        body=End,
        out=JobDossier,
        codes=_UNMOVED,
        example={"event": "fail", "by": "Grace", "reason": "the provider has lost it"},
    ),
    _op(
        "POST",
        "/jobs/{job_id}/attempts/{number}/resolve",
        resolve_attempt,
        "Settle what no program could",
        body=Resolve,
        out=AttemptView,
        codes=_UNMOVED,
        path_types={**_JOB, "number": Whole},
        example={"by": "Grace", "reason": "the provider's page shows no such task"},
    ),
    _op("GET", "/accounts", list_accounts, "Slots of the provider accounts", out=Accounts),
    _op("GET", "/rules", list_rules, "Limits, shares and pauses", out=Rules),
    _op(
        "POST",
        "/limits",
        put_limit,
        "Set a limit or a share",
        body=NewLimit,
        out=RuleView,
        codes=_REFUSED,
        example={"scope": "owner", "name": "ada", "by": "Grace", "running_max": 2},
    ),
    _op(
        "POST",
        "/pauses",
        pause_jobs,
        "Start nothing of it",
        body=NewPause,
        out=RuleView,
        codes=_REFUSED,
        example={"scope": "type", "name": "upscaler", "by": "Grace", "reason": "the app is broken"},
    ),
    _op(
        "POST",
        "/pauses/end",
        resume_jobs,
        "Start it again",
        body=Resume,
        out=Resumed,
        codes=_REFUSED,
        example={"scope": "type", "name": "upscaler", "by": "Grace"},
    ),
    _op("GET", "/audit", audit_store, "Whether the books are right", query=Depth, out=AuditView),
)
