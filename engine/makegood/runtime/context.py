"""What every loop works with."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from makegood.catalog import Catalog
from makegood.job import ProviderAccount
from makegood.mover import Mover
from makegood.observing import NOBODY, Observers
from makegood.ports import Blobs, Messenger, Provider, Store, Wakeups
from makegood.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """The engine's parts; `providers` are the accounts that this process can work with, `messenger` carries
    its webhooks to endpoints, None: it sends none. With `served_only` it takes no jobs that no account could
    run. Once `stopping` is set nothing new is taken."""

    store: Store
    catalog: Catalog
    mover: Mover
    providers: Mapping[ProviderAccount, Provider]
    blobs: Blobs
    wakeups: Wakeups
    settings: Settings
    messenger: Messenger | None = None
    served_only: bool = False
    observers: Observers = NOBODY
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def accounts(self) -> list[str]:
        """Names of the provider accounts of this process."""
        return [account.name for account in self.providers]

    @property
    def pools(self) -> dict[str, list[str]]:
        """Account names by pool."""
        found: dict[str, list[str]] = {}
        for account in self.providers:
            found.setdefault(account.pool, []).append(account.name)
        return found

    def provider(self, account: str) -> Provider:
        """Return the provider of an account of this process."""
        return next(p for a, p in self.providers.items() if a.name == account)
