"""Who calls: nobody known, the page of an app, a user, or a service with a key of ours."""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from makegood.statement import ENGINE

#: Who else makes steps, and how keys, scripts and persons sign theirs; issuers may let users choose a name.
_OTHERS = ENGINE | {"client", "administrator", "database", "local"}
_SIGNED = re.compile(r"^(key|database|user):| via key:")
#: Names the owner for whom a service acts.
OWNER_HEADER = "makegood-owner"


class CallerKind(StrEnum):
    """How a caller has shown who it is."""

    NONE = "none"  # without credentials
    ANONYMOUS = "anonymous"  # by the publishable key of an app, which everybody can read
    USER = "user"  # by a verified token
    SERVICE = "service"  # by a key that we have issued
    LOCAL = "local"  # without credentials, from this machine itself, where that is enough to look


class Scope(StrEnum):
    """What a service key is for."""

    OWNERS = "owners"  # act for any owner: whatever the owner's own token may do
    CREDITS = "credits"  # grant credits and take them back, read wallets
    OBSERVE = "observe"  # see all that operators see, change nothing
    OPERATIONS = "operations"  # what `observe` may, and limits, pauses, ending and settling jobs
    WEBHOOKS = "webhooks"  # endpoints that are told of transitions
    METRICS = "metrics"  # read /metrics
    KEYS = "keys"  # make, rotate and revoke keys that may no more than it may itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls. `owner` is that of a verified user token, `name` that of a service key; `address` is where
    the call comes from, as far as our own proxies tell. The credentials are good until `expires_at`,
    in seconds since 1970; None: until they are taken back."""

    kind: CallerKind = CallerKind.NONE
    owner: str | None = None
    name: str | None = None
    scopes: frozenset[Scope] = frozenset()
    address: str = ""
    expires_at: float | None = None

    def may(self, scope: str) -> bool:
        """Return whether the caller has *scope*, or one that is more: who operates also observes."""
        held = self.scopes
        return scope in held or (scope == Scope.OBSERVE and Scope.OPERATIONS in held)

    @property
    def actor(self) -> str:
        """How history names the caller. A user whose name could be another's signature is told apart."""
        match self.kind:
            case CallerKind.USER:
                name = self.owner or ""
                return f"user:{name}" if name in _OTHERS or _SIGNED.search(name) else name
            case CallerKind.SERVICE:
                return f"key:{self.name}"
            case CallerKind.LOCAL:
                return "local"
            case _:
                return "client"


class Gate(Protocol):
    """Tells who calls, and stops who calls too often."""

    async def identify(self, headers: Mapping[str, str], address: str) -> Caller:
        """Return the caller of a request with these *headers*, whose names are lower-case.

        Raises ApiProblem("unauthenticated") for credentials that are not valid; none at all is a caller too.
        """

    async def admit(self, caller: Caller, cost: str) -> None:
        """Count a request of the caller; that of a service has the owner for whom it acts, if there is one.
        Raises ApiProblem("rate_limited"). *cost* names the budget."""


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by lower-case name. What comes several times is joined by commas, as HTTP says: so
    nobody is taken for the last of two callers, and what several proxies have seen stays in its order."""
    found: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def same_secret(offered: str, ours: str) -> bool:
    """Return whether both are one, in a time that does not tell how much of it was right."""
    # Headers may hold bytes that are no UTF-8; they arrive as lone surrogates.
    return hmac.compare_digest(offered.encode(errors="surrogatepass"), ours.encode())
