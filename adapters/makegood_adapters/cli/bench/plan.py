"""What is to be measured: the options of the command, checked before anything is started."""

from dataclasses import dataclass

from makegood.errors import MakegoodError

NAMES = ("accept", "transitions", "refund", "lifecycle")
#: Benchmarks of two ways, measured turn by turn.
PAIRED = ("wakeup", "handover", "claim", "stream", "hooks")
#: How many jobs wait where claims are measured.
WAITING = 100_000
SECONDS_MAX = 3600.0
CONCURRENCY_MAX = 10_000
OWNERS_MAX = 100_000
JOBS_MAX = 1_000_000
CLIENTS_MAX = 64
READERS_MAX = 10_000


class BenchError(MakegoodError):
    """The benchmark cannot be run; the message says what to do."""


class BooksDisagree(BenchError):
    """What was measured cannot count: the books do not agree at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One benchmark: `seconds` for the product and as many for pgbench, in `slices` that alternate.

    `jobs` is how many jobs are refunded in each slice. `clients` are the numbers of connections of which
    pgbench's best one counts. `readers` listen to what happens.
    """

    name: str
    seconds: float = 10.0
    concurrency: int = 256
    owners: int = 256
    jobs: int = 10_000
    clients: tuple[int, ...] = (1, 8, 16)
    readers: int = 1_000

    def __post_init__(self) -> None:
        """Refuse what cannot be measured, by the name of its option."""
        _check("--seconds", self.seconds, 0.1, SECONDS_MAX)
        _check("--concurrency", self.concurrency, 1, CONCURRENCY_MAX)
        _check("--owners", self.owners, 1, OWNERS_MAX)
        _check("--jobs", self.jobs, 1, JOBS_MAX)
        _check("--readers", self.readers, 1, READERS_MAX)
        if not self.clients:
            raise BenchError("--baseline-clients takes at least one number.")
        for clients in self.clients:
            _check("--baseline-clients", clients, 1, CLIENTS_MAX)

    @property
    def slices(self) -> int:
        """How many slices are measured of each side; their median counts."""
        if self.seconds < 3:
            return 1
        # a slice of refunds ends with its jobs, however long that takes
        return 3 if self.seconds < 5 or self.name == "refund" else 5

    @property
    def slice_seconds(self) -> float:
        """How long a slice is."""
        return self.seconds / self.slices

    @property
    def warm_up_seconds(self) -> float:
        """How long each side runs before it counts."""
        return min(1.0, self.slice_seconds)


def clients_of(text: str | None, concurrency: int) -> tuple[int, ...]:
    """Read `1,8,16`; left out, one caller is compared with one client, more with the best of three."""
    if text is None:
        return (1,) if concurrency == 1 else (1, 8, 16)
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise BenchError(f"--baseline-clients takes numbers such as 1,8,16, not {text!r}.") from None


def _check(option: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise BenchError(f"{option} takes {low:g} to {high:,.0f}, not {value:g}.")
