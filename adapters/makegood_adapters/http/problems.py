"""What the API answers when it does not do what was asked: problem documents (RFC 9457) with stable codes."""

import logging
import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from makegood.errors import (
    PROBLEMS_MAX,
    ActiveJob,
    Conflict,
    EndpointRefused,
    FileNameTaken,
    FileNotTaken,
    FileTooLarge,
    GuardFailed,
    IllegalTransition,
    InsufficientCredits,
    InvalidInput,
    InvalidRequest,
    JobTypeClosed,
    JobTypeRefused,
    KeyNameTaken,
    KeyReused,
    StorageError,
    StoreError,
    UnknownEndpoint,
    UnknownFile,
    UnknownJob,
    UnknownJobType,
    UnknownKey,
    UploadsExhausted,
    WebhooksOff,
)
from makegood_adapters.http.application import BodyRefused

log = logging.getLogger("makegood.http")

MEDIA_TYPE = "application/problem+json"
#: Every code with its HTTP status and its title; a code never changes its meaning.
CODES: Mapping[str, tuple[int, str]] = {
    "invalid_json": (400, "The body is not JSON"),
    "invalid_request": (400, "The request cannot be served as it stands"),
    "owner_required": (400, "The request names no owner"),
    "invalid_event_id": (400, "No stream can go on after this event"),
    "body_unreadable": (400, "The body could not be read"),
    "unauthenticated": (401, "No valid credentials"),
    "insufficient_credits": (402, "Too few credits"),
    "forbidden": (403, "Not allowed to this caller"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "No such method here"),
    "body_too_slow": (408, "The body did not arrive in time"),
    "active_job": (409, "Another job is under way"),
    "illegal_transition": (409, "Not possible in this state"),
    "held_back": (409, "Not possible now"),
    "name_taken": (409, "Another one has this name"),
    "webhooks_off": (409, "No webhooks are sent here"),
    "conflict": (409, "Others changed it at the same time"),
    "not_configured": (409, "This service is not set up for it"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media": (415, "Content of this kind is not taken"),
    "range_not_satisfiable": (416, "The file has no such part"),
    "invalid_body": (422, "The body is not valid"),
    "invalid_query": (422, "The query is not valid"),
    "endpoint_refused": (422, "The endpoint cannot be like this"),
    "invalid_input": (422, "The input is not valid"),
    "key_reused": (422, "The idempotency key stands for another request"),
    "rate_limited": (429, "Too many requests"),
    "uploads_exhausted": (429, "Too many bytes were brought in a day"),
    "too_many_streams": (429, "Too many streams at once"),
    "internal": (500, "Something went wrong on our side"),
    "job_type_closed": (503, "No new jobs of this type are taken"),
    "unavailable": (503, "The service cannot do this now"),
}
#: When a caller may try again whom we cannot serve now, in seconds.
AGAIN_SECONDS = 5


class FieldError(BaseModel):
    """What is wrong with one field; `field` is its path, joined by dots."""

    field: str
    message: str


class Problem(BaseModel):
    """The body of every answer that is not a success."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    #: Which fields are wrong.
    errors: list[FieldError] | None = None
    #: The events that are allowed in the state that the job is in.
    allowed: list[str] | None = None


class ApiProblem(Exception):
    """Raised to answer with the problem of this code; *members* are added to the document."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        self.code, self.detail, self.members = code, detail, members
        self.status, self.title = CODES[code]
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)
        super().__init__(detail or self.title)

    def document(self) -> bytes:
        """Return the problem as JSON."""
        problem = Problem(
            type=f"urn:makegood:problem:{self.code}",
            title=self.title,
            status=self.status,
            code=self.code,
            detail=self.detail,
            **self.members,
        )
        return problem.model_dump_json(exclude_none=True).encode()


def problem_of(error: Exception) -> ApiProblem:
    """Return how *error* is told to a caller; of what nobody expected a line is logged and no word told."""
    match error:
        case ApiProblem():
            return error
        case BodyRefused(problem=code):
            return ApiProblem(code, str(error))
        case InvalidInput(problems=problems):
            errors = [FieldError(field=field, message=text) for field, text in problems]
            return ApiProblem("invalid_input", str(error), errors=errors)
        case KeyReused():
            return ApiProblem("key_reused", str(error))
        case FileTooLarge():
            return ApiProblem("body_too_large", str(error))
        case FileNotTaken():
            return ApiProblem("unsupported_media", str(error))
        case UploadsExhausted(again_seconds=seconds):
            return ApiProblem("uploads_exhausted", str(error), retry_after=math.ceil(seconds))
        case KeyNameTaken() | FileNameTaken():
            return ApiProblem("name_taken", str(error))
        case UnknownJob() | UnknownJobType() | UnknownFile() | UnknownKey() | UnknownEndpoint():
            return ApiProblem("not_found", str(error))
        case JobTypeClosed():
            return ApiProblem("job_type_closed", str(error), retry_after=60)
        case JobTypeRefused(name=name):  # the reason speaks of our deployment
            return ApiProblem("job_type_closed", f"New jobs of {name!r} are not taken. Nothing was charged.")
        case ActiveJob(job_id=job_id, state=state):
            return ApiProblem("active_job", str(error), job_id=str(job_id), state=state)
        case EndpointRefused():
            return ApiProblem("endpoint_refused", str(error))
        case WebhooksOff():
            return ApiProblem("webhooks_off", str(error))
        case InvalidRequest():
            return ApiProblem("invalid_request", str(error))
        case InsufficientCredits(price=price, available=available):
            return ApiProblem("insufficient_credits", str(error), price=price, available=available)
        case IllegalTransition(state=state, allowed=allowed):
            return ApiProblem("illegal_transition", str(error), state=state, allowed=list(allowed))
        case GuardFailed(state=state, unmet=unmet):
            return ApiProblem("held_back", str(error), state=state, unmet=list(unmet))
        case Conflict():
            return ApiProblem("conflict", str(error), retry_after=1)
        case StoreError():
            log.warning("the store is in trouble: %s", error)
            return ApiProblem(
                "unavailable",
                "The service answers, but cannot reach its data. Nothing is lost: please try again.",
                retry_after=AGAIN_SECONDS,
            )
        case StorageError():
            log.error("files cannot be kept or read: %s", error, exc_info=error)
            return ApiProblem(
                "unavailable",
                "Files cannot be kept or read at present; please try again.",
                retry_after=AGAIN_SECONDS,
            )
        case _:
            log.error("a request failed", exc_info=error)
            return ApiProblem("internal")


def invalid(error: ValidationError, code: str) -> ApiProblem:
    """Return the problem of a body or query that does not fit its model; text that is no JSON is told so."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    if any(e["type"] == "json_invalid" for e in found):
        return ApiProblem("invalid_json", "; ".join(e["msg"] for e in found))
    errors = [
        FieldError(field=".".join(map(str, e["loc"])) or "body", message=e["msg"])
        for e in found[:PROBLEMS_MAX]
    ]
    more = (
        f"{len(found):,} fields are wrong, of which these are the first."
        if len(found) > PROBLEMS_MAX
        else None
    )
    return ApiProblem(code, more, errors=errors)
