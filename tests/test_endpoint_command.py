"""The commands `makegood endpoint …`, as an operator meets them."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from makegood.errors import EndpointRefused, InvalidRequest, UnknownEndpoint
from makegood.ports import Posted
from makegood_adapters.cli.endpoint import log, make, resend, rotate
from makegood_adapters.postgres.store import PostgresStore
from tests.api.test_front import opened
from tests.roles import login
from tests.test_rights_command import run


async def test_an_operator_makes_an_endpoint_reads_its_log_and_sends_again(
    database: str, tmp_path: Path
) -> None:
    async with login(database, "worker") as dsn:
        config = tmp_path / "makegood.toml"
        config.write_text(f'database_url = "{dsn}"\n[webhooks]\nallow_private = true\n')
        at, url = ("--dsn", dsn), "http://127.0.0.1:1/[hook]"
        words = ("make", url, "--event", "job.queued", "--type", "upscaler", "--config", str(config))
        ended = await run(tmp_path, "endpoint", *words)
        assert ended.returncode == 0, ended.stderr
        first = ended.stdout.removesuffix("\n")  # the secret alone, for a script
        assert first.startswith("whsec_")
        assert "is told of job.queued of upscaler" in ended.stderr
        [listed] = json.loads((await run(tmp_path, "endpoint", "list", "--json", *at)).stdout)
        assert (listed["url"], listed["events"], "secret" in listed) == (url, ["job.queued"], False)
        seq = await refused_once(database, tmp_path)
        shown = (await run(tmp_path, "endpoint", "log", listed["id"], "--failed", *at)).stdout
        assert "job.queued" in shown
        assert "the receiver is away" in " ".join(shown.split())
        for which in (("--failed-for", "1h"), ("--seq", str(seq))):
            ended = await run(tmp_path, "endpoint", "resend", listed["id"], *which, *at)
            assert ended.stdout == "1 message is sent again.\n"
        [kept] = json.loads((await run(tmp_path, "endpoint", "log", listed["id"], "--json", *at)).stdout)
        assert (kept["seq"], kept["state"]) == (seq, "waiting")
        ended = await run(tmp_path, "endpoint", "rotate", listed["id"], "--json", *at)
        assert json.loads(ended.stdout)["secret"] not in ("", first)
        assert listed["id"] in (await run(tmp_path, "endpoint", "list", *at)).stdout
        ended = await run(tmp_path, "endpoint", "remove", listed["id"], *at)
        assert ended.stdout == f"{listed['id']}: removed, with its log.\n"
        assert (await run(tmp_path, "endpoint", "list", *at)).stdout.startswith("No endpoints: ")


async def refused_once(database: str, folder: Path) -> int:
    """Put a job into the queue, fail to tell the endpoint, give up, and return the message's place."""
    async with opened(database, folder / "files") as site:
        await site.order()
        await site.store.stream.place(100)
        await site.store.deliveries.fan_out(100)
        [parcel] = await site.store.deliveries.take(10, 10, 60)
        await site.store.deliveries.ended(parcel, Posted(problem="the receiver is away"), None)
    return parcel.seq


async def test_mistakes_are_one_sentence(database: str, tmp_path: Path) -> None:
    config = tmp_path / "makegood.toml"
    config.write_text(f'database_url = "{database}"\n')
    nobody = uuid4()
    with pytest.raises(InvalidRequest, match="--event takes an event such as"):
        await make("https://shop.example/", event=["completed"], config=config)
    with pytest.raises(EndpointRefused, match="There is no state 'done'"):
        await make("https://shop.example/", event=["job.done"], config=config)
    with pytest.raises(EndpointRefused, match="Nothing can be posted to this address"):
        await make("http://127.0.0.1/", config=config)
    with pytest.raises(UnknownEndpoint):
        await log(nobody, dsn=database)
    with pytest.raises(UnknownEndpoint):
        await rotate(nobody, dsn=database)
    wrong: tuple[dict[str, Any], ...] = ({}, {"seq": [1], "since": "1h"})
    for given in wrong:
        with pytest.raises(InvalidRequest, match="--seq, or a time with --failed-for"):
            await resend(nobody, dsn=database, **given)
    async with PostgresStore.open(database, connections_max=1) as store:
        assert await store.endpoints.page(None, 10) == []
