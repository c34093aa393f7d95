"""The real adapter on its way to a simulated site: how slow this machine is ends no call of it."""

import aiohttp

from makegood_adapters.runninghub import RunningHub, RunningHubClient
from makegood_adapters.runninghub.client import AuthMode
from makegood_adapters.runninghub.patience import Patience

#: A call that takes so long has failed.
_SECONDS = 60.0


def client_to(
    session: aiohttp.ClientSession, url: str, key: str, auth_mode: AuthMode = "both"
) -> RunningHubClient:
    """Return the calls of a key at the site."""
    return RunningHubClient(
        session,
        url,
        key,
        auth_mode,
        timeout_seconds=_SECONDS,
        read_seconds=_SECONDS,
        connect_seconds=_SECONDS,
    )


def patient(first_seconds: float = 0.25) -> Patience:
    """Return how long a question is repeated, and after how long for the first time."""
    return Patience(first_seconds=first_seconds, seconds=_SECONDS)


def line_to(
    session: aiohttp.ClientSession, url: str, key: str, patience: Patience | None = None
) -> RunningHub:
    """Return the provider at the site; *patience* is how often one question is repeated."""
    return RunningHub(client_to(session, url, key), patience=patience or patient())
