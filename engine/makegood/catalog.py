"""The registered job types, by name and version, and stand-ins for those that only the store knows."""

from collections.abc import Iterable, Iterator
from typing import Any, cast

from makegood.errors import DeclarationError, UnknownJobType
from makegood.job import Job, Transition
from makegood.jobtype import JobType
from makegood.lifecycle import BaseJob
from makegood.machine import Edge, Spec
from makegood.machine.rulebook import RuleBook


class Catalog:
    """A fixed set of job types. Of several versions of a name the highest takes new jobs; each job keeps
    the version it began with."""

    def __init__(self, types: Iterable[type[BaseJob]]) -> None:
        self._types: dict[tuple[str, int], type[BaseJob]] = {}
        self._newest: dict[str, type[BaseJob]] = {}
        for job_type in types:
            key = (job_type.name, job_type.version)
            if key in self._types:
                raise DeclarationError(job_type.name, [f"two job types are called {key[0]}@{key[1]}"])
            if idle := [e.event for e in job_type.spec.edges if _never_runs(job_type, e)]:
                raise DeclarationError(
                    job_type.name,
                    [f"effects of {e!r} never run: the dispatcher moves jobs by itself" for e in idle],
                )
            self._types[key] = job_type
            newest = self._newest.get(job_type.name)
            if newest is None or newest.version < job_type.version:
                self._newest[job_type.name] = job_type
        self._stand_ins: dict[tuple[str, int], type[BaseJob]] = {}

    def __iter__(self) -> Iterator[type[BaseJob]]:
        return iter(self._types.values())

    def __contains__(self, name: object) -> bool:
        return name in self._newest

    @property
    def names(self) -> list[str]:
        """The names that new jobs may have."""
        return list(self._newest)

    def get(self, name: str) -> type[BaseJob]:
        """Return the newest version of *name*; UnknownJobType lists what there is."""
        if name not in self._newest:
            raise UnknownJobType(name, self._newest)
        return self._newest[name]

    def of(self, job: Job) -> type[BaseJob] | None:
        """Return the type of a stored job in its version, or its stand-in; None if neither is there."""
        key = (job.type, job.type_version)
        return self._types.get(key) or self._stand_ins.get(key)

    def stand_in(self, spec: Spec) -> type[BaseJob]:
        """Make a type of stored rules, for jobs whose own type this process does not have: it can move
        and end them, gives back what is held, and has no price, policy, guard or hook of its own."""
        made = cast(type[BaseJob], type(spec.name, (_StandIn,), {"name": spec.name, "version": spec.version}))
        made.spec, made.rules = spec, RuleBook(spec, lambda event, job, payload: [])
        self._stand_ins[spec.name, spec.version] = made
        return made

    @property
    def specs(self) -> tuple[Spec, ...]:
        """The machines, for the store."""
        return tuple(t.spec for t in self)


class _StandIn(JobType):
    @classmethod
    def effects(cls, edge: Edge) -> list[Any]:
        return []

    @classmethod
    def hooks(cls, transition: Transition) -> list[tuple[str, Any]]:
        return []

    @classmethod
    def cancellation_price(cls, job: Job, ran: bool) -> int:
        return 0


def _never_runs(job_type: type[BaseJob], edge: Edge) -> bool:
    return job_type.spec.opens_attempt(edge) and bool(job_type.effects(edge))
