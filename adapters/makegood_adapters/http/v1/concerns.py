"""What needs a person, and what to do about it, for a page of operators."""

from datetime import datetime
from uuid import UUID

from makegood.concerns import Concern, Level
from makegood_adapters.http.operation import Call
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.overview import look
from makegood_adapters.http.v1.views import View
from makegood_adapters.redaction import Redaction


class ConcernView(View):
    """One thing that needs a person: `what` is the matter, and `todo` what helps, each a sentence. Together
    `kind` and `subject` name it as long as it lasts."""

    kind: str
    level: Level
    subject: str
    what: str
    todo: str
    job_id: UUID | None
    account: str | None
    owner: str | None
    since: datetime | None

    @classmethod
    def of(cls, concern: Concern, redaction: Redaction) -> "ConcernView":
        """Return the view, without secrets: providers are quoted."""
        view = cls.model_validate(concern, from_attributes=True)
        return view.model_copy(update={"what": redaction.clean(view.what)})


class ConcernsView(View):
    """Everything that needs a person, alarms first; of each kind not more than the fifty that began first."""

    at: datetime
    concerns: list[ConcernView]


async def get_concerns(api: Api, call: Call) -> ConcernsView:
    """Create calls without an answer, tasks that hold slots, results that came late, accounts, webhooks and
    processes in trouble, job types that are closed, jobs that overstay, and violations that the last look at
    the books has found. It may be a moment old: all who look share one reading."""
    found, concerns = await api.concerns.get()
    return ConcernsView(at=found.at, concerns=[ConcernView.of(each, api.redaction) for each in concerns])


OPERATIONS = (look("/concerns", get_concerns, "What needs a person", ConcernsView),)
