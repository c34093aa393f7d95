"""Turn what a caller orders into a job that may be inserted: validated, priced, its files looked at."""

import dataclasses
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from makegood.buckets import CREDITS_MAX, check_texts
from makegood.errors import InvalidInput, InvalidRequest
from makegood.job import NewJob
from makegood.lifecycle import BaseJob
from makegood.media import HEAD_BYTES
from makegood.ports import METADATA_BYTES_MAX, Blobs, Prepared

#: What is kept as JSON lies no deeper: libraries and databases differ in how deep they can read.
DEPTH_MAX = 50
#: Tells the store's time, the only one that counts.
Clock = Callable[[], Awaitable[datetime]]


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller asks for; nothing of it is trusted."""

    owner: str
    input: Mapping[str, Any]
    key: str | None = None
    priority: int = 0
    retry_of: UUID | None = None
    not_before: datetime | None = None
    draft: bool = False
    session: str | None = None
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)


async def take_order(job_type: type[BaseJob], order: Order, blobs: Blobs, job_id: UUID, now: Clock) -> NewJob:
    """Return the job as it will be inserted; *now* tells the store's time. Raises InvalidInput,
    InvalidRequest."""
    check_texts(owner=order.owner, key=order.key, session=order.session)
    check_json("metadata", order.metadata)
    if order.not_before is not None:
        await _check_start(job_type, order.not_before, now)
    prepared = await (_begin_order(job_type, order) if order.draft else prepare_order(job_type, order, blobs))
    return NewJob(
        id=job_id,
        owner=order.owner,
        type=job_type.name,
        type_version=job_type.version,
        pool=job_type.pool,
        price=prepared.price,
        input=prepared.input,
        request=prepared.request,
        files=prepared.files,
        key=order.key,
        priority=order.priority,
        attempts_max=job_type.attempts_max,
        retry_of=order.retry_of,
        exclusive_scope=job_type.exclusive_by,
        not_before=order.not_before,
        draft=order.draft,
        session=order.session,
        metadata=dict(order.metadata),
        actor=order.owner,
    )


async def prepare_order(job_type: type[BaseJob], order: Order, blobs: Blobs) -> Prepared:
    """Return what is frozen of an order whose input is complete. Raises InvalidInput, InvalidRequest."""
    value = job_type.parse(order.input)
    files = await _check_files(job_type, value, blobs)
    return Prepared(
        price=_whole_credits(job_type, value),
        input=value.model_dump(mode="json"),
        request=job_type.request(value),
        files=files,
    )


async def _begin_order(job_type: type[BaseJob], order: Order) -> Prepared:
    """Return what is kept of a draft: what was given, as it was given, by the names of the type's inputs."""
    spec = job_type.spec
    if spec.initial in spec.waiting:
        raise InvalidRequest(
            f"A job of {job_type.name!r} waits for a slot from the first: send its input at once."
        )
    if unknown := sorted(map(str, order.input.keys() - job_type.Input.model_fields.keys())):
        raise InvalidInput(job_type.name, [(name, "there is no such input") for name in unknown])
    check_json("an input", order.input)
    return Prepared(price=0, input=dict(order.input), request={}, files={})


async def price_order(job_type: type[BaseJob], input: Mapping[str, Any], blobs: Blobs | None) -> int:
    """Return what *input* costs, in whole credits; without *blobs* its files are not looked at. Raises
    InvalidInput, InvalidRequest."""
    value = job_type.parse(input)
    if blobs is not None:
        await _check_files(job_type, value, blobs)
    return _whole_credits(job_type, value)


async def _check_start(job_type: type[BaseJob], not_before: object, now: Clock) -> None:
    """Refuse a start that is no moment, or that the job's time in the queue would not live to see."""
    if not (isinstance(not_before, datetime) and not_before.tzinfo is not None):
        raise InvalidRequest(
            f"not_before {not_before!r} must be a datetime with a time zone, or None. Nothing was charged."
        )
    longest = [job_type.spec.state[name].deadline_seconds for name in job_type.spec.waiting]
    patience = min((seconds for seconds in longest if seconds is not None), default=None)
    ahead = (not_before - await now()).total_seconds()
    if patience is not None and ahead >= patience:
        raise InvalidRequest(
            f"not_before {not_before.isoformat()} is {ahead:,.0f} seconds from now, and a job of "
            f"{job_type.name!r} waits at most {patience:,.0f} seconds in the queue: give an earlier time, or "
            "the type a later deadline there. Nothing was charged."
        )


def check_json(what: str, value: object) -> None:
    """Raise InvalidRequest unless *value* is an object of JSON that every store can keep beside a job."""
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{what} must be an object of JSON, from names to values. Nothing was charged.")
    try:
        text = json.dumps(dict(value), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidRequest(f"{what} must be JSON that can be stored. Nothing was charged.") from None
    if len(text) > METADATA_BYTES_MAX:
        raise InvalidRequest(
            f"{what} has {len(text):,} bytes, at most {METADATA_BYTES_MAX:,} are kept. Nothing was charged."
        )
    if _is_deeper(value, DEPTH_MAX):
        raise InvalidRequest(
            f"{what} has values more than {DEPTH_MAX} deep in one another. Nothing was charged."
        )


def _is_deeper(value: object, depth: int) -> bool:
    """Return whether a value lies in more than *depth* lists and objects."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if not isinstance(value, (list, tuple)):
        return False
    return depth == 0 or any(_is_deeper(each, depth - 1) for each in value)


def missing(key: str) -> str:
    """Say that there is no such file."""
    return f"there is no file {key!r}; upload it first"


async def _beginning(blobs: Blobs, key: str) -> bytes:
    return b"".join([piece async for piece in blobs.read(key, 0, HEAD_BYTES)])


async def _check_files(job_type: type[BaseJob], value: BaseModel, blobs: Blobs) -> dict[str, str]:
    files, problems = {}, []
    for field, mark, key in job_type.files_of(value):
        size = await blobs.size(key)
        if size is None:
            problems.append((field, missing(key)))
        elif problem := mark.problem(await _beginning(blobs, key), size):
            problems.append((field, problem))
        files[field] = key
    if problems:
        raise InvalidInput(job_type.name, problems)
    return files


def _whole_credits(job_type: type[BaseJob], value: BaseModel) -> int:
    price: object = job_type.price_of(value)
    if isinstance(price, bool) or not isinstance(price, int) or not 0 <= price <= CREDITS_MAX:
        raise InvalidRequest(
            f"The job type {job_type.name!r} gives the price {price!r}; a price is a whole number of credits "
            f"from 0 to {CREDITS_MAX:,}. Nothing was charged."
        )
    return price
