"""The simulated site behind the wire: its accounts, uploads and tasks, and what it refuses."""

import asyncio
import hashlib
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from makegood_adapters.runninghub.simulator.apps import Worker, Workflow
from makegood_adapters.runninghub.simulator.clock import Clock
from makegood_adapters.runninghub.simulator.counters import Counters
from makegood_adapters.runninghub.simulator.faults import Call, FaultPlan, Faults
from makegood_adapters.runninghub.simulator.habits import Habits
from makegood_adapters.runninghub.simulator.keys import Account, Site
from makegood_adapters.runninghub.simulator.life import Lives
from makegood_adapters.runninghub.simulator.odds import Draw, Odds
from makegood_adapters.runninghub.simulator.pace import Pace
from makegood_adapters.runninghub.simulator.request import Api, Kind, Node, TaskRequest
from makegood_adapters.runninghub.simulator.tasks import Result, State, Task
from makegood_adapters.runninghub.simulator.webhooks import Webhooks

#: What fills a slot for a file that is not used.
_EXAMPLES = frozenset({"example.png", "None"})
_FILE_FIELDS = frozenset({"image", "audio", "video"})


class Refused(Exception):
    """The call is refused with a v1 code and nothing is done; *faults* say what the reply looks like."""

    def __init__(self, code: str, text: str | None = None, faults: Faults | None = None) -> None:
        self.code, self.text, self.faults = code, text, faults
        super().__init__(code)


class NothingDone(Exception):
    """The call ends in a broken reply and nothing was done."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        super().__init__()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """All that a site is made of."""

    keys: Mapping[str, Account]
    apps: Mapping[str, Worker]
    workflows: Mapping[str, Workflow]
    models: Mapping[str, Worker]
    pace: Pace
    habits: Habits
    odds: Odds
    clock: Clock
    site: Site
    seed: int


@dataclass(slots=True)
class Upload:
    """A stored file, whose account it is, and until when its address works."""

    data: bytes
    accounts: set[str]
    at: datetime


class Platform:
    """The state of the site. Every change wakes those who wait in `wait_for`."""

    def __init__(self, setting: Setting, webhook_body: Callable[[Task], dict[str, Any]]) -> None:
        self.setting, self.habits, self.clock = setting, setting.habits, setting.clock
        self.plan, self._draw = FaultPlan(), Draw(setting.odds, setting.seed)
        self.tasks: dict[str, Task] = {}
        self.uploads: dict[str, Upload] = {}
        self.results: dict[str, tuple[Result, Task]] = {}
        # The account of a key is named by the first key of its owner.
        self._first: dict[str, str] = {}
        owners: dict[str, str] = {}
        for key, account in setting.keys.items():
            self._first[key] = owners.setdefault(account.owner, key) if account.owner else key
        self.counters = Counters({key: setting.keys[key].limit for key in self._first.values()})
        self._live: defaultdict[str, set[Task]] = defaultdict(set)
        self._spent: defaultdict[str, int] = defaultdict(int)
        self._arrivals = itertools.count(1)
        # Nineteen digits like a snowflake, and new ones at every start.
        self._ids = itertools.count(time.time_ns())
        self._changed = asyncio.Event()
        self.webhooks = Webhooks(
            self.clock, setting.pace, self.counters, webhook_body, note_change=self.note_change
        )
        self.lives = Lives(self, self.webhooks)

    async def open(self) -> None:
        """Open the connections for webhooks."""
        await self.webhooks.open()

    async def close(self) -> None:
        """Stop every task where it is."""
        await self.lives.close()
        await self.webhooks.close()

    async def wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        """Return when *condition* holds; it is looked at after every change. TimeoutError."""
        async with asyncio.timeout(seconds):
            await self.changed_to(condition)

    async def changed_to(self, condition: Callable[[], bool]) -> None:
        """Return when *condition* holds; it is looked at after every change."""
        while not condition():
            await self._changed.wait()

    async def changed(self) -> None:
        """Return after the next change."""
        await self._changed.wait()

    def note_change(self) -> None:
        """Wake those who wait."""
        self._changed.set()
        self._changed = asyncio.Event()

    # Keys and accounts

    def account_of(self, key: str) -> str:
        """Return the key that names the account of *key*."""
        return self._first[key]

    def load_of(self, key: str) -> tuple[int, int]:
        """Return how many tasks of the key's account are running and how many wait."""
        live = self._live[self.account_of(key)]
        running = sum(task.state is State.RUNNING for task in live)
        return running, len(live) - running

    def coins_of(self, key: str) -> int:
        """Return how many coins the key's account has left; the last task may have cost too many."""
        account = self.account_of(key)
        return self.setting.keys[account].coins - self._spent[account]

    def find(self, key: str, task_id: Any) -> Task | None:
        """Return a task of the key's account that reads can see already."""
        task = self.tasks.get(str(task_id))
        if task is None or self.account_of(task.key) != self.account_of(key):
            return None
        age = (self.clock.now() - task.created_at).total_seconds()
        told = task.faults.unseen_seconds
        return None if age < (self.habits.unseen_seconds if told is None else told) else task

    # Files

    def upload(self, folder: Literal["api", "openapi"], key: str, file_name: str, data: bytes) -> str:
        """Keep a file under the name of its content and return that name."""
        suffix = file_name.rsplit(".", 1)[-1].lower() if "." in file_name else ""
        digest = hashlib.sha256(data).hexdigest()
        bare = not suffix.isalnum() or (folder == "api" and suffix == "zip")
        name = f"{folder}/{digest}" + ("" if bare else f".{suffix}")
        stored = self.uploads.setdefault(name, Upload(data, set(), self.clock.now()))
        stored.at = self.clock.now()
        stored.accounts.add(self.account_of(key))
        self.note_change()
        return name

    def file_for(self, key: str, name: str) -> bytes | None:
        """Return an uploaded file that the key may use."""
        stored = self.uploads.get(name)
        if stored is None or (self.habits.private_uploads and self.account_of(key) not in stored.accounts):
            return None
        return stored.data

    # Calls

    def note_call(self, call: Call) -> None:
        """Count a call that has begun."""
        self.counters.calls[call] += 1
        self.note_change()

    def faults_of(self, call: Call, key: str | None, task: Task | None, sha256: str | None = None) -> Faults:
        """Return what goes wrong with a call that is no create call: as told, else as drawn."""
        request = task.request if task is not None else None
        drawn = self._draw.take(call)
        told = self.plan.take(call, request, key=key, sha256=sha256)
        return drawn if told is None else told

    def create(
        self,
        key: str,
        api: Api,
        kind: Kind,
        app: str,
        nodes: Sequence[Node],
        *,
        webhook_url: str | None,
        personal_queue: bool = False,
        instance: str = "default",
    ) -> Task:
        """Accept a task and start its life. Raises Refused or NothingDone."""
        self.counters.creates += 1
        try:
            self._check(key, kind, app, nodes, personal_queue)
            files = [self.file_for(key, node.value) for node in nodes]
            request = TaskRequest(
                arrival=next(self._arrivals),
                api=api,
                app=app,
                nodes=tuple(nodes),
                inputs=tuple(hashlib.sha256(data).hexdigest() for data in files if data is not None),
                webhook_url=webhook_url,
                kind=kind,
                personal_queue=personal_queue,
                instance=instance,
            )
            drawn, told = self._draw.take("create"), self.plan.take("create", request, key=key)
            faults = drawn if told is None else told
            if faults.refuse is not None:
                raise Refused(faults.refuse, faults=faults)
        except Refused as refusal:
            self.counters.refusals[refusal.code] += 1
            self.note_change()
            raise
        if faults.no_task:
            self.note_change()
            raise NothingDone(faults)
        return self._accept(key, request, faults)

    def _accept(self, key: str, request: TaskRequest, faults: Faults) -> Task:
        task = Task(id=self.new_id(), key=key, request=request, faults=faults, created_at=self.clock.now())
        account = self.account_of(key)
        self.tasks[task.id] = task
        self._live[account].add(task)
        self.counters.accept(account, request, len(self._live[account]))
        self.lives.begin(task)
        self.note_change()
        return task

    def new_id(self) -> str:
        """Return an id that nothing has yet."""
        return str(next(self._ids))

    def ended(self, task: Task) -> None:
        """Free the place of a task that is over, and bill it."""
        account = self.account_of(task.key)
        self._live[account].discard(task)
        task.charged = task.coins
        self._spent[account] += task.charged
        self.counters.coins += task.charged
        self.results.update((result.name, (result, task)) for result in task.results)
        self.note_change()

    def has_room(self, task: Task) -> bool:
        """Tell whether a waiting task may run: the account's limit is for those that do."""
        running, _ = self.load_of(task.key)
        return running < self._limit(task.key)

    def _limit(self, key: str) -> int:
        return self.setting.keys[self.account_of(key)].limit

    def _check(self, key: str, kind: Kind, app: str, nodes: Sequence[Node], personal_queue: bool) -> None:
        """Refuse what RunningHub refuses before it creates anything."""
        if kind == "workflow":
            self._check_workflow(app, nodes)
        elif kind == "app" and app not in self.setting.apps:
            raise Refused("901")
        for node in nodes:
            is_url = node.value.startswith(("http://", "https://"))
            named = node.field in _FILE_FIELDS and not is_url
            if named and self.file_for(key, node.value) is None and not self._is_example(kind, app, node):
                raise Refused("433")
        running, waiting = self.load_of(key)
        account = self.setting.keys[self.account_of(key)]
        if account.money == 0:
            raise Refused("812")
        # Each live task will cost at least one coin.
        if self.coins_of(key) <= running + waiting:
            raise Refused("416")
        places = self.habits.queue_places
        if personal_queue and account.type == "EXCLUSIVE":
            if running + waiting >= account.limit + self.habits.personal_queue_places:
                raise Refused("814")
        elif running + waiting >= account.limit + places:
            raise Refused("421")
        most = self.habits.site_tasks_max
        if most is not None and sum(map(len, self._live.values())) >= most:
            raise Refused("421")

    def _check_workflow(self, app: str, nodes: Sequence[Node]) -> None:
        workflow = self.setting.workflows.get(app)
        if workflow is None:
            raise Refused("380")
        if not workflow.saved:
            raise Refused("810")
        for node in nodes if workflow.graph else ():
            inputs = workflow.graph.get(node.node, {}).get("inputs")
            if inputs is None or node.field not in inputs:
                why = "node_not_found_in_workflow" if inputs is None else "field_not_found_in_node"
                where = f"nodeId={node.node}, fieldName={node.field}, reason={why}"
                raise Refused("803", f"NODE_INFO_MISMATCH({where})")

    def _is_example(self, kind: Kind, app: str, node: Node) -> bool:
        """Tell whether a node keeps the file that its workflow was saved with, or one that every app has."""
        if kind != "workflow":
            return kind == "app" and node.value in _EXAMPLES
        inputs = self.setting.workflows[app].graph.get(node.node, {}).get("inputs", {})
        return bool(inputs.get(node.field) == node.value)
