"""What the entry points of the plugin tests lead to: right ones, and one for each way to be wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from makegood import BaseJob, Event, Failure, Job
from makegood.ports import Provider
from makegood.testing.provider import ScriptedProvider


class Poster(BaseJob):
    """One job type."""

    table = "poster_jobs"


class Banner(BaseJob):
    """Another one."""


class TableThief(BaseJob):
    """Takes the table of another."""

    table = "poster_jobs"


class UpscalerThief(BaseJob):
    """Takes the name and version of a shipped tool."""

    name = "upscaler"


class Careless(BaseJob):
    """Has a guard whose answer nobody awaits."""


@Careless.accept.guard  # type: ignore[arg-type]  # the mistake
async def never_asked(job: Job, _: object) -> bool:
    """Would count as yes."""
    return False


def several() -> list[type[BaseJob]]:
    """Return two job types."""
    return [Poster, Banner]


def wrong_class() -> list[type[BaseJob]]:
    """Define a class that loses credits."""

    class Thief(BaseJob):
        fail = Event((BaseJob.queued | BaseJob.starting | BaseJob.running) >> BaseJob.failed, Failure)

    return [Thief]


def not_types() -> list[object]:
    """Return something else."""
    return [Poster, "Banner"]


def nothing() -> None:
    """Forget to return them."""


def leaves() -> list[type[BaseJob]]:
    """End the process, as a module meant for the command line may."""
    raise SystemExit(3)


@asynccontextmanager
async def open_scripted(*, name: str, base_url: str, api_key: str) -> AsyncIterator[Provider]:
    """Open an account that asks nobody; the key must begin rightly."""
    if not api_key.startswith("key-"):
        raise ValueError(f"the key of {name} does not begin with key-")
    yield ScriptedProvider()


def open_nothing(name: str) -> None:
    """Take too little."""


def open_badly(*, name: str, base_url: str, api_key: str) -> object:
    """Break."""
    return 1 // len(base_url)
