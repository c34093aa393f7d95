"""The command `makegood serve`."""

import asyncio
import os
import resource
import socket
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from makegood.errors import InvalidRequest
from makegood.ports import WorkerName
from makegood_adapters.cli.garbage import collect_seldom
from makegood_adapters.cli.serve.parent import LineToParent, Parent
from makegood_adapters.cli.serve.signals import obey_signals
from makegood_adapters.config import WORKERS_MAX, ServiceConfig, load_config, secrets_of
from makegood_adapters.error_tracker import telling_sentry
from makegood_adapters.front import bind, try_metrics_ports
from makegood_adapters.http.release import release
from makegood_adapters.logs import set_up_logs
from makegood_adapters.postgres.store import bring_up_to_date
from makegood_adapters.service import serve as run_service

#: Files that are open besides connections: those of results under way, sockets to providers, the log.
_DESCRIPTORS = 1_000


async def serve(
    *,
    config: Annotated[Path, Parameter(name="--config")] = Path("config/makegood.toml"),
    workers: int | None = None,
    number: Annotated[int, Parameter(show=False)] = 0,
    listener: Annotated[int | None, Parameter(show=False)] = None,
) -> None:
    """Run the service: the loops, the provider's webhooks, and the front-end's job backend.

    SIGTERM or Ctrl-C ends it in order: nothing new is begun, and what is under way ends or is handed over. A
    second one ends it at once.

    Parameters
    ----------
    config
        The configuration file; config/makegood.toml explains every key.
    workers
        How many processes work side by side, all behind one port; left out: `workers` of the configuration.
    number
        Which of several this process is: for the parent alone.
    listener
        The socket that the parent has bound.

    Examples
    --------
    makegood serve --workers 4
    """
    if workers is not None and not 1 <= workers <= WORKERS_MAX:
        raise InvalidRequest(f"--workers takes 1 to {WORKERS_MAX}, not {workers}.")
    read = load_config(config)
    set_up_logs(read.log_format, read.log_level, secrets=secrets_of(read), number=number)
    _raise_descriptors(read)
    count, status = workers or read.workers, 0
    with telling_sentry(read, number):
        if listener is not None:
            await _one(read, number, socket.socket(fileno=listener))
        elif count == 1:
            await _one(read, number, None)
        else:
            status = await _many(read, config, count)
    if status:
        sys.exit(status)


async def _one(config: ServiceConfig, number: int, listener: socket.socket | None) -> None:
    stopping = asyncio.Event()
    obey_signals(stopping)
    line = LineToParent(stopping)
    if listener is not None:
        await line.open()
    collect_seldom()
    name = WorkerName(host=socket.gethostname(), pid=os.getpid(), number=number, version=release())
    await run_service(config, stopping, worker=name, listener=listener, listening=line.listening)


async def _many(config: ServiceConfig, path: Path, count: int) -> int:
    """Run the parent of several and return its exit status."""
    stopping = asyncio.Event()
    with bind(config) as listener:
        try_metrics_ports(config, count)
        if config.database_update_schema and not config.database_transaction_pooler:
            await bring_up_to_date(config.database_url.get_secret_value())
        command = [sys.executable, "-m", "makegood_adapters.cli", "serve", "--config", str(path)]
        environment = {**os.environ, "MAKEGOOD_DATABASE_UPDATE_SCHEMA": "false"}
        parent = Parent(command, count, listener, environment)
        obey_signals(stopping, parent.kill)
        return await parent.run(stopping)


def _raise_descriptors(config: ServiceConfig) -> None:
    """Let this process have as many files open as it may take connections, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = config.http.connections_max + config.database_connections_max + _DESCRIPTORS
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
