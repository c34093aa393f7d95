"""What operators do to one job beside ending it, and what all of them have done."""

from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from pydantic import Field

from makegood.administration import REASON_MAX
from makegood.ports import Act
from makegood.recording import ACTS_MAX
from makegood_adapters.http.callers import Scope
from makegood_adapters.http.operation import Call, Op
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.asked import Asked, Person, Whole
from makegood_adapters.http.v1.dossier import JobDossier, get_dossier
from makegood_adapters.http.v1.views import View
from makegood_adapters.redaction import Redaction

#: No table comes to it.
_ID_MAX = 10**15
_BY = "The person who decides; it is kept with the key that was used."
#: What people call each act.
CALLED = MappingProxyType(
    {
        "end_job": "End",
        "cancel_any_job": "Cancel",
        "ask_about_job": "Ask the provider",
        "resolve_attempt": "Settle an attempt",
        "put_limit": "Set a limit",
        "pause_jobs": "Pause",
        "resume_jobs": "Resume",
        "grant_credits": "Grant credits",
        "grant_unlimited": "Grant unlimited use",
        "start_cycle": "Begin a cycle",
        "charge_back": "Charge back",
        "make_endpoint": "Make an endpoint",
        "change_endpoint": "Change an endpoint",
        "rotate_endpoint": "Give an endpoint a new secret",
        "remove_endpoint": "Remove an endpoint",
        "resend": "Send messages again",
        "test_endpoint": "Send a test message",
        "make_key": "Make a key",
        "rotate_key": "Give a key a new secret",
        "revoke_key": "End a key",
    }
)


class Cancellation(Asked):
    """Who wants a job to end, and why."""

    by: Person = Field(description=_BY)
    reason: str = Field(min_length=1, max_length=REASON_MAX)


class Question(Asked):
    """Who wants to know."""

    by: Person = Field(description=_BY)


class QuestionView(View):
    """The attempts about which the provider is asked next; what it answers decides, and the events tell."""

    attempts: list[int]


class ActsAsked(Asked):
    """Which acts are wanted, and how many."""

    after: Whole | None = Field(None, ge=1, le=_ID_MAX, description="The `next` of the page before.")
    limit: Whole = Field(50, ge=1, le=ACTS_MAX)


class ActView(View):
    """An act: by which `key`, signed by whom, what to what, and why. `act` is the name of its operation,
    `what` the same for people; `outcome` is `ok`, or the code of the problem with which it was refused."""

    id: int
    at: datetime
    key: str
    by: str | None
    act: str
    what: str
    subject: str
    reason: str | None
    outcome: str

    @classmethod
    def of(cls, act: Act, redaction: Redaction) -> "ActView":
        """Return the view, without secrets."""
        return cls(
            id=act.id,
            at=act.at,
            key=act.key,
            by=act.by,
            act=act.act,
            what=CALLED.get(act.act, act.act),  # another release may have acts of its own
            subject=redaction.clean(act.subject),
            reason=redaction.clean(act.reason) if act.reason else act.reason,
            outcome=act.outcome,
        )


class Acts(View):
    """Some acts, newest first; `next` leads to the page that follows, null behind the last."""

    acts: list[ActView]
    next: int | None


async def cancel_any_job(api: Api, call: Call, job_id: UUID, body: Cancellation) -> JobDossier:
    """A job that is not at the provider ends at once, and what is held of its owner's credits (nothing while
    it is pending) comes back, unless its type sets a price; else the provider is asked to stop, and the job
    ends as it answers, by the policy of its type."""
    actor = f"{body.by} via {call.caller.actor}"
    await api.engine.cancel(job_id, actor=actor, reason=body.reason)
    return await get_dossier(api, call, job_id)


async def ask_about_job(api: Api, call: Call, job_id: UUID, body: Question) -> QuestionView:
    """The provider is asked about the job as soon as its rate allows, by a process that has its account; what
    it answers decides."""
    return QuestionView(attempts=await api.engine.ask(job_id))


async def list_acts(api: Api, call: Call, query: ActsAsked) -> Acts:
    """What operators have done over this API, newest first, also what was refused. One that was cut off by
    the end of its process may be missing here, and stands in the history of its job all the same."""
    page = await api.engine.acts(after=query.after, limit=query.limit)
    acts = [ActView.of(act, api.redaction) for act in page.acts]
    return Acts(acts=acts, next=page.next)


OPERATIONS = (
    Op(
        method="POST",
        path="/operations/jobs/{job_id}/cancel",
        name="cancel_any_job",
        summary="Cancel a job of any owner",
        run=cancel_any_job,
        who=Scope.OPERATIONS,
        body=Cancellation,
        out=JobDossier,
        codes=("illegal_transition", "held_back", "conflict"),
        tag="operations",
        example={"by": "Grace", "reason": "ada has asked for it by phone"},
    ),
    Op(
        method="POST",
        path="/operations/jobs/{job_id}/ask",
        name="ask_about_job",
        summary="Ask the provider about a job now",
        run=ask_about_job,
        who=Scope.OPERATIONS,
        body=Question,
        out=QuestionView,
        codes=("invalid_request",),
        tag="operations",
        example={"by": "Grace"},
    ),
    Op(
        method="GET",
        path="/operations/acts",
        name="list_acts",
        summary="What operators have done",
        run=list_acts,
        who=Scope.OBSERVE,
        query=ActsAsked,
        out=Acts,
        codes=("invalid_request",),
        tag="operations",
    ),
)
