"""`makegood simulate`: RunningHub on this machine, with a line for whatever happens to a task."""

import asyncio
import functools
import json as as_json
import math
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from makegood.errors import InvalidRequest
from makegood_adapters.cli.told import Json, tell_line
from makegood_adapters.runninghub.simulator import (
    Account,
    CancelWord,
    Counters,
    Faults,
    Habits,
    Odds,
    Pace,
    Simulator,
    Site,
    Task,
)
from makegood_adapters.runninghub.simulator.apps import (
    APP_INPUTS,
    UPSCALERS,
    default_models,
    default_workflows,
)
from makegood_adapters.runninghub.simulator.codes import text_of
from makegood_adapters.runninghub.simulator.counters import label

#: What has been told of a task that is new.
_UNTOLD = ("", "pending", False, 0)
#: What a slow reply, task, webhook or file takes.
_SLOW_SECONDS = 30.0
_STYLES = {"SUCCESS": "green", "FAILED": "red", "CANCEL": "yellow", "RUNNING": "cyan", "QUEUED": "dim"}


async def simulate(
    *,
    port: int = 8188,
    key: Annotated[tuple[str, ...], Parameter(negative="")] = ("my-key:3",),
    coins: int = 10_000,
    odds: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    habit: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    cancel_word: CancelWord | None = None,
    site: Site = "cn",
    seed: int = 0,
    queued_seconds: float = 1.0,
    running_seconds: float = 5.0,
    spread: float = 0.3,
    speed: float = 1.0,
    json: Json = False,
) -> None:
    """Run a RunningHub of your own on this machine, which fails as often as you wish, until Ctrl-C.

    Parameters
    ----------
    port
        Where it listens on 127.0.0.1; 0 takes a free port.
    key
        A valid API key, how many tasks it may have at once, and its kind: my-key:3 or my-key:50:SHARED.
    coins
        What each key has to spend.
    odds
        How often each mishap happens, from 0 to 1, or that of one of them: 0.05 or create_dropped=0.3.
        May be given several times.
    habit
        A variant of the site: ids=number or unseen_seconds=3. May be given several times.
    cancel_word
        How a cancelled task is spelled.
    site
        Which of the two sites it is.
    seed
        Another seed has other mishaps; the same seed and order of calls has the same.
    queued_seconds
        How long a task waits.
    running_seconds
        How long a task works.
    spread
        By how much of its length each of them varies.
    speed
        How many times as fast everything is.
    json
        Tell it as lines of JSON.

    Examples
    --------
    makegood simulate --odds 0.05 --speed 10
    """
    if not all(map(math.isfinite, (queued_seconds, running_seconds, spread, speed))):
        raise InvalidRequest("Seconds, --spread and --speed must be finite numbers.")
    if min(queued_seconds, running_seconds, spread) < 0 or speed <= 0 or coins < 0:
        raise InvalidRequest("Seconds, --spread and --coins must not be negative, and --speed not 0.")
    if not 0 <= port <= 65_535:
        raise InvalidRequest(f"--port takes 0 to 65535, not {port}.")
    keys = dict(_account(given, coins) for given in key)
    habits, chances = _habits(habit, cancel_word), _odds(odds)
    pace = Pace(
        queued_seconds=queued_seconds,
        running_seconds=running_seconds,
        spread=spread,
        webhook_retry_seconds=60.0,
        speed=speed,
    )
    simulator = Simulator(keys=keys, port=port, pace=pace, habits=habits, odds=chances, site=site, seed=seed)
    opening = functools.partial(_opening, site=site, keys=keys, odds=chances, seed=seed)
    await _run(simulator, opening, json=json)


async def _run(simulator: Simulator, opening: Callable[[str], Iterable[str | Text]], *, json: bool) -> None:
    """Run it and tell of it until Ctrl-C; *opening* takes its address."""
    console = Console(highlight=False, quiet=json)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with simulator:
        for told in opening(simulator.url):
            console.print(told, soft_wrap=True)
        if json:
            tell_line({"url": simulator.url})
        journal = Journal(simulator)
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(_tell(journal, simulator, console, json), name="journal")
            await stopping.wait()
            telling.cancel()
        _tell_news(journal, console, json)
        for line in _closing(simulator.counters):
            console.print(line, soft_wrap=True)
        if json:
            tell_line(_counted(simulator.counters))


async def _tell(journal: "Journal", simulator: Simulator, console: Console, json: bool) -> None:
    while True:
        _tell_news(journal, console, json)
        await simulator.changed()


def _tell_news(journal: "Journal", console: Console, json: bool) -> None:
    for news in journal.news():
        if json:
            tell_line({"at": news.at, "task": news.task or None, "told": news.told})
        else:
            console.print(news.text, soft_wrap=True)


# What is asked for


def _account(given: str, coins: int) -> tuple[str, Account]:
    key, *rest = given.split(":")
    limit, kind = [*rest, "NORMAL"][:2] if rest else ("", "")
    if not key or len(rest) > 2 or not limit.isdecimal():
        raise InvalidRequest(f"--key takes a key and its limit, like my-key:3, not {given!r}.")
    try:
        return key, Account.from_json({"limit": int(limit), "coins": coins, "type": kind})
    except ValueError as error:
        raise InvalidRequest(f"--key {given}: {error}") from error


def _habits(given: Sequence[str], cancel_word: CancelWord | None) -> Habits:
    told = dict(_assignment("--habit", item) for item in given)
    if cancel_word is not None:
        told["cancel_word"] = cancel_word
    try:
        return Habits.from_json(told)
    except ValueError as error:
        raise InvalidRequest(f"--habit: {error}") from error


def _odds(given: Sequence[str]) -> Odds:
    told: dict[str, Any] = {}
    try:
        for item in given:
            if "=" in item:
                told.update([_assignment("--odds", item)])
            else:
                names = [known.name for known in fields(Odds)]
                told.update(dict.fromkeys(names, float(item)), slow_seconds=_SLOW_SECONDS)
        return Odds.from_json(told)
    except ValueError as error:
        # With one number for all, each of them is wrong; the first tells enough.
        why = str(error).split("; ", 1)[0].rstrip(".")
        raise InvalidRequest(f"--odds takes 0 to 1, or NAME=0.3: {why}.") from error


def _assignment(option: str, item: str) -> tuple[str, Any]:
    """Read NAME=VALUE; a value is JSON if it can be, else text."""
    name, equals, value = item.partition("=")
    if not equals:
        raise InvalidRequest(f"{option} takes NAME=VALUE, not {item!r}.")
    # A code like 1007 is text.
    if name.endswith("_code") and name != "upload_code":
        return name, value
    try:
        return name, as_json.loads(value)
    except ValueError:
        return name, value


# What is told


def _opening(url: str, site: Site, keys: dict[str, Account], odds: Odds, seed: int) -> Iterator[str | Text]:
    yield Text.assemble("RunningHub (", site, ") is simulated on ", (url, "bold"), " until Ctrl-C.")
    yield ""
    for key, account in keys.items():
        yield f"key       {key}  {account.limit} tasks at once, {account.coins} coins, {account.type}"
    for app, inputs in APP_INPUTS.items():
        nodes = ", ".join(f"node {node} {field}" for node, _, field, *_ in inputs)
        yield f"app       {app}  {'upscaler' if app in UPSCALERS else 'pose changer'}: {nodes}"
    for workflow in default_workflows():
        yield f"workflow  {workflow}  upscaler: node 1 image"
    for model in default_models():
        yield f"model     {model}  for keys of the kind SHARED"
    chances = Counter(getattr(odds, known.name) for known in fields(odds) if known.name != "slow_seconds")
    del chances[0.0]
    for chance, number in chances.items():
        kinds = "1 kind" if number == 1 else f"{number} kinds, each"
        yield f"mishaps   {kinds} with a probability of {chance:g} (seed {seed})"
    yield f"counters  curl {url}/admin/counters"
    yield ""
    first = next(iter(keys))
    node = '{"nodeId": "1", "fieldName": "image", "fieldValue": "FILENAME"}'
    body = f'{{"webappId": "{UPSCALERS[0]}", "nodeInfoList": [{node}]}}'
    bearer = f"-H 'Authorization: Bearer {first}'"
    yield f"upload    curl {bearer} -F file=@picture.png {url}/openapi/v2/media/upload/binary"
    yield f"run       curl {bearer} {url}/task/openapi/ai-app/run -d '{body}'"
    yield ""


def _closing(counters: Counters) -> Iterator[str]:
    yield ""
    yield (
        f"{counters.creates} create calls: {counters.tasks} tasks, {sum(counters.refusals.values())} refused"
        f" · {counters.duplicates} duplicates · {counters.coins} coins · {counters.webhooks} webhooks"
    )
    for number, (key, limit) in enumerate(counters.limits.items(), 1):
        yield f"key {label(number, key)}: at most {counters.live_max[key]} tasks at once of {limit}"


def _counted(counters: Counters) -> dict[str, int]:
    return {
        "creates": counters.creates,
        "tasks": counters.tasks,
        "refused": sum(counters.refusals.values()),
        "duplicates": counters.duplicates,
        "coins": counters.coins,
        "webhooks": counters.webhooks,
    }


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened to a task, or to none."""

    at: datetime
    task: str
    told: str
    style: str

    @property
    def text(self) -> Text:
        """The line for people."""
        time = self.at.astimezone().strftime("%H:%M:%S")
        return Text.assemble((time, "dim"), f" {self.task:<5} ", (self.told, self.style))


class Journal:
    """Tells what is new of the tasks of a simulator, a line for each step of each task."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._known = 0
        self._told: dict[Task, tuple[str, str, bool, int]] = {}
        self._refused: Counter[str] = Counter()

    def news(self) -> list[News]:
        """Return what is new since the last call."""
        refused = Counter(self._simulator.refusals)
        lines = [
            _line("", f"create refused: {code} {text_of(code)}", "yellow")
            for code, count in (refused - self._refused).items()
            for _ in range(count)
        ]
        self._refused = refused
        tasks = self._simulator.tasks[self._known :]
        self._known += len(tasks)
        self._told.update(dict.fromkeys(tasks, _UNTOLD))
        for task in list(self._told):
            lines += self._of(task)
            if task.life is not None and task.life.done():
                del self._told[task]
        return lines

    def _of(self, task: Task) -> Iterator[News]:
        """Yield what is new of one task."""
        now = (
            task.state.value,
            task.reply,
            task.cancel_requested_at is not None,
            len(task.deliveries),
        )
        state, reply, cancelling, delivered = self._told[task]
        if now == self._told[task]:
            return
        self._told[task] = now
        name = f"#{task.request.arrival}"
        if not state:
            mishaps = [known.name for known in fields(Faults) if _is_set(task.faults, known.name)]
            about = f"{task.request.kind} {task.request.app}, key …{task.key[-4:]}"
            yield _line(name, f"accepted as {task.id}: {about}", "dim")
            if mishaps:
                yield _line(name, f"mishaps: {', '.join(mishaps)}", "magenta")
        if now[2] and not cancelling:
            yield _line(name, "cancel requested", "yellow")
        if now[0] != state and now[0] != "QUEUED":
            yield _line(name, _state(task), _STYLES[now[0]])
        if now[1] != reply and now[1] != "sent":
            yield _line(name, f"create reply {now[1]}", "magenta")
        for delivery in task.deliveries[delivered:]:
            answer = delivery.error or f"HTTP {delivery.status}"
            yield _line(name, f"webhook: {answer}", "green" if delivery.ok else "red")


def _is_set(faults: Faults, name: str) -> bool:
    return bool(getattr(faults, name) != getattr(Faults(), name))


def _state(task: Task) -> str:
    if task.state == "SUCCESS":
        return f"SUCCESS: {len(task.results)} outputs, {task.cost_seconds} s, {task.coins} coins"
    if task.state == "FAILED":
        return f"FAILED {task.error_code}: {task.error}"
    return task.state.value


def _line(name: str, text: str, style: str) -> News:
    return News(datetime.now(UTC), name, text, style)
