"""One row of the table of operations, of which routes, OpenAPI document, client and tests are made.

An operation knows no framework: it is an async function `(api, call, body=, query=, <path parameters>=)`,
where `api` is what all operations of the table share, and returns a model, a `Reply`, or nothing. What it
raises is answered with a problem document.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from makegood_adapters.http.callers import Caller, Scope


class Access(Enum):
    """Who may call an operation, where no scope of a service key says so."""

    OPEN = "open"  # everybody, without credentials
    ANONYMOUS = "anonymous"  # who has any valid credentials: nothing that it tells is anybody's own
    OWNER = "owner"  # a user for itself, a service key with the scope `owners` for whom it names


class Sends(Enum):
    """What an operation answers with."""

    JSON = "json"
    EVENTS = "events"  # server-sent events; `out` is what their data is
    FILE = "file"  # bytes of any kind
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is no plain JSON: *body* is whole, or comes in pieces.

    Pieces are closed (`aclose`) when the client leaves or stands still for too long, also if none was taken.
    """

    status: int = 200
    media_type: str = "application/json"
    body: bytes | AsyncIterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a framework hands it over. Names of *headers* are lower-case; *chunks* is the body."""

    method: str
    path: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]
    address: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation: who calls, for which `owner` (None where it is for nobody's own, or for
    anybody and nobody was named), and the request, whose body is unread where there is no model for it.
    `identify` asks the gate again who calls, for an answer that goes on for long; it raises ApiProblem."""

    caller: Caller
    request: Request
    owner: str | None = None
    identify: Callable[[], Awaitable[Caller]] | None = None

    @property
    def for_owner(self) -> str:
        """The owner, of an operation that has one."""
        assert self.owner is not None, "only an operation with Access.OWNER has an owner"
        return self.owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operation. `who` is an `Access`, or the scope that a service key needs.

    `body` and `query` are models without unknown fields, `out` is what is answered, with `headers`, each with
    what it tells. Where the body is not required, none is the model's defaults; `example` is one that the
    document shows. `takes_file` tells that the body is a file, which the operation reads itself. `cost` names
    the budget of its rate limit. `codes` are those of the problems it may answer, beside those that every
    operation may. `nothing` says when it answers 204, without a body.
    """

    method: str
    path: str
    name: str
    summary: str
    run: Callable[..., Any]
    who: Access | Scope = Access.OWNER
    body: type[BaseModel] | None = None
    body_required: bool = True
    example: Mapping[str, Any] | None = None
    query: type[BaseModel] | None = None
    out: type[BaseModel] | None = None
    status: int = 200
    sends: Sends = Sends.JSON
    nothing: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    takes_file: bool = False
    takes_key: bool = False
    cost: str = "requests"
    codes: tuple[str, ...] = ()
    tag: str = "jobs"
    path_types: Mapping[str, type] = field(default_factory=lambda: {"job_id": UUID})

    @property
    def is_act(self) -> bool:
        """Whether it changes what only a scope gives a say over; each such call comes on record."""
        return isinstance(self.who, Scope) and self.method != "GET"

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods of its route: of a file also HEAD, by which players learn how long it is."""
        head = self.method == "GET" and self.sends is Sends.FILE
        return (self.method, "HEAD") if head else (self.method,)
