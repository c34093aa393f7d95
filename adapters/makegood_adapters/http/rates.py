"""How often who may call, counted in the memory of this process, which is bounded however many call."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from limits import RateLimitItem, parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from makegood_adapters.access import LimitsConfig
from makegood_adapters.http.addresses import limited_as
from makegood_adapters.http.callers import Caller, CallerKind
from makegood_adapters.http.problems import ApiProblem

#: Of so many callers of one kind the windows are remembered; who called longest ago is forgotten first.
CALLERS_MAX = 20_000
_REQUESTS = "requests"


class BoundedStorage(Storage):
    """Counts of windows, each of which begins with the first call in it.

    The storage in memory that the library brings has no bound, starts a thread to forget, and cannot be told
    the time.
    """

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float], names_max: int) -> None:
        super().__init__()
        self._clock, self._names_max = clock, names_max
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        """Name the errors of the storage: it has none."""
        return ()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count *amount* in the window of *key* and return the sum."""
        now = self._clock()
        count, ends = self._windows.get(key, (0, 0.0))
        if ends <= now:
            count, ends = 0, now + expiry
        self._windows[key] = count + amount, ends
        self._windows.move_to_end(key)
        while len(self._windows) > self._names_max:
            self._windows.popitem(last=False)
        return count + amount

    def get(self, key: str) -> int:
        """Return the sum in the window of *key*."""
        count, ends = self._windows.get(key, (0, 0.0))
        return count if ends > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        """Return when the window of *key* ends."""
        now = self._clock()
        return max(self._windows.get(key, (0, now))[1], now)

    def check(self) -> bool:
        """Say that memory is there."""
        return True

    def reset(self) -> int | None:
        """Forget all."""
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        """Forget the window of *key*."""
        self._windows.pop(key, None)


class Rates:
    """Counts calls against the budgets of a configuration; *clock* gives seconds that never go back."""

    def __init__(
        self,
        config: LimitsConfig,
        clock: Callable[[], float] = time.monotonic,
        *,
        callers_max: int = CALLERS_MAX,
    ) -> None:
        self._clock = clock
        # One for each kind, so that a crowd of addresses makes nobody forgotten who has shown who it is.
        self._owners = _Budgets(config.of_user, clock, callers_max)
        self._services = _Budgets(config.of_service, clock, callers_max)
        self._addresses = _Budgets(config.of_address, clock, callers_max)
        self._failures = _Budgets({"failures": parse(config.failures)}, clock, callers_max)

    def count(self, caller: Caller, cost: str) -> None:
        """Count a call; one for an owner spends what the owner has. Raises ApiProblem("rate_limited")."""
        if caller.owner is not None:
            self._owners.spend(caller.owner, cost)
        elif caller.kind is CallerKind.SERVICE:
            self._services.spend(caller.name or "", cost)
        else:
            self._addresses.spend(limited_as(caller.address), cost)

    def count_failure(self, address: str) -> None:
        """Count credentials from *address* that are not valid. Raises ApiProblem("rate_limited")."""
        self._failures.spend(limited_as(address), "failures")


class _Budgets:
    """The budgets of one kind of callers."""

    def __init__(
        self, rates: Mapping[str, RateLimitItem], clock: Callable[[], float], callers_max: int
    ) -> None:
        self._rates, self._clock = rates, clock
        self._limiter = FixedWindowRateLimiter(BoundedStorage(clock, callers_max))

    def spend(self, name: str, cost: str) -> None:
        if cost not in self._rates:
            cost = _REQUESTS
        rate = self._rates[cost]
        if self._limiter.hit(rate, cost, name):
            return
        ends, left = self._limiter.get_window_stats(rate, cost, name)
        seconds = max(1, math.ceil(ends - self._clock()))
        raise ApiProblem(
            "rate_limited",
            f"At most {rate.amount:,} {cost} in {rate.get_expiry():,} seconds are served; "
            f"come again in {seconds} s.",
            retry_after=seconds,
            headers={
                "RateLimit-Policy": f'"{cost}";q={rate.amount};w={rate.get_expiry()}',
                "RateLimit": f'"{cost}";r={left};t={seconds}',
            },
        )
