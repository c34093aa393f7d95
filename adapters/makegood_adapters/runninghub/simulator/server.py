"""RunningHub on loopback: what a simulated site is made of, and the way to start and stop it."""

import errno
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from aiohttp import web

from makegood.errors import MakegoodError
from makegood_adapters.runninghub.simulator import admin
from makegood_adapters.runninghub.simulator.apps import (
    Worker,
    Workflow,
    default_apps,
    default_models,
    default_workflows,
    pillow_is_missing,
)
from makegood_adapters.runninghub.simulator.clock import Clock, RealClock
from makegood_adapters.runninghub.simulator.counters import Counters
from makegood_adapters.runninghub.simulator.door import Door
from makegood_adapters.runninghub.simulator.faults import Rule
from makegood_adapters.runninghub.simulator.habits import CancelWord, Habits
from makegood_adapters.runninghub.simulator.keys import Account, Site
from makegood_adapters.runninghub.simulator.odds import Odds
from makegood_adapters.runninghub.simulator.pace import Pace
from makegood_adapters.runninghub.simulator.platform import Platform, Setting
from makegood_adapters.runninghub.simulator.routes_account import AccountRoutes
from makegood_adapters.runninghub.simulator.routes_files import FileRoutes
from makegood_adapters.runninghub.simulator.routes_models import ModelRoutes
from makegood_adapters.runninghub.simulator.routes_tasks import TaskRoutes
from makegood_adapters.runninghub.simulator.tasks import Task
from makegood_adapters.runninghub.simulator.wire import Wire

_MIB = 1024 * 1024


class SimulatorError(MakegoodError):
    """The simulator cannot start; the message says what to do."""


class Simulator:
    """RunningHub in this process: `async with Simulator(keys={"my-key": 3}) as sim: sim.url`.

    *keys* maps each valid API key to its concurrency limit, or to an `Account`. *apps* maps webapp
    ids to workers, by default upscalers and the pose changer, which need Pillow; *workflows* maps
    workflow ids to workers with graphs, *models* the endpoints of standard models to workers.
    *port* 0 takes a free one. *habits* choose among the variants of the site, *odds* say how often
    something goes wrong; rules, by `add`, say when. The same *seed* and order of calls give the
    same durations and mishaps. *clock* is real time at the pace's speed by default; with a
    `VirtualClock` nothing passes but by `advance`. *site* is which of the two this is.
    *cancel_word* and *webhook_on_cancel* overrule the habits.
    Raises SimulatorError on entering when it cannot start.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, int | Account] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        apps: Mapping[str, Worker] | None = None,
        workflows: Mapping[str, Workflow] | None = None,
        models: Mapping[str, Worker] | None = None,
        pace: Pace | None = None,
        habits: Habits | None = None,
        odds: Odds | None = None,
        clock: Clock | None = None,
        site: Site = "cn",
        seed: int = 0,
        cancel_word: CancelWord | None = None,
        webhook_on_cancel: bool | None = None,
    ) -> None:
        self._needs_pillow = apps is None
        self._host, self._port = host, port
        self._url: str | None = None
        self._stack = AsyncExitStack()
        pace = Pace() if pace is None else pace
        habits = Habits() if habits is None else habits
        given = {"simulator-key": 3} if keys is None else keys
        setting = Setting(
            keys={key: Account(limit=it) if isinstance(it, int) else it for key, it in given.items()},
            apps=default_apps() if apps is None else dict(apps),
            workflows=default_workflows() if workflows is None else dict(workflows),
            models=default_models() if models is None else dict(models),
            pace=pace,
            habits=replace(
                habits,
                cancel_word=cancel_word or habits.cancel_word,
                webhook_on_cancel=habits.webhook_on_cancel
                if webhook_on_cancel is None
                else webhook_on_cancel,
            ),
            odds=Odds() if odds is None else odds,
            clock=RealClock(pace.speed) if clock is None else clock,
            site=site,
            seed=seed,
        )
        self._wire = Wire(setting.habits, lambda: self.url)
        self._platform = Platform(setting, lambda task: self._task_routes.webhook_body(task))
        self._app = self._application()

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        if self._url is None:
            raise RuntimeError("the simulator has not been started")
        return self._url

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Every task that was accepted, in order of arrival."""
        return tuple(self._platform.tasks.values())

    @property
    def counters(self) -> Counters:
        """What was counted since the start; `GET /admin/counters` tells the same."""
        return self._platform.counters

    @property
    def refusals(self) -> Mapping[str, int]:
        """How many create calls were refused, by v1 code."""
        return self._platform.counters.refusals

    def task(self, task_id: str) -> Task:
        """Return one task. Raises KeyError."""
        return self._platform.tasks[task_id]

    def add(self, rule: Rule) -> None:
        """Add a rule of faults behind the others; `POST /admin/faults` does the same."""
        self._platform.plan.add(rule)

    def add_first(self, rule: Rule) -> None:
        """Add a rule of faults before the others."""
        self._platform.plan.add_first(rule)

    def remove(self, rule: Rule) -> None:
        """Take a rule away that `add` or `add_first` was given, if it has not been used up."""
        self._platform.plan.remove(rule)

    def release(self, task_id: str) -> None:
        """Let a task go on that the fault `hold` has stopped. Raises KeyError."""
        self.task(task_id).released.set()

    async def advance(self, seconds: float) -> None:
        """Let virtual time pass; all that is due happens in order. ValueError on another clock."""
        await admin.advance_clock(self._platform.clock, seconds)

    async def wait_for(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until *condition* holds, looking after every change. Raises TimeoutError."""
        await self._platform.wait_for(condition, seconds)

    async def changed(self) -> None:
        """Return after the next change, which may have been several."""
        await self._platform.changed()

    async def __aenter__(self) -> Self:
        if self._needs_pillow and pillow_is_missing():
            raise SimulatorError(
                "The simulator's apps need Pillow: install it with pip install 'makegood[demo]'."
            )
        runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.5)
        async with AsyncExitStack() as stack:
            await self._platform.open()
            stack.push_async_callback(self._platform.close)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            try:
                await web.TCPSite(runner, self._host, self._port).start()
            except OSError as error:
                why = "the port is in use" if error.errno == errno.EADDRINUSE else error.strerror
                raise SimulatorError(
                    f"The simulator cannot listen on {self._host}:{self._port}: {why}. "
                    "Stop the other program or choose another port; 0 takes a free one."
                ) from error
            port = runner.addresses[0][1]
            self._url = f"http://{self._host}:{port}"
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=16 * _MIB, middlewares=[self._unknown_path])
        door = Door(app.router, self._platform, self._wire)
        self._task_routes = TaskRoutes(door, self._platform, self._wire)
        FileRoutes(door, app.router, self._platform, self._wire)
        AccountRoutes(door, self._platform, self._wire)
        admin.add_routes(app.router, self._platform, self._wire)
        ModelRoutes(door, self._platform, self._wire)
        return app

    @web.middleware
    async def _unknown_path(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer an unknown path with RunningHub's codes: 412 on v1, 1001 on v2."""
        try:
            return await handler(request)
        except web.HTTPNotFound:
            if request.path.startswith("/openapi/v2/"):
                return web.json_response(self._wire.error("v2_task", "1001"))
            if request.path.startswith(("/task/", "/api/", "/uc/")):
                return web.json_response(self._wire.error("v1", "412"))
            raise
