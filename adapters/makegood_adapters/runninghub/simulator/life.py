"""The life of a simulated task: its stages, its work, its end, and cancelling it."""

import asyncio
import random
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from makegood_adapters.runninghub.simulator.apps import Worker, WorkOrder
from makegood_adapters.runninghub.simulator.clock import at_rest
from makegood_adapters.runninghub.simulator.request import Node
from makegood_adapters.runninghub.simulator.tasks import Result, State, Task
from makegood_adapters.runninghub.simulator.webhooks import Webhooks

if TYPE_CHECKING:
    from makegood_adapters.runninghub.simulator.platform import Platform


class Lives:
    """Runs tasks in the background until `close`."""

    def __init__(self, platform: "Platform", webhooks: Webhooks) -> None:
        self._platform, self._webhooks = platform, webhooks
        self._clock, self._setting = platform.clock, platform.setting
        self._running: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Stop every task where it is."""
        for running in self._running:
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def begin(self, task: Task) -> None:
        """Start the life of an accepted task."""
        if self._setting.habits.first_state == "RUNNING":
            self._start(task)
        task.life = self._spawn(self._live(task))

    def cancel(self, task: Task) -> None:
        """Begin to cancel; success may still come first."""
        if task.cancel_requested_at is not None:
            return
        task.cancel_requested_at = self._clock.now()
        match task.faults.cancel:
            case None:
                self._spawn(self._cancel_soon(task))
            case "success_wins":
                # Counted until the task is over, or virtual time could pass before it notices.
                self._clock.awake()
                task.hurried.set()
            case "ignored":
                pass
        self._platform.note_change()

    def redeliver(self, task: Task, url: str) -> None:
        """Send the webhook once more, as retryWebhook does."""
        self._spawn(self._webhooks.deliver(task, url))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        running = asyncio.create_task(work)
        self._clock.awake()
        self._running.add(running)
        running.add_done_callback(self._is_over)
        return running

    def _is_over(self, running: asyncio.Task[None]) -> None:
        self._running.discard(running)
        self._clock.done()

    async def _live(self, task: Task) -> None:
        try:
            await self._work(task)
        except asyncio.CancelledError:
            # The canceller has already ended the task; otherwise the simulator is being closed.
            if not task.over:
                raise
            if not self._setting.habits.webhook_on_cancel:
                return
        await self._webhooks.send(task)

    async def _work(self, task: Task) -> None:
        faults, pace = task.faults, self._setting.pace
        chance = random.Random(f"{self._setting.seed}:{task.request.arrival}")
        if task.state is State.QUEUED:
            await self._stage(task, "queued", faults.queued_seconds, pace.queued_seconds, chance)
            async with at_rest(self._clock):
                await self._platform.changed_to(lambda: self._has_room(task))
            self._start(task)
        working = asyncio.create_task(self._produce(task))
        try:
            await self._stage(task, "running", faults.running_seconds, pace.running_seconds, chance)
            await working
        finally:
            working.cancel()
        self._finish(task, State.SUCCESS if task.error is None else State.FAILED)

    def _has_room(self, task: Task) -> bool:
        return task.hurried.is_set() or self._platform.has_room(task)

    def _start(self, task: Task) -> None:
        task.started_at = self._clock.now()
        task.state = State.RUNNING
        self._platform.note_change()

    async def _stage(
        self, task: Task, stage: str, wanted: float | None, usual: float, chance: random.Random
    ) -> None:
        spread = self._setting.pace.spread
        varied = usual * (1 + chance.uniform(-spread, spread))
        if not (task.faults.webhook_before_reply or task.faults.at_once):
            await self._unless_hurried(task, self._clock.sleep(varied if wanted is None else wanted))
        if task.faults.hold == stage:
            async with at_rest(self._clock):
                await self._unless_hurried(task, task.released.wait())

    async def _unless_hurried(self, task: Task, waiting: Coroutine[Any, Any, object]) -> None:
        """Wait, but no longer than until the task must be done at once."""
        if task.faults.cancel != "success_wins":
            await waiting
            return
        waits = [asyncio.create_task(waiting), asyncio.create_task(task.hurried.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _produce(self, task: Task) -> None:
        """Make the outputs, or fail as told or as the worker does."""
        faults = task.faults
        if faults.fail is not None:
            task.error = faults.fail
            task.error_type = faults.exception_type or task.error_type
            task.error_code = faults.fail_code or ("1015" if faults.transient else "805")
            return
        if faults.no_outputs:
            return
        stem = f"ComfyUI_{task.request.arrival:05d}_{task.id}"
        if faults.text is not None:
            text = faults.text
            task.results = (Result(name=f"{stem}.txt", node="9", data=text.encode(), text=text),)
            return
        worker, order = self._order(task)
        try:
            data = await asyncio.to_thread(worker, order)
        except Exception as error:
            # A node of a real workflow may raise anything, and the task fails with its message.
            task.error = f"{error}" or type(error).__name__
            task.error_type, task.error_code = type(error).__name__, "805"
            return
        task.results = (Result(name=f"{stem}.png", node="9", data=data),)

    def _order(self, task: Task) -> tuple[Worker, WorkOrder]:
        request = task.request
        nodes = list(request.nodes)
        if request.kind == "workflow":
            workflow = self._setting.workflows[request.app]
            worker = workflow.worker
            named = {(node.node, node.field) for node in nodes}
            nodes += [node for node in _defaults(workflow.graph) if (node.node, node.field) not in named]
        else:
            worker = (self._setting.apps if request.kind == "app" else self._setting.models)[request.app]
        files = {node.node: self._platform.file_for(task.key, node.value) for node in nodes}
        found = {node: data for node, data in files.items() if data is not None}
        return worker, WorkOrder(
            request.app, found, {node.node: node.value for node in nodes if node.node not in found}
        )

    def _finish(self, task: Task, state: State) -> None:
        if state is not State.SUCCESS:
            task.results = ()
        task.finished_at = self._clock.now()
        if task.request.webhook_url:
            task.webhook_id = self._platform.new_id()
        task.state = state
        if task.hurried.is_set():
            self._clock.done()
        self._platform.ended(task)

    async def _cancel_soon(self, task: Task) -> None:
        told = task.faults.cancel_seconds
        await self._clock.sleep(self._setting.pace.cancel_seconds if told is None else told)
        if not task.over and task.life is not None:
            task.error = None
            self._finish(task, State.CANCEL)
            task.life.cancel()


def _defaults(graph: Any) -> list[Node]:
    """Return the values that a workflow was saved with; links between nodes are none."""
    return [
        Node(number, field, str(value))
        for number, node in graph.items()
        for field, value in node.get("inputs", {}).items()
        if not isinstance(value, list | dict)
    ]
