"""What a job type adds to its machine: input, price, files, the provider's request, limits."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from makegood.buckets import CREDITS_MAX
from makegood.errors import InvalidInput
from makegood.job import Job
from makegood.machine import Event, Machine, Problem
from makegood.media import format_of
from makegood.outcome import JSON, Trouble
from makegood.reruns import Rerun, RerunPolicy

MEGABYTE = 1_000_000
SCOPE = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class File:
    """Marks an input field that holds the blob key of a file, or of several in a list:
    `Annotated[str, File(("png",))]`, `Annotated[tuple[str, ...], File(("mp4",))]`.

    `formats` are names that `sniff` returns; `size_max` is in bytes, of each file, and stays below what the
    provider takes (30 MB for an upload by API).
    """

    formats: tuple[str, ...] = ("png", "jpeg", "webp")
    size_max: int = 30 * MEGABYTE

    def problem(self, data: bytes, size: int | None = None) -> str | None:
        """Return what is wrong with a file, or None: *data* is its content, or the first of *size* bytes."""
        size = len(data) if size is None else size
        if size > self.size_max:
            return f"the file has {size:,} bytes, at most {self.size_max:,} are taken"
        found = sniff(data)
        if found not in self.formats:
            return f"the file is {found or 'of an unknown format'}, wanted: {', '.join(self.formats)}"
        return None


def sniff(data: bytes) -> str | None:
    """Return the format that the first bytes of a file show, whatever it is called: a name of
    `makegood.media.FORMATS`, but `jpeg` for the one that is `jpg` there."""
    found = format_of(data)
    return None if found is None else "jpeg" if found.kind == "jpg" else found.kind


class JobInput(BaseModel):
    """Base of input models: unknown fields are an error, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class JobType(Machine):
    """Base of everything that can be sold; see `makegood.lifecycle.BaseJob` for the states.

    `pool` names the group of provider accounts that may run it. `price` is in whole credits, or
    override `price_of`. `attempts_max` bounds how often the provider is tried under one hold.
    `exclusive_by` names a scope: of all jobs of the types that share it, an owner has at most one that is
    not over; what is submitted beside it is refused with ActiveJob.
    """

    label: ClassVar[str] = ""
    pool: ClassVar[str] = "default"
    price: ClassVar[int] = 0
    attempts_max: ClassVar[int] = 3
    fetch_deadline: ClassVar[timedelta] = timedelta(hours=2)
    exclusive_by: ClassVar[str | None] = None
    #: Which runs that failed are made again, and when.
    rerun_policy: ClassVar[RerunPolicy] = RerunPolicy()
    #: What the user sends: a job type declares a nested `class Input(JobInput)`.
    Input: ClassVar[type[BaseModel]] = JobInput

    @classmethod
    def _misuses(cls) -> list[Problem]:
        return [Problem("MG116", told) for told in (*_wrong_values(cls), *_wrong_methods(cls))]

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> BaseModel:
        """Validate *raw* and fill in defaults; InvalidInput names every field that is wrong."""
        try:
            return cls.Input.model_validate(raw)
        except ValidationError as error:
            problems = [
                (".".join(str(part) for part in e["loc"]) or "input", e["msg"])
                for e in error.errors(include_url=False, include_input=False)
            ]
            raise InvalidInput(cls.name, problems) from None

    @classmethod
    def price_of(cls, value: BaseModel) -> int:
        """Return the price of *value* in whole credits; it is frozen when the job is submitted."""
        return cls.price

    @classmethod
    def request(cls, value: BaseModel) -> JSON:
        """Return what the provider will be asked, frozen with the job.

        `{"file": "<input name>"}` stands for a file that is uploaded before the call.
        """
        return {"input": value.model_dump(mode="json")}

    @classmethod
    def delivered(cls, job: Job, files: Sequence[JSON]) -> tuple[Event[Any], BaseModel] | None:
        """Return the event, with its payload, by which a job moves on once its result is in our storage;
        None: `complete`, for the whole price.

        *files* are `{"key", "kind", "node"}`, in the provider's order. A `Completion` whose `earned` is less
        than the price captures only that, and what was drawn last comes back first. It may be asked again.
        """
        return None

    @classmethod
    def rerun_after(cls, job: Job, trouble: Trouble, request: JSON) -> Rerun | None:
        """Return how a job is run again whose run failed of *trouble*; None: it fails, all credits back.

        *request* is what that run had asked, `job.reruns` how often it was run again already. It is asked
        only while `attempts_max` allows another run, and may be asked again; one that raises says None.
        """
        return cls.rerun_policy.rerun(request, trouble, job.reruns)

    @classmethod
    def cancellation_price(cls, job: Job, ran: bool) -> int:
        """Return what a cancelled run costs, 0 to `job.price`; *ran*: the provider had begun."""
        return job.price if ran else 0

    @classmethod
    def at_provider(cls, job: Job) -> bool:
        """Whether the provider may have a task of *job* now.

        A job that is back in the queue has a submitted attempt behind it, which is over.
        """
        return cls.spec.state[job.state].slot and job.submitted

    @classmethod
    def file_fields(cls) -> dict[str, File]:
        """Return the input fields that hold files."""
        found = {}
        for name, info in cls.Input.model_fields.items():
            for mark in info.metadata:
                if isinstance(mark, File):
                    found[name] = mark
        return found

    @classmethod
    def files_of(cls, value: BaseModel) -> Iterator[tuple[str, File, str]]:
        """Yield (input name, mark, blob key) for each file that *value* names; those of a list are
        `name.0`, `name.1` and so on, as in `{"file": "name.0"}` of the request."""
        for name, mark in cls.file_fields().items():
            found = getattr(value, name)
            if isinstance(found, (list, tuple)):
                yield from ((f"{name}.{i}", mark, key) for i, key in enumerate(found))
            elif found is not None:
                yield name, mark, found


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_scope(value: object) -> bool:
    return value is None or (isinstance(value, str) and SCOPE.fullmatch(value) is not None)


#: What a job type must say of itself: each is used long after its definition, some only when a job is paid.
_WANTED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "label": (lambda v: isinstance(v, str), "is no text"),
    "pool": (lambda v: isinstance(v, str) and v != "", "names no pool; write a text"),
    "price": (
        lambda v: _is_whole(v, 0, CREDITS_MAX),
        f"is no price; write a whole number of credits, 0 to {CREDITS_MAX:,}",
    ),
    "attempts_max": (lambda v: _is_whole(v, 1, 2**31 - 1), "is no bound; write a whole number, 1 or more"),
    "fetch_deadline": (
        lambda v: isinstance(v, timedelta) and v > timedelta(),
        "is no time that can pass; write a timedelta of more than 0",
    ),
    "exclusive_by": (_is_scope, "names no scope; write small letters, digits and _, or None"),
    "rerun_policy": (lambda v: isinstance(v, RerunPolicy), "is no RerunPolicy"),
    "Input": (
        lambda v: isinstance(v, type) and issubclass(v, BaseModel),
        "is no model; derive it from JobInput",
    ),
}
#: What the engine calls on the class itself, and at once.
_CALLED = ("parse", "price_of", "request", "delivered", "rerun_after", "cancellation_price")


def _wrong_values(job_type: type[JobType]) -> Iterator[str]:
    for name, (fits, complaint) in _WANTED.items():
        value = getattr(job_type, name)
        if not fits(value):
            yield f"{name}: {value!r} {complaint}"


def _wrong_methods(job_type: type[JobType]) -> Iterator[str]:
    for name in _CALLED:
        declared = inspect.getattr_static(job_type, name)
        method = getattr(job_type, name)
        if not callable(method):
            yield f"{name}: {method!r} is no method"
        elif inspect.isfunction(declared):
            yield f"{name} is called on the class; write @classmethod above it"
        elif inspect.iscoroutinefunction(inspect.unwrap(method)):
            yield f"{name} is async, and nobody awaits it; write `def`"
