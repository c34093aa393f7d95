"""What only measures ask the database for: all credits, and attempts that a person may have to look at."""

from dataclasses import dataclass

from makegood_adapters.postgres.store import PostgresStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """Credits of all owners by where they are: issued is the sum of the others."""

    issued: int
    remaining: int
    held: int
    captured: int
    expired: int

    @property
    def unaccounted(self) -> int:
        """What is missing, or too much; the database allows nothing but 0."""
        return self.issued - self.remaining - self.held - self.captured - self.expired


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAttempts:
    """Of one account: submissions whose outcome nobody knows, and for how many seconds the oldest job is over
    whose task still holds its slot, 0 for none."""

    account: str
    uncertain: int
    draining_seconds: float


async def credits_of_all(store: PostgresStore) -> Credits:
    """Add up all credits; it reads every bucket. Raises StoreUnavailable."""
    [row] = await store.read("overview/credits")
    return Credits(**dict(row))


async def open_attempts(store: PostgresStore) -> list[OpenAttempts]:
    """Look at the slots that are taken. Raises StoreUnavailable."""
    return [OpenAttempts(**dict(row)) for row in await store.read("overview/open_attempts")]
