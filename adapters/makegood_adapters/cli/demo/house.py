"""What the buttons act on in the demo: its users order jobs with pictures that nobody else has."""

import asyncio
import hashlib
import io
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from makegood import Engine
from makegood_adapters.cli.demo.director import Director
from makegood_adapters.cli.demo.script import PICTURES, USERS, Part
from makegood_adapters.cli.demo.show import Show, Ticket
from makegood_adapters.cli.stage import Child
from makegood_adapters.cli.staging.acts import Ordered
from makegood_adapters.cli.staging.board import Board
from makegood_adapters.runninghub.simulator import Faults, Match, Rule, Simulator

_TYPE, _TOP_UP = "upscaler", 5_000


@dataclass(slots=True)
class DemoHouse:
    """Implements `makegood_adapters.cli.staging.acts.House`; results are saved in *results*.

    What is ordered becomes a ticket of the show, so that the books of the demo include it.
    """

    show: Show
    board: Board
    director: Director
    engine: Engine
    simulator: Simulator
    process: Child
    dsn: str
    results: Path
    first_number: int
    _followers: set[asyncio.Task[None]] = field(default_factory=set)
    _ordered: int = 0

    @property
    def restarts(self) -> asyncio.Lock:
        """Held by whoever kills the engine and starts it again."""
        return self.director.restarts

    async def order(self, faults: Faults | None = None, not_before: datetime | None = None) -> Ordered:
        """See `House.order`."""
        number = self.first_number + self._ordered
        self._ordered += 1
        owner, name = USERS[number % len(USERS)], PICTURES[number % len(PICTURES)]
        data = _marked(files("makegood_adapters.cli").joinpath("pictures", name).read_bytes(), number)
        if faults is not None:
            match = Match(input_sha256=hashlib.sha256(data).hexdigest())
            self.simulator.add_first(Rule(faults=faults, match=match))
        key = await self.engine.blobs.put(data, name)
        job = await self.engine.submit(
            _TYPE, owner, {"image": key}, key=f"demo-{number}", not_before=not_before
        )
        if (await self.engine.wallet(owner)).available < job.price:
            await self.engine.grant(owner, _TOP_UP, source_ref=f"top-up-{number}")
            self.board.say(f"{owner} buys {_TOP_UP:,} credits more")
        ticket = Ticket(Part(number, owner, _TYPE, (name,), {}, 0.0), job.id, job.price, "", by_button=True)
        self.show.tickets[job.id] = ticket
        told = f"{owner} orders {ticket.name}: {self.engine.catalog.label(_TYPE)}, {job.price} credits"
        self.board.say(told, job=job.id)
        accepted = await self.engine.accept(job.id, actor=owner)
        self._begin(self.director.follow(ticket, self.results))
        return Ordered(ticket.name, accepted)

    async def end(self) -> None:
        """Stop saving results."""
        for task in (followers := list(self._followers)):
            task.cancel()
        await asyncio.gather(*followers, return_exceptions=True)

    def _begin(self, following: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(following)
        self._followers.add(task)
        task.add_done_callback(self._followers.discard)


def _marked(picture: bytes, number: int) -> bytes:
    """Return the same picture as a file of its own, so that a rule at the provider meets it alone."""
    note, file = PngInfo(), io.BytesIO()
    note.add_text("number", str(number))
    with Image.open(io.BytesIO(picture)) as image:
        image.save(file, "PNG", pnginfo=note, compress_level=1)
    return file.getvalue()
