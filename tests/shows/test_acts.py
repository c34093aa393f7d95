"""What the buttons tell: it counts the webhook that comes after a poll has found the end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from makegood_adapters.cli.staging import acts
from makegood_adapters.cli.staging.acts import Acts, Ordered
from makegood_adapters.cli.staging.board import Board
from makegood_adapters.runninghub.simulator.tasks import Delivery
from tests.engine.world import a_job


class LateWebhook:
    """A provider whose webhook is taken at the second try, when the job is over for a while."""

    def __init__(self) -> None:
        self.task = SimpleNamespace(deliveries=[])
        self.tasks = (self.task,)

    async def wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        for status in (None, 200):
            assert not condition()
            self.task.deliveries.append(Delivery(at=datetime.now(UTC), status=status))
            await asyncio.sleep(0)
        assert condition()


class House:
    """Orders a job that a poll has ended."""

    def __init__(self) -> None:
        self.dsn, self.simulator, self.engine = "", LateWebhook(), self

    async def order(self) -> Ordered:
        return Ordered("job 1", a_job("completed"))

    async def watch(self, *_: Any) -> AsyncIterator[Any]:
        return
        yield

    async def get(self, _: Any) -> Any:
        return a_job("completed")


async def test_a_run_is_told_with_its_webhook_also_if_a_poll_was_quicker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def tell(_: Any, name: str, job: Any, tasks: Sequence[Any]) -> str:
        return f"{name} {job.state}, {sum(sent.ok for task in tasks for sent in task.deliveries)} webhook"

    async def all_of_it(_: Any, job_id: Any, tasks: Sequence[Any]) -> list[Any]:
        return list(tasks)

    monkeypatch.setattr(acts, "tell_end", tell)
    monkeypatch.setattr(acts, "tasks_of", all_of_it)
    house: Any = House()
    board = Board("a show", lambda text, tone: None)
    assert await Acts(house, board).run() == "job 1 completed, 1 webhook"
