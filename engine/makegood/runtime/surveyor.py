"""Ask each provider now and then how its account is doing: how many tasks it may have, and has."""

import asyncio
import logging
import math
import random
from dataclasses import replace

from makegood.errors import ProviderRefused, ProviderUnavailable
from makegood.job import Occupancy
from makegood.mover import DISPATCH, POLL
from makegood.outcome import Capacity
from makegood.runtime.context import Context
from makegood.runtime.crew import Crew
from makegood.runtime.openness import read_openness

log = logging.getLogger("makegood.surveyor")

#: A count of tasks that are not ours is taken for true for so many surveys.
_SURVEYS = 3
#: Pause between two looks whether an account has come for types of which nobody could run a job.
_UNSERVED_SECONDS = 5.0
#: More tasks no account has; and no store counts further.
_TASKS_MAX = 2**31 - 1


class Surveyor:
    """What a provider tells of an account is kept where all workers see it; one of them asks at a time.

    Where it counts more tasks than we do, those of others take places; where it counts fewer for long, all of
    ours are asked about, since some may be over. Either is told.
    """

    name = "surveyor"
    topic = "surveyor"

    def __init__(self, context: Context) -> None:
        self._context = context
        self.crew = Crew(context.settings.batch_max, lambda: context.wakeups.wake(self.topic))
        self._said: dict[tuple[str, str], object] = {}
        self._opened_read_at = -math.inf

    async def turn(self) -> bool:
        """Start a question about each account whose turn it is, and learn which job types are closed."""
        context = self._context
        await self._read_openness()
        if not (context.accounts and self.crew.room):
            return False
        pause = context.settings.survey_interval_seconds * random.uniform(0.8, 1.2)
        for name in await context.store.attempts.to_survey(context.accounts, pause):
            features = context.provider(name).features
            if features.tells_limit or features.counts_tasks:
                self.crew.start(self._survey(name), f"survey {name}")
        return False

    async def _read_openness(self) -> None:
        now, pause = asyncio.get_running_loop().time(), self._context.settings.survey_interval_seconds
        if self._context.catalog.unserved:
            pause = min(pause, _UNSERVED_SECONDS)
        if now - self._opened_read_at >= pause:
            await read_openness(self._context)
            self._opened_read_at = now

    async def _survey(self, name: str) -> None:
        context = self._context
        mark = await context.store.attempts.mark(name)
        try:
            async with asyncio.timeout(context.settings.ask_timeout_seconds):
                told = _sane(await context.provider(name).capacity())
        except (ProviderUnavailable, ProviderRefused, TimeoutError) as error:
            why = str(error) or "no answer in time"
            log.warning("the provider tells nothing of account %s: %s", name, why)
            await context.store.attempts.unanswered(name, why)
            return
        valid = _SURVEYS * context.settings.survey_interval_seconds
        await context.store.attempts.surveyed(name, told, mark=mark, valid_seconds=valid)
        context.wakeups.wake(DISPATCH)
        await self._compare(name, told)

    async def _compare(self, name: str, told: Capacity) -> None:
        """Tell, once, that the provider has another limit or another count than we have."""
        context = self._context
        use = next(use for use in await context.store.attempts.occupancy() if use.account == name)
        if told.limit is not None and use.configured not in (None, told.limit):
            text = "provider account %s is configured for %s tasks at a time, its provider says %s"
            self._say_once(name, told.limit, text, name, use.configured, told.limit)
        if use.foreign:
            text = "account %s has %s tasks at its provider that are not ours; they take places"
            self._say_once(name, use.differs_since, text, name, use.foreign, level=logging.INFO)
        fewer = 2 * self._context.settings.survey_interval_seconds
        if asked := await self._context.store.attempts.ask_all(name, fewer):
            text = "the provider counts %s tasks of account %s, fewer than we do: all %s are asked about"
            log.warning(text, told.in_use, name, asked)
            self._context.wakeups.wake(POLL)
        if self._is_exclusive(name) and await self._differs_for_long(use):
            text = "the provider counts %s tasks of account %s, which is used by us alone; we count %s"
            self._say_once(name, use.differs_since, text, told.in_use, name, use.open)

    async def _differs_for_long(self, use: Occupancy) -> bool:
        if use.differs_since is None:
            return False
        now = await self._context.store.now()
        return (now - use.differs_since).total_seconds() >= self._context.settings.count_differs_seconds

    def _is_exclusive(self, name: str) -> bool:
        return any(account.exclusive for account in self._context.providers if account.name == name)

    def _say_once(
        self, name: str, about: object, text: str, *values: object, level: int = logging.WARNING
    ) -> None:
        if self._said.get((name, text)) != about:
            self._said[name, text] = about
            log.log(level, text, *values)


def _sane(told: Capacity) -> Capacity:
    """Return *told*; ProviderUnavailable for numbers that no account can have: they are no answer."""
    for number in (told.limit, told.in_use):
        if number is not None and not (type(number) is int and 0 <= number <= _TASKS_MAX):
            raise ProviderUnavailable(
                f"it says that the account may have {told.limit!r} tasks at a time, and has {told.in_use!r}"
            )
    return told


async def introduce(context: Context) -> None:
    """Make the accounts of this process known to the store."""
    for account, provider in context.providers.items():
        # Without a count by the provider nothing can be proved: then submissions need no turns.
        alone = account.exclusive and provider.features.counts_tasks
        if account.exclusive and not alone:
            log.warning("exclusive has no effect: the provider of %s does not count tasks", account.name)
        known = replace(account, exclusive=alone)
        await context.store.attempts.register(known, context.settings.capacity_grow_seconds)
