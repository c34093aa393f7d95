"""What every guest needs: a simulated site, and no proxy of the environment before it."""

from collections.abc import AsyncIterator

import pytest

from makegood_adapters.runninghub.simulator import Account
from tests.adapters.simulated_site import KEY, Site, open_site

ENTERPRISE = "an-enterprise-key"
KEYS = {KEY: 5, ENTERPRISE: Account(limit=3, type="SHARED", money=10)}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site(keys=KEYS) as opened:
        yield opened
