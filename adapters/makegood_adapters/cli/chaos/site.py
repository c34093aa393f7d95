"""The simulated RunningHub of a chaos run: every fault on at once, drawn from the seed."""

import random
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal, get_args, get_origin, get_type_hints

from makegood_adapters.cli.chaos.plan import DRAINING_SECONDS, Plan
from makegood_adapters.cli.stage import account_at
from makegood_adapters.runninghub.simulator import Account, Habits, Odds, Pace, Simulator

#: Seconds; hours of a real site in seconds, in the same proportions as the engines' times. No task is shorter
#: than the longest gap between two counts, or it could come and go unseen.
_PACE = Pace(
    queued_seconds=0.4,
    running_seconds=1.4,
    spread=0.4,
    cancel_seconds=0.1,
    webhook_retry_seconds=0.5,
    webhook_timeout_seconds=3,
)
_SLOW_SECONDS, _UNSEEN_SECONDS = 1.5, 0.2
#: The site takes more than our slots, so that only the engine keeps to them.
_ROOMIER = 4
_EXCLUSIVE_SLOTS = 3


def keys_of(plan: Plan) -> dict[str, int]:
    """Return the API keys of the run, and how many slots of ours each has.

    The first is exclusive and small, as such accounts are: counting its tasks takes a moment without change.
    """
    left, found = plan.slots, {}
    for number in range(plan.accounts):
        share = left // (plan.accounts - number)
        slots = min(share, _EXCLUSIVE_SLOTS) if number == 0 and plan.accounts > 1 else share
        found[f"chaos-key-{number}"] = slots
        left -= slots
    return found


def habits_of(plan: Plan) -> Habits:
    """Return how this site speaks: of the variants of each word, type and code one is drawn from the seed."""
    chance = random.Random(f"habits of {plan.seed}")
    drawn: dict[str, Any] = {}
    for name, kind in get_type_hints(Habits).items():
        if get_origin(kind) is Literal:
            drawn[name] = chance.choice(get_args(kind))
        elif kind is bool:
            drawn[name] = chance.random() < 0.5
    return Habits(**{**drawn, "private_uploads": True, "unseen_seconds": _UNSEEN_SECONDS})


def told(habits: Habits) -> dict[str, Any]:
    """Return what is not as the documentation says it."""
    usual = asdict(Habits())
    return {name: value for name, value in asdict(habits).items() if value != usual[name]}


def simulator_of(plan: Plan) -> Simulator:
    """Return the site, not yet open."""
    keys: Mapping[str, int | Account] = {
        key: Account(limit=_ROOMIER * slots, coins=10**9) for key, slots in keys_of(plan).items()
    }
    odds = Odds.all(plan.odds, slow_seconds=_SLOW_SECONDS)
    return Simulator(keys=keys, pace=_PACE, habits=habits_of(plan), odds=odds, seed=plan.seed)


def accounts_of(plan: Plan, url: str) -> list[dict[str, Any]]:
    """Return the accounts of the engines' configuration; nobody else uses the first."""
    return [
        {
            **account_at(url, slots, DRAINING_SECONDS),
            "name": f"account-{number}",
            "api_key": key,
            "exclusive": number == 0,
        }
        for number, (key, slots) in enumerate(keys_of(plan).items())
    ]
