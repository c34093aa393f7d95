"""The buttons of `makegood dev`: a run of each type, mishaps, and what a person decides of a job."""

from collections.abc import Iterable
from functools import partial

from pydantic import ValidationError

from makegood import Job
from makegood.lifecycle import BaseJob
from makegood.machine import Event
from makegood_adapters.cli.dev.house import OWNER, DevHouse
from makegood_adapters.cli.staging.acts import Acts, Ordered
from makegood_adapters.cli.staging.board import Button, Tone


class DevButtons:
    """Keeps the board's buttons those of *types*, and of the jobs that wait for a decision."""

    def __init__(self, house: DevHouse, types: Iterable[type[BaseJob]]) -> None:
        self._house, self._types = house, list(types)
        self._acts = Acts(house, house.board, self._ask)
        self._decisions: dict[str, list[Button]] = {}

    def show(self) -> None:
        """Offer all of them."""
        runs = [
            Button(
                f"run-{each.name}",
                f"run {each.label or each.name}",
                "Orders one with its example input.",
                partial(self._run, each),
            )
            for each in self._types
        ]
        decisions = [button for buttons in self._decisions.values() for button in buttons]
        self._house.board.offer([*runs, *decisions, *self._acts.mishaps()])

    async def _run(self, job_type: type[BaseJob]) -> str:
        self._house.chosen = job_type
        return await self._acts.run()

    def _ask(self, ordered: Ordered, job: Job) -> None:
        """Offer what a person may decide of a job: the events of its state that need no more to be said."""
        job_type = self._house.engine.catalog.of(job)
        if job_type is None:
            return
        events = [job_type.events()[edge.event] for edge in job_type.spec.leaving(job.state)]
        self._decisions[ordered.name] = [
            Button(
                f"{event.name}-{ordered.name.replace(' ', '-')}",
                f"{event.name} {ordered.name}",
                f"Moves {ordered.name} on from {job.state}.",
                partial(self._decide, ordered, event),
            )
            for event in events
            if _needs_nothing(event)
        ]
        self.show()

    async def _decide(self, ordered: Ordered, event: Event) -> str:  # type: ignore[type-arg]  # any payload
        self._decisions.pop(ordered.name, None)
        self.show()
        self._house.board.say(f"{OWNER}: {event.name} {ordered.name}", Tone.WARN, ordered.job.id)
        before = await self._house.engine.get(ordered.job.id)
        await self._house.engine.fire(ordered.job.id, event, event.payload(), actor=OWNER)
        return await self._acts.follow(ordered, before.version)


def _needs_nothing(event: Event) -> bool:  # type: ignore[type-arg]  # any payload
    try:
        event.payload()
    except ValidationError:
        return False
    return True
