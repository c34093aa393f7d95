"""Service keys: make, list, rotate and revoke them."""

from datetime import UTC, datetime

from pydantic import AwareDatetime, Field

from makegood.errors import UnknownKey
from makegood.keyring import GRACE_SECONDS, GRACE_SECONDS_MAX, NewSecret
from makegood.ports import ServiceKey
from makegood_adapters.http.callers import Scope
from makegood_adapters.http.operation import Call, Op
from makegood_adapters.http.problems import ApiProblem
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.asked import Asked, Moment, Name
from makegood_adapters.http.v1.views import View


class NewKey(Asked):
    """A key for a program that calls. `expires_at` null: it is good until it is revoked."""

    name: Name = Field(max_length=200, description="What the history calls the program: `key:` and this.")
    scopes: list[Scope] = Field(min_length=1, max_length=50)
    expires_at: Moment | None = None


class Rotation(Asked):
    """How long the secret before is taken beside the new one."""

    grace_seconds: float = Field(GRACE_SECONDS, ge=0, le=GRACE_SECONDS_MAX)


class KeyView(View):
    """A service key without its secret, which is not kept. `previous_until` is until when the secret before
    the last rotation is taken; `last_used_at` is right to a minute."""

    id: str
    name: str
    scopes: list[str]
    created_at: AwareDatetime
    created_by: str
    expires_at: AwareDatetime | None
    previous_until: AwareDatetime | None
    revoked_at: AwareDatetime | None
    revoked_by: str | None
    last_used_at: AwareDatetime | None

    @classmethod
    def of(cls, key: ServiceKey) -> "KeyView":
        """Return the view."""
        return cls.model_validate(key, from_attributes=True)


class SecretView(KeyView):
    """A key with its secret, which is shown this once."""

    secret: str

    @classmethod
    def made(cls, made: NewSecret) -> "SecretView":
        """Return the view."""
        return cls(**KeyView.of(made.key).model_dump(), secret=made.secret)


class KeyViews(View):
    """All keys that there ever were, oldest first."""

    keys: list[KeyView]


async def list_keys(api: Api, call: Call) -> KeyViews:
    """Return all keys."""
    return KeyViews(keys=[KeyView.of(key) for key in await api.engine.service_keys()])


async def make_key(api: Api, call: Call, body: NewKey) -> SecretView:
    """Make a key that may no more than the caller, and no longer."""
    _may(call, body.scopes)
    _as_long(call, body.expires_at)
    made = await api.engine.make_key(
        body.name, body.scopes, actor=call.caller.actor, expires_at=body.expires_at
    )
    return SecretView.made(made)


async def rotate_key(api: Api, call: Call, key_id: str, body: Rotation) -> SecretView:
    """Give a key another secret: one that is good no longer than the caller's own."""
    _as_long(call, (await _own(api, call, key_id)).expires_at)
    return SecretView.made(await api.engine.rotate_key(key_id, grace_seconds=body.grace_seconds))


async def revoke_key(api: Api, call: Call, key_id: str) -> KeyView:
    """End a key; again is no error."""
    await _own(api, call, key_id)
    return KeyView.of(await api.engine.revoke_key(key_id, actor=call.caller.actor))


async def _own(api: Api, call: Call, key_id: str) -> ServiceKey:
    """Return the key. Refuse what would give the caller, or take from others, more than it may itself."""
    found = next((key for key in await api.engine.service_keys() if key.id == key_id), None)
    if found is None:
        raise UnknownKey(key_id)
    _may(call, found.scopes)
    return found


def _may(call: Call, scopes: list[Scope] | tuple[str, ...]) -> None:
    if beyond := sorted(scope for scope in set(scopes) if not call.caller.may(scope)):
        raise ApiProblem(
            "forbidden",
            f"Your key has not the scope `{beyond[0]}` itself, so it has no say over keys that have.",
        )


def _as_long(call: Call, end: datetime | None) -> None:
    """Refuse a secret that would be good after the caller's own: it would have no end by renewing itself."""
    own = call.caller.expires_at
    if own is not None and (end is None or end.timestamp() > own):
        until = datetime.fromtimestamp(own, UTC).isoformat()
        raise ApiProblem(
            "forbidden", f"Your secret is good until {until}, so it has no say over one that is good longer."
        )


_PATH = {"key_id": str}

OPERATIONS: tuple[Op, ...] = (
    Op(
        method="GET",
        path="/keys",
        name="list_keys",
        summary="All service keys",
        run=list_keys,
        who=Scope.KEYS,
        out=KeyViews,
        tag="keys",
    ),
    Op(
        method="POST",
        path="/keys",
        name="make_key",
        summary="Make a service key; its secret is shown once",
        run=make_key,
        who=Scope.KEYS,
        body=NewKey,
        out=SecretView,
        status=201,
        codes=("name_taken", "invalid_request"),
        tag="keys",
    ),
    Op(
        method="POST",
        path="/keys/{key_id}/rotate",
        name="rotate_key",
        summary="Give a service key another secret",
        run=rotate_key,
        who=Scope.KEYS,
        body=Rotation,
        body_required=False,
        out=SecretView,
        codes=("invalid_request",),
        tag="keys",
        path_types=_PATH,
    ),
    Op(
        method="POST",
        path="/keys/{key_id}/revoke",
        name="revoke_key",
        summary="End a service key for ever",
        run=revoke_key,
        who=Scope.KEYS,
        out=KeyView,
        codes=("invalid_request",),
        tag="keys",
        path_types=_PATH,
    ),
)
