"""Limits, shares and pauses in memory."""

from dataclasses import replace
from datetime import datetime, timedelta

from makegood.fairness import EVERYBODY, Keep, Rule, Scope, over, unknown
from makegood_adapters.memory.admission import is_paused
from makegood_adapters.memory.tables import Tables


class MemoryRules:
    """The port `Rules`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

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
        """Set what is not to be kept, and return the rule."""
        rule = self._rule(scope, name, actor)
        return self._put(
            replace(
                rule,
                running_max=rule.running_max if isinstance(running_max, Keep) else running_max,
                weight=rule.weight if isinstance(weight, Keep) else weight,
                oldest_every=rule.oldest_every if isinstance(oldest_every, Keep) else oldest_every,
            )
        )

    async def pause(
        self, scope: Scope, name: str, *, actor: str, reason: str, until: datetime | None = None
    ) -> Rule:
        """Begin a pause, or change its reason and end."""
        rule = self._rule(scope, name, actor)
        if self._tables.passed(until):
            raise over(until or self._tables.now())
        goes_on = is_paused(self._tables, rule)
        since, closed = (rule.paused_at, rule.closed) if goes_on else (self._tables.now(), False)
        return self._put(replace(rule, paused_at=since, paused_until=until, reason=reason, closed=closed))

    async def resume(self, scope: Scope, name: str, *, actor: str) -> bool:
        """End a pause; return whether there was one."""
        rule = self._tables.rules.get((scope, name))
        if rule is None or not is_paused(self._tables, rule):
            self._check_known(scope, name)
            return False
        self._put(replace(_going(rule), actor=actor, changed_at=self._tables.now()))
        return True

    async def close(
        self, type: str, *, times: int, within_seconds: float, actor: str, reason: str
    ) -> Rule | None:
        """Close a job type whose last jobs were refused for its own sake."""
        rule, now = self._rule(Scope.TYPE, type, actor), self._tables.now()
        refused = [at for at in self._tables.refused[type] if at > now - timedelta(seconds=within_seconds)]
        paused = is_paused(self._tables, rule)
        if len(refused) < times or (paused and rule.closed):
            return None
        since = rule.paused_at if paused else now
        return self._put(replace(rule, paused_at=since, paused_until=None, reason=reason, closed=True))

    async def closed(self) -> dict[str, str]:
        """Return the job types that are closed."""
        return {rule.name: rule.reason or "" for rule in await self.all() if rule.closed}

    async def all(self) -> list[Rule]:
        """Return every rule that says something."""
        found = []
        for rule in self._tables.rules.values():
            told = rule
            if not is_paused(self._tables, rule):
                told = _going(rule)
            if (told.running_max, told.weight, told.oldest_every, told.paused_at) != (None, None, None, None):
                found.append(told)
        return sorted(found, key=lambda rule: (rule.scope, rule.name))

    def _rule(self, scope: Scope, name: str, actor: str) -> Rule:
        """Return the rule as it is to be changed by *actor* now."""
        self._check_known(scope, name)
        rule = self._tables.rules.get((scope, name))
        now = self._tables.now()
        if rule is None:
            return Rule(scope=scope, name=name, actor=actor, changed_at=now)
        return replace(rule, actor=actor, changed_at=now)

    def _check_known(self, scope: Scope, name: str) -> None:
        known = {
            Scope.POOL: {row.account.pool for row in self._tables.accounts.values()},
            Scope.TYPE: {type for type, _ in self._tables.specs},
        }
        if scope is not Scope.OWNER and name not in (EVERYBODY, *known[scope]):
            raise unknown(scope, name, sorted(known[scope]))

    def _put(self, rule: Rule) -> Rule:
        self._tables.rules[rule.scope, rule.name] = rule
        if rule.scope is Scope.TYPE:
            self._tables.refused.pop(rule.name, None)
        return rule


def _going(rule: Rule) -> Rule:
    return replace(rule, paused_at=None, paused_until=None, reason=None, closed=False)
