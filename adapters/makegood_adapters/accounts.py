"""Open the provider accounts of the configuration: at our own providers, or at what a plugin brings."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import aiohttp

from makegood import ProviderAccount
from makegood.ports import Provider
from makegood_adapters.config import AccountConfig, ConfigurationError
from makegood_adapters.evolink import open_account as evolink
from makegood_adapters.plugins import OpenProvider, Plugins
from makegood_adapters.replicate import open_account as replicate
from makegood_adapters.runninghub import Patience, RunningHub, RunningHubClient, open_session

ACCOUNT = "account"
_RUNNINGHUB, _REPLICATE, _EVOLINK = "runninghub", "replicate", "evolink"
_OPTIONS = {"api", "upload_api", "auth_mode", "calls_per_second"}


@asynccontextmanager
async def open_accounts(
    accounts: Iterable[AccountConfig], plugins: Plugins
) -> AsyncIterator[dict[ProviderAccount, Provider]]:
    """Give the provider of each account. One that cannot be used is left out and noted in `plugins.broken`:
    its jobs wait, and those of the others go on; new ones are taken if another account serves its pool."""
    accounts = list(accounts)
    named = {account.name: account for account in accounts}
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session())

        @asynccontextmanager
        async def runninghub(*, name: str, base_url: str, api_key: str) -> AsyncIterator[Provider]:
            yield runninghub_of(session, named[name])

        ours: dict[str, OpenProvider] = {_RUNNINGHUB: runninghub, _REPLICATE: replicate, _EVOLINK: evolink}
        openers = {**plugins.providers, **ours}
        providers: dict[ProviderAccount, Provider] = {}
        for account in accounts:
            known = ProviderAccount(
                name=account.name,
                pool=account.pool,
                capacity=account.capacity,
                draining_seconds=account.draining_seconds,
                exclusive=account.exclusive,
            )
            try:
                opened = _opened(account, openers)
                providers[known] = await stack.enter_async_context(opened)
            except (ConfigurationError, ValueError) as error:
                plugins.leave_out(ACCOUNT, account.name, ConfigurationError(str(error)))
            except Exception as error:  # whatever a plugin does while it opens its account
                plugins.leave_out(ACCOUNT, account.name, error)
        yield providers


def _opened(
    account: AccountConfig, openers: Mapping[str, OpenProvider]
) -> AbstractAsyncContextManager[Provider]:
    if account.provider not in openers:
        raise ConfigurationError(
            f"it is at {account.provider!r}, which no installed plugin brings; "
            f"there is {', '.join(sorted(openers))}."
        )
    if account.provider != _RUNNINGHUB and (wrong := sorted(_OPTIONS & account.model_fields_set)):
        raise ConfigurationError(
            f"it is at {account.provider!r}, and {wrong[0]} is an option of RunningHub: remove it."
        )
    # The default is an address of RunningHub, which another provider can do nothing with.
    told = account.provider == _RUNNINGHUB or "base_url" in account.model_fields_set
    return openers[account.provider](
        name=account.name,
        base_url=account.base_url if told else "",
        api_key=account.api_key.get_secret_value(),
    )


def runninghub_of(session: aiohttp.ClientSession, account: AccountConfig) -> RunningHub:
    """Return the provider of an account at RunningHub. Raises ValueError for one that cannot be used."""
    key = account.api_key.get_secret_value()
    client = RunningHubClient(session, account.base_url, key, account.auth_mode)
    patience = Patience(calls_per_second=account.calls_per_second)
    return RunningHub(client, api=account.api, upload_api=account.upload_api, patience=patience)
