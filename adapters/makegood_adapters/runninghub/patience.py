"""Repeat questions to RunningHub, within bounds; a create call never comes here."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

import stamina
from aiolimiter import AsyncLimiter

from makegood_adapters.exchange import Exchange, NoReply
from makegood_adapters.runninghub.codes import Endpoint, interpret
from makegood_adapters.runninghub.replies import code_of, state_of

_log = logging.getLogger(__name__)

#: HTTP statuses that the same question will get again.
_SETTLED: Final = frozenset({301, 302, 303, 307, 308, 400, 404, 405, 411, 413, 414, 415})
_BACKOFF_BASE: Final = 2.0


class Patience:
    """How often, how fast and for how long one question is asked.

    It is asked at most *tries* times within *seconds*, with pauses that double from *first_seconds*, each
    made longer by chance; a Retry-After of at most *wish_seconds_max* is kept to, one that is longer ends
    the question. *calls_per_second* bounds all questions of the account together; None: no bound, since
    RunningHub publishes none.
    """

    def __init__(
        self,
        *,
        tries: int = 4,
        first_seconds: float = 0.25,
        seconds: float = 20.0,
        wish_seconds_max: float = 10.0,
        calls_per_second: float | None = None,
    ) -> None:
        if calls_per_second is not None and not calls_per_second > 0:
            raise ValueError(f"calls_per_second must be more than 0, not {calls_per_second}")
        self._tries, self._first_seconds, self._seconds = tries, first_seconds, seconds
        self._wish_seconds_max = wish_seconds_max
        # Where less than one call a second is allowed, one call takes several.
        self._limiter = calls_per_second and AsyncLimiter(
            max(1.0, calls_per_second), max(1.0, 1 / calls_per_second)
        )

    async def ask(self, call: Callable[[], Awaitable[Exchange]], seconds: float | None = None) -> Exchange:
        """Return the first exchange that settles the question, or the last; *seconds* is another bound."""
        seconds = seconds or self._seconds
        last: Exchange = NoReply(f"no answer within {seconds:g} s", sent=True)
        try:
            async with asyncio.timeout(seconds):
                async for attempt in stamina.retry_context(
                    on=self._pause,
                    attempts=self._tries,
                    timeout=seconds,
                    wait_initial=self._first_seconds,
                    wait_max=self._first_seconds * _BACKOFF_BASE**self._tries,
                    wait_jitter=self._first_seconds,
                    wait_exp_base=_BACKOFF_BASE,
                ):
                    with attempt:
                        last = await self._once(call)
                        if _may_pass(last):
                            raise _AskAgain(last)
        except (_AskAgain, TimeoutError):
            pass  # `last` is what there is to say
        return last

    async def _once(self, call: Callable[[], Awaitable[Exchange]]) -> Exchange:
        async with AsyncExitStack() as turn:
            if self._limiter:
                await turn.enter_async_context(self._limiter)
            return await call()

    def _pause(self, error: Exception) -> bool | float:
        """Tell stamina whether, or after how many seconds, to ask again."""
        if not isinstance(error, _AskAgain):
            return False
        _log.debug("RunningHub: no answer, to be asked again: %s", error)
        wish = getattr(error.exchange, "retry_after_seconds", None)
        return True if wish is None else wish <= self._wish_seconds_max and max(wish, self._first_seconds)


class _AskAgain(Exception):
    """The exchange was no answer, and the next one may be."""

    def __init__(self, exchange: Exchange) -> None:
        code = "" if isinstance(exchange, NoReply) or exchange.body is None else code_of(exchange.body)
        super().__init__(exchange.problem or f"code {code}")
        self.exchange = exchange


def _may_pass(exchange: Exchange) -> bool:
    if isinstance(exchange, NoReply):
        return True
    if exchange.body is None:
        return exchange.status not in _SETTLED
    if exchange.status == 429 or exchange.status >= 500:
        return True
    # A task that has failed is an answer, though its code may be one of those that pass.
    return not state_of(exchange.body) and interpret(Endpoint.READ, code_of(exchange.body)).passing
