"""The rules of the queues in the store: limits, shares and pauses, which every dispatcher obeys."""

from datetime import datetime
from typing import Protocol

from makegood.fairness import Keep, Rule, Scope


class Rules(Protocol):
    """Limits, shares and pauses by (scope, name); names of pools and job types must be known to the store."""

    async def limit(
        self,
        scope: Scope,
        name: str,
        *,
        actor: str,
        running_max: int | Keep | None,
        weight: float | Keep | None,
        oldest_every: int | Keep | None,
    ) -> Rule:
        """Set what is not KEEP and return the rule; None takes a value away. What runs already goes on.
        Raises InvalidRequest for an unknown pool or job type."""

    async def pause(
        self, scope: Scope, name: str, *, actor: str, reason: str, until: datetime | None = None
    ) -> Rule:
        """Let nothing of it be started until *until*, or until it is resumed, and return the rule; a pause
        under way gets the new reason and end. Raises InvalidRequest for an unknown pool or job type, and for
        an end that has passed."""

    async def resume(self, scope: Scope, name: str, *, actor: str) -> bool:
        """End a pause; return whether there was one. Raises InvalidRequest for an unknown pool or type."""

    async def close(
        self, type: str, *, times: int, within_seconds: float, actor: str, reason: str
    ) -> Rule | None:
        """Pause a job type and let it take no new jobs until it is resumed, if *times* of its jobs in a row
        were refused with evidence whose detail names it as `job_type`, none accepted in between, and all
        within *within_seconds* and since its rule was changed last. Return the rule, None if nothing
        changes."""

    async def closed(self) -> dict[str, str]:
        """Return the job types that are closed, each with the reason."""

    async def all(self) -> list[Rule]:
        """Return every rule that says something, by scope and name."""
