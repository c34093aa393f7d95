"""The simulated site behind the wire: uploads, tasks, their lives, and their webhooks."""

import asyncio
import hashlib
import itertools
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp

from makegood_adapters.runninghub.simulator.apps import Worker, WorkOrder
from makegood_adapters.runninghub.simulator.faults import FaultPlan
from makegood_adapters.runninghub.simulator.request import Node, TaskRequest
from makegood_adapters.runninghub.simulator.tasks import (
    Delivery,
    Result,
    State,
    Task,
    now,
)

_log = logging.getLogger(__name__)

_FILE_FIELDS = frozenset({"image", "audio", "video"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast the site is, in seconds; each stage varies by up to `spread` of its length.

    RunningHub's own figures are guesses: three repetitions of a webhook, about 60 s apart.
    """

    queued_seconds: float = 0.05
    running_seconds: float = 0.2
    spread: float = 0.0
    cancel_seconds: float = 0.05
    webhook_retries: int = 3
    webhook_retry_seconds: float = 1.0
    webhook_timeout_seconds: float = 10.0


class Refused(Exception):
    """The create call is refused with a v1 code; there is no task."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Platform:
    """The state of the site. Every change wakes those who wait in `wait_for`."""

    def __init__(
        self,
        keys: Mapping[str, int],
        apps: Mapping[str, Worker],
        pace: Pace,
        seed: int,
        webhook_on_cancel: bool,
    ) -> None:
        self.keys, self.apps, self.pace = dict(keys), dict(apps), pace
        self.plan = FaultPlan()
        self.tasks: dict[str, Task] = {}
        self.uploads: dict[str, bytes] = {}
        self.results: dict[str, Result] = {}
        self.refusals: Counter[str] = Counter()
        self.webhook_body: Callable[[Task], dict[str, Any]] = lambda task: {"taskId": task.id}
        self._seed, self._webhook_on_cancel = seed, webhook_on_cancel
        # Nineteen digits like a snowflake, and new ones at every start.
        self._ids = itertools.count(time.time_ns())
        self._arrivals = 0
        self._changed = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Open the connections for webhooks, past any proxy of the environment."""
        self._session = aiohttp.ClientSession(trust_env=False)

    async def close(self) -> None:
        """Stop every task where it is."""
        for running in self._running:
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        """Return when *condition* holds; it is looked at after every change. TimeoutError."""
        async with asyncio.timeout(seconds):
            while not condition():
                await self._changed.wait()

    def note_change(self) -> None:
        """Wake those who wait."""
        self._changed.set()
        self._changed = asyncio.Event()

    def upload(self, folder: Literal["api", "openapi"], file_name: str, data: bytes) -> str:
        """Keep a file under the name of its content and return that name."""
        suffix = file_name.rsplit(".", 1)[-1].lower() if "." in file_name else ""
        digest = hashlib.sha256(data).hexdigest()
        name = f"{folder}/{digest}" + (f".{suffix}" if suffix.isalnum() else "")
        self.uploads[name] = data
        self.note_change()
        return name

    def load_of(self, key: str) -> tuple[int, int]:
        """Return how many tasks of the key are running and how many wait."""
        open_tasks = [task for task in self.tasks.values() if task.key == key and not task.over]
        running = sum(task.state is State.RUNNING for task in open_tasks)
        return running, len(open_tasks) - running

    def create(
        self,
        key: str,
        api: Literal["v1", "v2"],
        app: str,
        nodes: Sequence[Node],
        webhook_url: str | None,
    ) -> Task:
        """Accept a task and start its life. Raises Refused."""
        try:
            self._check(key, app, nodes)
            self._arrivals += 1
            request = TaskRequest(
                arrival=self._arrivals,
                api=api,
                app=app,
                nodes=tuple(nodes),
                inputs=tuple(
                    hashlib.sha256(self.uploads[node.value]).hexdigest()
                    for node in nodes
                    if node.value in self.uploads
                ),
                webhook_url=webhook_url,
            )
            faults = self.plan.take(request)
            if faults.refuse is not None:
                raise Refused(faults.refuse)
        except Refused as refusal:
            self.refusals[refusal.code] += 1
            self.note_change()
            raise
        task = Task(id=str(next(self._ids)), key=key, request=request, faults=faults, created_at=now())
        self.tasks[task.id] = task
        task.life = self._spawn(self._live(task))
        self.note_change()
        return task

    def cancel(self, task: Task) -> None:
        """Begin to cancel; success may still come first."""
        if task.cancel_requested_at is None:
            task.cancel_requested_at = now()
            self._spawn(self._cancel_soon(task))
            self.note_change()

    def redeliver(self, task: Task, url: str) -> None:
        """Send the webhook once more, as retryWebhook does."""
        self._spawn(self._deliver(task, url))

    def _check(self, key: str, app: str, nodes: Sequence[Node]) -> None:
        """Refuse what RunningHub refuses before it creates anything."""
        if app not in self.apps:
            raise Refused("901")
        for node in nodes:
            is_url = node.value.startswith(("http://", "https://"))
            if node.field in _FILE_FIELDS and not is_url and node.value not in self.uploads:
                raise Refused("433")
        if sum(self.load_of(key)) >= self.keys[key]:
            raise Refused("421")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        running = asyncio.create_task(work)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return running

    async def _live(self, task: Task) -> None:
        try:
            await self._work(task)
        except asyncio.CancelledError:
            # The canceller has already ended the task; otherwise the simulator is being closed.
            if not task.over:
                raise
            if not self._webhook_on_cancel:
                return
        url = task.request.webhook_url
        for _ in range(task.faults.webhooks if url else 0):
            await self._deliver(task, url or "")

    async def _work(self, task: Task) -> None:
        faults, pace = task.faults, self.pace
        chance = random.Random(f"{self._seed}:{task.request.arrival}")
        await self._stage(task, "queued", faults.queued_seconds, pace.queued_seconds, chance)
        task.started_at = now()
        self._move(task, State.RUNNING)
        working = asyncio.create_task(self._produce(task))
        try:
            await self._stage(task, "running", faults.running_seconds, pace.running_seconds, chance)
            await working
        finally:
            working.cancel()
        self._finish(task, State.SUCCESS if task.error is None else State.FAILED)

    async def _stage(
        self,
        task: Task,
        stage: str,
        wanted: float | None,
        usual: float,
        chance: random.Random,
    ) -> None:
        varied = usual * (1 + chance.uniform(-self.pace.spread, self.pace.spread))
        seconds = varied if wanted is None else wanted
        if not task.faults.webhook_before_reply:
            await asyncio.sleep(max(0.0, seconds))
        if task.faults.hold == stage:
            await task.released.wait()

    async def _produce(self, task: Task) -> None:
        """Make the outputs, or fail as told or as the worker does."""
        if task.faults.fail is not None:
            task.error = task.faults.fail
            task.error_code = "1015" if task.faults.transient else "805"
            return
        if task.faults.no_outputs:
            return
        nodes = task.request.nodes
        order = WorkOrder(
            task.request.app,
            {node.node: self.uploads[node.value] for node in nodes if node.value in self.uploads},
            {node.node: node.value for node in nodes if node.value not in self.uploads},
        )
        try:
            data = await asyncio.to_thread(self.apps[task.request.app], order)
        except Exception as error:
            # A node of a real workflow may raise anything, and the task fails with its message.
            task.error = f"{error}" or type(error).__name__
            task.error_type, task.error_code = type(error).__name__, "805"
            return
        name = f"ComfyUI_{task.request.arrival:05d}_{task.id}.png"
        task.results = (Result(name=name, node="9", data=data),)

    def _move(self, task: Task, state: State) -> None:
        task.state = state
        self.note_change()

    def _finish(self, task: Task, state: State) -> None:
        if state is State.SUCCESS:
            self.results.update((result.name, result) for result in task.results)
        else:
            task.results = ()
        task.finished_at = now()
        if task.request.webhook_url:
            task.webhook_id = str(next(self._ids))
        self._move(task, state)

    async def _cancel_soon(self, task: Task) -> None:
        await asyncio.sleep(self.pace.cancel_seconds)
        if not task.over and task.life is not None:
            task.error = None
            self._finish(task, State.CANCEL)
            task.life.cancel()

    async def _deliver(self, task: Task, url: str) -> None:
        """Send the webhook until the receiver takes it or the repetitions are used up."""
        body = self.webhook_body(task)
        for repetition in range(self.pace.webhook_retries + 1):
            if repetition:
                await asyncio.sleep(self.pace.webhook_retry_seconds)
            delivery = await self._post(url, body)
            task.deliveries.append(delivery)
            self.note_change()
            if delivery.ok:
                return

    async def _post(self, url: str, body: dict[str, Any]) -> Delivery:
        if self._session is None:
            raise RuntimeError("the platform is not open")
        bounds = aiohttp.ClientTimeout(total=self.pace.webhook_timeout_seconds)
        try:
            async with self._session.post(url, json=body, timeout=bounds, allow_redirects=False) as response:
                await response.read()
                return Delivery(at=now(), status=response.status)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return Delivery(at=now(), status=None, error=f"I/O error: {type(error).__name__}")
