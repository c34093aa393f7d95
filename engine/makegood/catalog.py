"""The registered job types, by name and version, and stand-ins for those that only the store knows."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from makegood.errors import DeclarationError, JobTypeClosed, JobTypeRefused, JobTypeUnserved, UnknownJobType
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
        self._refused: dict[tuple[str, int], str] = {}
        self.closed: Mapping[str, str] = {}
        """The names of which no new jobs are taken for now, each with the reason, as this process knows it
        from the rules of the store."""
        self._looks = self._learned = 0
        self.unserved: Mapping[str, str] = {}
        """The names of which no new jobs are taken since no account serves their pool, each with the pool."""

    def __iter__(self) -> Iterator[type[BaseJob]]:
        return iter(self._types.values())

    def __contains__(self, name: object) -> bool:
        return name in self._newest

    def has(self, name: str, version: int) -> bool:
        """Return whether this version of *name* is registered, refused by the store or not."""
        return (name, version) in self._types

    @property
    def names(self) -> list[str]:
        """The names that new jobs may have."""
        return [name for name, newest in self._newest.items() if (name, newest.version) not in self._refused]

    @property
    def refused(self) -> dict[str, str]:
        """The types that the store does not take, as `name@version`, each with the reason."""
        return {f"{name}@{version}": why for (name, version), why in self._refused.items()}

    def refuse(self, job_type: type[BaseJob], why: str) -> None:
        """Take no new jobs of *job_type*; those under way go on by the rules that are stored."""
        self._refused[job_type.name, job_type.version] = why

    def get(self, name: str) -> type[BaseJob]:
        """Return the newest version of *name*; UnknownJobType lists what there is, JobTypeRefused says why
        the store does not take it: an older version would sell what is no longer offered."""
        if name not in self._newest:
            raise UnknownJobType(name, self._newest)
        newest = self._newest[name]
        if why := self._refused.get((name, newest.version)):
            raise JobTypeRefused(name, newest.version, why)
        return newest

    def offered(self, name: str) -> type[BaseJob]:
        """Return what a new job of *name* is made of; raises what `get` does, JobTypeClosed and
        JobTypeUnserved."""
        newest = self.get(name)
        if why := self.closed.get(name):
            raise JobTypeClosed(name, why)
        if pool := self.unserved.get(name):
            raise JobTypeUnserved(name, pool)
        return newest

    def look(self) -> int:
        """Return the number of a look at what is closed, which begins now; `learn` takes what it finds."""
        self._looks += 1
        return self._looks

    def learn(self, closed: Mapping[str, str], look: int) -> None:
        """Take what *look* has found to be closed, unless one that began later has told already."""
        if look > self._learned:
            self.closed, self._learned = closed, look

    def is_open(self, name: str) -> bool:
        """Whether new jobs of *name*, one of `names`, are taken now."""
        return name not in self.closed and name not in self.unserved

    def label(self, name: str) -> str:
        """Return the name that people know a job type by; of a type that is not here, its name."""
        return (self._newest[name].label if name in self._newest else "") or name

    def of(self, job: Job) -> type[BaseJob] | None:
        """Return the type of a stored job in its version, or its stand-in; None if neither is there."""
        key = (job.type, job.type_version)
        own = None if key in self._refused else self._types.get(key)
        return own or self._stand_ins.get(key)

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
