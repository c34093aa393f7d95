"""What a button of the demo orders is paid by the user whom the story names, and by nobody else."""

import asyncio
import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from makegood import Catalog, Engine
from makegood_adapters.cli.demo.house import DemoHouse
from makegood_adapters.cli.demo.script import USERS
from makegood_adapters.cli.demo.show import Show, Ticket
from makegood_adapters.cli.staging.board import Board
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from makegood_adapters.runninghub.simulator import Faults, Rule
from tests.shipped import shipped

PRICE, CREDITS, TOP_UP = 60, 100, 5_000


class Director:
    """Follows no job, and keeps which it was to follow."""

    def __init__(self) -> None:
        self.restarts = asyncio.Lock()
        self.followed: list[Ticket] = []

    async def follow(self, ticket: Ticket, results: Path) -> None:
        self.followed.append(ticket)


async def test_an_order_is_paid_by_the_user_who_is_told_to_order_it(tmp_path: Path) -> None:
    """Each orders twice, and buys credits for the second time: the first has left too few."""
    story: list[str] = []
    rules: list[Rule] = []
    director, simulator = Director(), SimpleNamespace(add_first=rules.append)
    show = Show(lambda line, style, job: None)
    board = Board("the demo", lambda text, tone: story.append(text))
    wallets = dict.fromkeys(USERS, (CREDITS, 0))
    async with Engine(MemoryStore(), Catalog(shipped()), blobs=MemoryBlobs(), run_loops=False) as engine:
        for owner in USERS:
            await engine.grant(owner, CREDITS, source_ref="order-1")
        around: dict[str, Any] = {"director": director, "simulator": simulator, "process": None, "dsn": ""}
        house = DemoHouse(show=show, board=board, engine=engine, results=tmp_path, first_number=7, **around)
        for number in range(7, 7 + 2 * len(USERS)):
            story.clear()
            ordered = await house.order(Faults(webhooks=0))
            *buys, orders = story
            owner = orders.split()[0]
            assert orders == f"{owner} orders job {number}: Image upscaler, {PRICE} credits"
            assert buys == [f"{owner} buys {TOP_UP:,} credits more"] * (number >= 7 + len(USERS))
            available, held = wallets[owner]
            wallets[owner] = (available + TOP_UP * len(buys) - PRICE, held + PRICE)
            for each, told in wallets.items():
                wallet = await engine.wallet(each)
                assert (wallet.available, wallet.held) == told, f"{each}, when {orders}"
            ticket = show.tickets[ordered.job.id]
            assert (ordered.name, ticket.name, ticket.part.owner) == (f"job {number}", f"job {number}", owner)
            assert {step.actor for step in await engine.history(ordered.job.id)} <= {owner}
            [picture] = ordered.job.files.values()
            data = await engine.blobs.get(picture)
            assert data is not None
            assert rules[-1].match.input_sha256 == hashlib.sha256(data).hexdigest()
        await asyncio.sleep(0)
        assert director.followed == list(show.tickets.values())
        await house.end()
    assert {owner for owner, wallet in wallets.items() if wallet[1] == 2 * PRICE} == set(USERS)
    assert len({rule.match.input_sha256 for rule in rules}) == len(rules), "a mishap meets one job"
