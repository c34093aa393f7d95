"""The provider of the documentation keeps the contract, against the server that stands beside it."""

import dataclasses
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from makegood import ProviderUnavailable
from makegood.outcome import Features, Rejected, Retry, Uncertain
from makegood.testing.contract import Counterpart, ProviderContract
from makegood_adapters.evolink import Evolink, EvolinkClient
from makegood_adapters.replicate import Replicate, ReplicateClient
from makegood_adapters.runninghub import RunningHub, RunningHubClient
from tests.adapters.scripted_runninghub import HOSTILE, Bytes, serve_script
from tests.test_docs import BLOCK, HOUSE
from tests.test_examples import example

PAGE = HOUSE / "docs" / "how-to" / "add-a-provider.md"
FEATURES = HOUSE / "docs" / "explanation" / "providers.md"
Studio = example("studio").Studio
open_account = example("atelier").open_account


class TestAtelier(ProviderContract):
    @pytest.fixture
    async def there(self) -> AsyncIterator[Counterpart]:
        async with (
            Studio() as studio,
            open_account(name="a", base_url=studio.url, api_key="key") as provider,
        ):
            request = {"picture": {"file": "image"}}
            yield Counterpart(
                provider=provider,
                request=request,
                refused=({}, {"picture": object()}, request),
                data=b"a picture",
                created=lambda: len(studio.tasks),
                finish=studio.finish,
                message=lambda task: ({}, json.dumps({"id": task}).encode()),
                unknown="t0",
            )


@pytest.mark.parametrize("answer", [how for how, *_ in HOSTILE.values()], ids=[*HOSTILE])
async def test_no_reply_makes_it_raise_or_ask_twice(answer: Bytes) -> None:
    async with (
        serve_script() as script,
        open_account(name="a", base_url=script.url, api_key="key") as provider,
    ):
        answer(script)
        told = await provider.submit({"picture": {"file": "image"}}, {"image": "file-1"}, None)
        assert isinstance(told, Uncertain) or (isinstance(told, Rejected) and told.retry is Retry.LATER)
        assert len(script.requests) == 1
        with pytest.raises(ProviderUnavailable):
            await provider.query("t1")


def shown(value: object) -> str:
    """Return a feature as the page writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


async def test_the_page_tells_what_the_providers_can_do() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (\S+) \| (\S+) \| (\S+) \| \S+ \|", FEATURES.read_text("utf-8"), re.MULTILINE
    )
    async with aiohttp.ClientSession() as session:
        runninghub = RunningHub(RunningHubClient(session, "http://127.0.0.1:1", "key")).features
        replicate = Replicate(ReplicateClient(session, "key")).features
        evolink = Evolink(EvolinkClient(session, "key")).features
    names = [field.name for field in dataclasses.fields(Features)]
    built = (runninghub, replicate, evolink)
    assert rows == [(n, *(shown(getattr(features, n)) for features in built)) for n in names]


@pytest.mark.parametrize("name", ["atelier.py", "studio.py"])
def test_the_page_shows_the_files_that_tests_run(name: str) -> None:
    text = (Path(HOUSE) / "docs" / "examples" / name).read_text("utf-8")
    assert ("python", text) in BLOCK.findall(PAGE.read_text("utf-8"))
