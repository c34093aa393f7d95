"""The measures of several processes behind one port: each tells its own, at a port of its own."""

import os
import re
import signal
import socket
from contextlib import suppress
from pathlib import Path

import aiohttp

from tests.ports import kept_neighbours, kept_port
from tests.test_serve_command import Service, serving

ASKED = re.compile(r'^makegood_http_requests_total\{.*route="/health".*\} (\d+)', re.MULTILINE)


async def asked(service: Service, port: int) -> int | None:
    """Return how often the process with this port was asked how it is, None while it does not answer."""
    with suppress(aiohttp.ClientError):
        async with (
            aiohttp.ClientSession(trust_env=False) as session,
            session.get(f"http://127.0.0.1:{port}/metrics") as reply,
        ):
            assert reply.status == 200
            return sum(map(int, ASKED.findall(await reply.text())))
    return None


async def test_each_of_several_processes_tells_its_own_measures(database: str, tmp_path: Path) -> None:
    more = "metrics_public = true\nmetrics_port = "
    with kept_neighbours() as (first, second):
        async with serving(tmp_path, database, "--workers", "2", more=f"{more}{first}\n") as service:
            await _tell_their_own(service, first, second)


async def _tell_their_own(service: Service, first: int, second: int) -> None:
    rows = await service.has_workers(2)
    for number, port in ((1, first), (2, second)):
        await service.logs(
            f"[{number}] makegood.service: measures of this process alone are at http://127.0.0.1:{port}/metrics"
        )
    before = [await asked(service, port) for port in (first, second)]
    assert before == [0, 0]
    for _ in range(20):  # whichever of them is asked, what they tell adds up
        await service.until(service.health, "an answer")
    told = [[await asked(service, port) for _ in range(3)] for port in (first, second)]
    assert all(len({*each}) == 1 for each in told), told
    assert sum(each[0] or 0 for each in told) == 20
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.get(f"http://127.0.0.1:{first}/health") as reply,
    ):
        assert reply.status == 404  # nothing else is told there
    os.kill(rows[1]["pid"], signal.SIGKILL)
    await service.logs("worker 2 (process")

    async def is_back() -> bool:
        return await asked(service, second) is not None

    await service.until(is_back, "the second process, at its port again")


async def test_measures_are_for_those_with_a_key_at_that_port_too(database: str, tmp_path: Path) -> None:
    with kept_port() as port:
        async with serving(tmp_path, database, more=f"metrics_port = {port}\n") as service:
            await service.until(service.health, "an answer")
            async with (
                aiohttp.ClientSession(trust_env=False) as session,
                session.get(f"http://127.0.0.1:{port}/metrics") as reply,
            ):
                assert reply.status == 401


async def test_a_port_that_cannot_be_had_is_told_before_anything_starts(
    database: str, tmp_path: Path
) -> None:
    with kept_neighbours() as (first, second):
        for base, said in (
            (
                first,
                f"Cannot listen on 127.0.0.1:{second}: the port is in use. .* set another `metrics_port`",
            ),
            (65_535, "metrics_port: 2 processes take the ports from 65535 on"),
        ):
            with socket.create_server(("127.0.0.1", second)):
                async with serving(
                    tmp_path, database, "--workers", "2", more=f"metrics_port = {base}\n"
                ) as service:
                    assert await service.ended() == 2
                    assert re.fullmatch(f"makegood: {said}.*\n", service.log)
