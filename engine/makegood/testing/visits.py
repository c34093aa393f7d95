"""Which edges the user's own tests have taken, and the diagram that shows in red which they have not."""

from collections import defaultdict
from collections.abc import Callable, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from makegood.engine import Engine
from makegood.errors import StoreError
from makegood.lifecycle import BaseJob
from makegood.machine import Spec
from makegood.machine.projections import svg
from makegood.mover import Mover
from makegood.ports import Store

if TYPE_CHECKING:
    import pytest

#: Job type, event and source.
Visit = tuple[str, str, str]
#: A machine, and which of its edges are asked for: pairs of event and source.
Wanted = tuple[Spec, Set[tuple[str, str]]]


class Visits:
    """The edges that jobs have taken in the engines of this process, whoever moved them there.

    Every job that an engine has moved is noted, and its history is read when the engine is left: that tells
    what dispatchers and other programs did, too.
    """

    def __init__(self) -> None:
        self.taken: set[Visit] = set()
        self.wanted: list[Wanted] = []
        self._jobs: defaultdict[Store, set[UUID]] = defaultdict(set)

    def listen(self, patch: "pytest.MonkeyPatch") -> None:
        """Note what engines do from now on, until *patch* is undone."""
        announce, leave = Mover.announce, Engine.__aexit__

        def announced(mover: Mover, job_id: UUID) -> None:
            self._jobs[mover._store].add(job_id)
            announce(mover, job_id)

        async def left(engine: Engine, *error: object) -> None:
            await leave(engine, *error)
            try:
                await self._read(engine._store)
            except StoreError:
                if not any(error):  # else it is that error which has to be told
                    raise

        patch.setattr(Mover, "announce", announced)
        patch.setattr(Engine, "__aexit__", left)

    async def _read(self, store: Store) -> None:
        for job_id in self._jobs.pop(store, ()):
            for step in await store.jobs.history(job_id):
                if step.from_state is not None:
                    self.taken.add((step.type, step.event, step.from_state))


def edge_coverage(job_type: type[BaseJob], *, beyond: type[BaseJob] | None = None) -> Callable[[Any], None]:
    """Return a test: `test_every_edge = edge_coverage(Film)`; it fails for an edge that no job of yours took.

    It runs after all others, and its message names a diagram with what is missing in red. Jobs of the tests
    that `job_type_tests` makes do not count, only what your engines moved. Edges that *beyond* has too, say
    `BaseJob`, are not asked for.
    """
    known = set(beyond.spec.edges) if beyond else set()
    asked = {(e.event, e.source) for e in job_type.spec.edges if e not in known}

    def every_edge_is_taken_by_a_job_of_some_test(makegood_edges: Callable[[Wanted], None]) -> None:
        makegood_edges((job_type.spec, asked))

    return every_edge_is_taken_by_a_job_of_some_test


def complaint(wanted: Wanted, taken: Set[Visit], folder: Path) -> str | None:
    """Return what is to be said of the edges that are *wanted* and not *taken*, None if there are none.

    The diagram goes to *folder*.
    """
    spec, asked = wanted
    missing = [(event, source) for event, source in sorted(asked) if (spec.name, event, source) not in taken]
    if not missing:
        return None
    file = folder / f"{spec.name}.svg"
    file.write_text(svg(spec, set(missing)), encoding="utf-8")
    named = ", ".join(f"{event} from {source}" for event, source in missing)
    return (
        f"{spec.name}@{spec.version}: no job of your tests has taken {len(missing)} of "
        f"{len(asked)} edges: {named}. They are red in {file}"
    )
