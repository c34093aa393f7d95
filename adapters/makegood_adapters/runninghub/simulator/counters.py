"""What the simulator counts, for whoever checks a client from outside."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from makegood_adapters.runninghub.simulator.request import TaskRequest


@dataclass(slots=True, eq=False)
class Counters:
    """Counts since the start. `creates` are create calls with a valid key, whatever came of them.

    `tasks` were accepted, `refusals` were not, by v1 code. `duplicates` are accepted tasks whose key,
    app or workflow, and nodeInfoList were those of an earlier one: money spent twice, unless the
    same job was meant twice. `coins` were charged. `live_max` is the highest number of live tasks
    of each account, by the key that is named first, next to its limit in `limits`. `webhooks` were
    sent, repetitions included.
    """

    limits: dict[str, int]
    creates: int = 0
    tasks: int = 0
    duplicates: int = 0
    coins: int = 0
    webhooks: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    live_max: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    _seen: set[tuple[object, ...]] = field(default_factory=set, repr=False)

    def accept(self, account: str, request: TaskRequest, live: int) -> None:
        """Count an accepted task; *live* includes it."""
        same = (account, request.kind, request.app, request.nodes)
        self.tasks += 1
        self.duplicates += same in self._seen
        self._seen.add(same)
        self.live_max[account] = max(self.live_max[account], live)

    def to_json(self) -> dict[str, Any]:
        """Return everything; of keys only their number and their last four characters are told."""
        return {
            "creates": self.creates,
            "tasks": self.tasks,
            "duplicates": self.duplicates,
            "coins": self.coins,
            "webhooks": self.webhooks,
            "refusals": dict(self.refusals),
            "calls": dict(self.calls),
            "accounts": [
                {"key": label(number, key), "limit": limit, "live_max": self.live_max[key]}
                for number, (key, limit) in enumerate(self.limits.items(), 1)
            ],
        }


def label(number: int, key: str) -> str:
    """Return how a key is shown."""
    return f"{number} (…{key[-4:]})"
