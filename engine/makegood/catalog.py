"""The registered job types, by name."""

from collections.abc import Iterable, Iterator

from makegood.errors import DeclarationError, UnknownJobType
from makegood.job import Job
from makegood.lifecycle import BaseJob
from makegood.machine import Edge, Spec


class Catalog:
    """A fixed set of job types; two types of one name and version are refused."""

    def __init__(self, types: Iterable[type[BaseJob]]) -> None:
        self._types: dict[str, type[BaseJob]] = {}
        for job_type in types:
            if job_type.name in self._types:
                raise DeclarationError(job_type.name, ["two job types have this name"])
            if idle := [e.event for e in job_type.spec.edges if _never_runs(job_type, e)]:
                raise DeclarationError(
                    job_type.name,
                    [f"effects of {e!r} never run: the dispatcher moves jobs by itself" for e in idle],
                )
            self._types[job_type.name] = job_type

    def __iter__(self) -> Iterator[type[BaseJob]]:
        return iter(self._types.values())

    def __contains__(self, name: object) -> bool:
        return name in self._types

    def get(self, name: str) -> type[BaseJob]:
        """Return the job type *name*; UnknownJobType lists what there is."""
        if name not in self._types:
            raise UnknownJobType(name, self._types)
        return self._types[name]

    def of(self, job: Job) -> type[BaseJob]:
        """Return the type of a stored job; where that is gone, the base, by whose rules it can be ended."""
        return self._types.get(job.type, BaseJob)

    @property
    def specs(self) -> tuple[Spec, ...]:
        """The machines, for the store."""
        return tuple(t.spec for t in self)


def _never_runs(job_type: type[BaseJob], edge: Edge) -> bool:
    return job_type.spec.opens_attempt(edge) and bool(job_type.effects(edge))
