"""The part of the engine that keeps what operators did: who, by which key, to what, why, how it went."""

from dataclasses import dataclass

from makegood.errors import InvalidRequest
from makegood.ports import Act, NewAct, Store

#: How many acts one page may have.
ACTS_MAX = 200


@dataclass(frozen=True, slots=True)
class ActPage:
    """Some acts, newest first; `next` is the cursor of the page that follows, None behind the last."""

    acts: tuple[Act, ...]
    next: int | None = None


class Recording:
    """What was done from outside by those who may; `Engine` is one."""

    _store: Store

    async def keep_act(self, act: NewAct) -> None:
        """Keep an act for good, once it was done or refused. Whoever does it says so: a way in, such as the
        API, for all that passes there; the engine's own methods keep none."""
        await self._store.acts.keep(act)

    async def acts(self, *, after: int | None = None, limit: int = 50) -> ActPage:
        """Return acts, newest first, at most *limit* (1 to 200). *after* is the `next` of the page before.
        Raises InvalidRequest."""
        if not 1 <= limit <= ACTS_MAX:
            raise InvalidRequest(f"limit {limit} must be 1 to {ACTS_MAX} acts.")
        if after is not None and after < 1:
            raise InvalidRequest(f"after {after} is no cursor: give the `next` of the page before.")
        found = await self._store.acts.page(limit + 1, after)
        shown = tuple(found[:limit])
        return ActPage(shown, shown[-1].id if len(found) > limit else None)
