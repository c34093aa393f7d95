"""The part of the engine that rules the queues: limits, shares and pauses, changed while everything runs."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from makegood.buckets import check_texts
from makegood.catalog import Catalog
from makegood.errors import InvalidRequest
from makegood.fairness import (
    EVERYBODY,
    KEEP,
    Keep,
    Rule,
    Scope,
    check_name,
    check_oldest_every,
    check_pause,
    check_running_max,
    check_weight,
)
from makegood.lifecycle import BaseJob
from makegood.mover import DISPATCH
from makegood.ports import Store, Wakeups


class Admission:
    """What an operator does with the queues; `Engine` is one. All processes obey from their next dispatch."""

    catalog: Catalog
    _store: Store
    _wakeups: Wakeups

    async def limit_owner(
        self,
        owner: str = EVERYBODY,
        *,
        running_max: int | Keep | None = KEEP,
        weight: float | Keep | None = KEEP,
        actor: str = "engine",
    ) -> Rule:
        """Set how many jobs of an owner may be in slots of each pool at one time, and its share of a lane.

        What is left out stays. *running_max* None: as for everybody, which `*` sets, and which is no limit at
        first. *weight* 0.001 to 1000, None: 1; who has 2 is served twice as often as who has 1, while both
        wait. A weight counts for jobs that are accepted from now on. Jobs that run already go on. Raises
        InvalidRequest.
        """
        check_name(Scope.OWNER, owner, everybody=weight is KEEP)
        check_running_max(running_max)
        check_weight(weight)
        return await self._limit(Scope.OWNER, owner, actor, running_max=running_max, weight=weight)

    async def limit_type(
        self, job_type: str | type[BaseJob] = EVERYBODY, *, running_max: int | None, actor: str = "engine"
    ) -> Rule:
        """Set how many jobs of a type may be in slots of each pool at one time; None: as for every type.

        Jobs that run already go on. Raises InvalidRequest, also for a type that the store does not know.
        """
        name = job_type if isinstance(job_type, str) else job_type.name
        check_name(Scope.TYPE, name, everybody=True)
        check_running_max(running_max)
        return await self._limit(Scope.TYPE, name, actor, running_max=running_max)

    async def limit_pool(
        self, pool: str = EVERYBODY, *, oldest_every: int | None, actor: str = "engine"
    ) -> Rule:
        """Set of how many slots of a pool one goes to the job that waits longest; None: as for every pool,
        which is 8 at first.

        It bounds how long a job waits: see `makegood.fairness.starvation_bound`. 1 serves by age alone.
        Raises InvalidRequest, also for a pool that the store does not know.
        """
        check_name(Scope.POOL, pool, everybody=True)
        check_oldest_every(oldest_every)
        return await self._limit(Scope.POOL, pool, actor, oldest_every=oldest_every)

    async def pause(
        self,
        *,
        pool: str | None = None,
        type: str | type[BaseJob] | None = None,
        owner: str | None = None,
        reason: str,
        actor: str,
        until: datetime | timedelta | None = None,
    ) -> Rule:
        """Start no job of a pool, a job type or an owner until *until*, or until it is resumed.

        *until* is a time with zone, or how long from now. Jobs are accepted, cancelled and refused as always;
        what has a slot goes on to its end. Those that wait keep their place, and the deadline of their state:
        one that passes gives the credits back. Raises InvalidRequest.
        """
        scope, name = _chosen(pool, type, owner)
        if isinstance(until, timedelta):
            until = await self._store.now() + until
        check_pause(reason, actor, until)
        rule = await self._store.rules.pause(scope, name, actor=actor, reason=reason, until=until)
        self._wakeups.wake(DISPATCH)
        return rule

    async def resume(
        self,
        *,
        pool: str | None = None,
        type: str | type[BaseJob] | None = None,
        owner: str | None = None,
        actor: str,
    ) -> bool:
        """End a pause; False: there was none. A type that was closed takes new jobs again: here at once, in
        other processes within `survey_interval_seconds`. Raises InvalidRequest, also for a name
        that nobody knows."""
        scope, name = _chosen(pool, type, owner)
        check_texts(actor=actor)
        resumed = await self._store.rules.resume(scope, name, actor=actor)
        look = self.catalog.look()
        self.catalog.learn(await self._store.rules.closed(), look)
        self._wakeups.wake(DISPATCH)
        return resumed

    async def live(self, job_type: str) -> Mapping[str, int]:
        """Return how many jobs of a type, in the versions that this process has, stand in each state, those
        that are over left out."""
        found: Counter[str] = Counter()
        for each in self.catalog:
            if each.name == job_type:
                found.update(await self._store.live(each.name, each.version))
        return found

    def dispatch_soon(self) -> None:
        """Let whoever has free slots look into the queues now; it does so by itself as well."""
        self._wakeups.wake(DISPATCH)

    async def rules(self) -> list[Rule]:
        """Return every limit, share and pause, by scope and name."""
        return await self._store.rules.all()

    async def _limit(
        self,
        scope: Scope,
        name: str,
        actor: str,
        *,
        running_max: int | Keep | None = KEEP,
        weight: float | Keep | None = KEEP,
        oldest_every: int | Keep | None = KEEP,
    ) -> Rule:
        check_texts(actor=actor)
        if all(value is KEEP for value in (running_max, weight, oldest_every)):
            raise InvalidRequest("Nothing is to be set: give running_max or weight. Nothing was changed.")
        rule = await self._store.rules.limit(
            scope, name, actor=actor, running_max=running_max, weight=weight, oldest_every=oldest_every
        )
        self._wakeups.wake(DISPATCH)
        return rule


def _chosen(pool: str | None, job_type: str | type[BaseJob] | None, owner: str | None) -> tuple[Scope, str]:
    type_name = job_type if isinstance(job_type, str) or job_type is None else job_type.name
    named = [
        (scope, name)
        for scope, name in ((Scope.POOL, pool), (Scope.TYPE, type_name), (Scope.OWNER, owner))
        if name is not None
    ]
    if len(named) != 1:
        raise InvalidRequest("Name one of pool, type and owner. Nothing was changed.")
    [(scope, name)] = named
    check_name(scope, name, everybody=False)
    return scope, name
