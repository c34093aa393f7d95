"""A tool with a machine of its own, and a family of job types made up by seed."""

import random
from datetime import timedelta
from typing import Any

from makegood import BaseJob, Completion, DeclarationError, Empty, Event, Failure, Money, State
from makegood.machine import Arrow

HEAD = """name = "portrait"
version = 1
label = "Portrait"
extends = "base@1"
pool = "studio"
price = 40
request = "inputs"
"""
REVIEW = """
[inputs.prompt]
kind = "text"
required = true

[states.in_review]
deadline_seconds = 172_800
label = "a person looks"

[events.deliver]
from = "running"
to = "in_review"

[events.approve]
permission = "portraits:approve"
edges = [{ from = "in_review", to = "completed", money = "capture" }]

[events.decline]
from = ["in_review"]
to = "failed"
money = "release"
"""
PORTRAIT = HEAD + REVIEW


def made_up(seed: int) -> type[BaseJob] | None:
    """Return a job type that extends the base at random, None where that cannot be proved."""
    dice = random.Random(seed)
    members: dict[str, Any] = {"name": f"made_up_{seed}", "version": dice.randint(1, 9)}
    states = dict(BaseJob.states())
    for name in dice.sample([*states], 2):
        if not states[name].final:
            members[name] = states[name].with_deadline(timedelta(seconds=dice.choice([0.5, 30, 5400])))
    for i in range(dice.randint(0, 3)):
        # A state of the base's kind after the slot: entered with the price held, left both ways.
        states[f"step_{i}"] = members[f"step_{i}"] = State(
            deadline=timedelta(seconds=dice.randint(1, 10**6)),
            label=dice.choice(["", 'a "step" \\ é', "line\nbreak \x7f"]),
            public=dice.choice(["", "running", "queued"]),
        )
        before = states["running"] if i == 0 else states[f"step_{i - 1}"]
        members[f"enter_{i}"] = Event(before >> states[f"step_{i}"], permission=dice.choice(["", "a:b"]))
        leave = (states[f"step_{i}"] >> states["failed"]).with_money(Money.RELEASE)
        if dice.random() < 0.7:
            leave |= (states[f"step_{i}"] >> states["completed"]).with_money(Money.CAPTURE)
        members[f"leave_{i}"] = Event(
            (states[f"step_{i}"] >> states["cancelled"]), money=dice.choice([Money.RELEASE, Money.POLICY])
        )
        for j, move in enumerate(leave.moves):
            members[f"end_{i}_{j}"] = Event(Arrow((move,)), dice.choice([Failure, Completion, Empty]))
    if dice.random() < 0.5:
        members["complete"] = Event(states["running"] >> states["completed"], Completion, money=Money.CAPTURE)
    ways = [(event, source) for event in BaseJob.events().values() for source, _, _ in event.arrow.moves]
    drop = dice.sample(ways, dice.randint(0, 2))
    try:
        made: type[BaseJob] = type(f"MadeUp{seed}", (BaseJob,), members, drop=drop)
    except DeclarationError:
        return None
    return made
