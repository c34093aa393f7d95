"""Addresses of providers: what cannot be one is refused at once; a create call to it would be uncertain."""

import aiohttp
import pytest

from makegood.outcome import Cause, Rejected
from makegood_adapters.replicate import ReplicateClient
from makegood_adapters.runninghub import RunningHub, RunningHubClient
from tests.adapters.scripted_runninghub import KEY
from tests.adapters.test_runninghub_submit import FILES, REQUEST

IMPOSSIBLE = """
a.cn  https://  https://a.cn:99999  https://a.cn:x  https://[::1  https://a..b  ftp://a.cn
https://a.cn/?x=1  https://a.cn#x  https://a.cn\\x
"""


@pytest.mark.parametrize("url", ["", "https://a b.cn", f"https://{'a' * 64}.cn", *IMPOSSIBLE.split()])
@pytest.mark.parametrize("client", [RunningHubClient, ReplicateClient])
def test_what_cannot_be_asked_is_refused(
    client: type[RunningHubClient] | type[ReplicateClient], url: str
) -> None:
    with pytest.raises(ValueError, match=r"is no address like https://"):
        open_at(client, url)


@pytest.mark.parametrize("client", [RunningHubClient, ReplicateClient])
def test_a_key_does_not_travel_in_clear(client: type[RunningHubClient] | type[ReplicateClient]) -> None:
    with pytest.raises(ValueError, match=r"for this machine alone.* Write https://10\.0\.0\.1"):
        open_at(client, "http://10.0.0.1")


@pytest.mark.parametrize("client", [RunningHubClient, ReplicateClient])
def test_a_password_in_an_address_is_not_repeated(
    client: type[RunningHubClient] | type[ReplicateClient],
) -> None:
    with pytest.raises(ValueError, match=r"no address like .* a user or password") as caught:
        open_at(client, "https://user:open-sesame@a.cn")
    assert "sesame" not in str(caught.value)


async def test_an_address_that_only_the_http_library_refuses_was_not_asked(
    session: aiohttp.ClientSession,
) -> None:
    client = RunningHubClient(session, "https://a.cn", KEY)
    client.base_url = "https://a.cn:99999"
    outcome = await RunningHub(client).submit(REQUEST, FILES, None)
    assert isinstance(outcome, Rejected)
    assert outcome.cause is Cause.PACE


def open_at(client: type[RunningHubClient] | type[ReplicateClient], url: str) -> None:
    session: aiohttp.ClientSession = None  # type: ignore[assignment]  # it is refused before it is used
    if client is ReplicateClient:
        ReplicateClient(session, KEY, url)
    else:
        RunningHubClient(session, url, KEY)
