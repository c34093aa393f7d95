"""The end of a page: what it ordered and nobody has begun is cancelled."""

from makegood_adapters.http.operation import Access, Call, Op
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.asked import Asked, Name
from makegood_adapters.http.v1.views import View


class Left(Asked):
    """The page that closes; its name is a weak secret, which only the page and the service know."""

    session: Name


class EndedView(View):
    """How many jobs were cancelled."""

    cancelled: int


async def end_session(api: Api, call: Call, body: Left) -> EndedView:
    """What the page has ordered and no provider was ever sent is cancelled, and what is held of its owner's
    credits (nothing while it is pending) comes back. A page sends it while it closes, when it cannot show who
    it is: that it knows the session is enough."""
    return EndedView(cancelled=len(await api.engine.end_session(body.session)))


OPERATIONS: tuple[Op, ...] = (
    Op(
        method="POST",
        path="/sessions/end",
        name="end_session",
        summary="Cancel what a page ordered and nobody has begun",
        run=end_session,
        who=Access.OPEN,
        body=Left,
        out=EndedView,
        codes=("invalid_request", "conflict"),
        example={"session": "0a6f6c1e-6d0f-4a53-8c39-5a9a2f1f9f3e"},
    ),
)
