"""Machines to draw: the base, one with states after the slot, a long one, and a family made up by seed."""

import random
from datetime import timedelta

from makegood.lifecycle import BaseJob, Failure
from makegood.machine import Edge, Event, Money, Spec, State, StateSpec
from makegood.testing.drive import REVIEWED


class LongVideo(BaseJob):
    """Eleven states, two events on one way, a second slot, four ends."""

    uploading = State(deadline=timedelta(hours=1))
    transcoding = State(slot=True, deadline=timedelta(minutes=90))
    awaiting_review = State(deadline=timedelta(days=2), label='a person looks | "at it" <soon>')
    published = State(final=True)
    upload = Event(BaseJob.pending >> uploading)
    accept = Event((BaseJob.pending | uploading) >> BaseJob.queued, money=Money.HOLD)
    refuse = Event((BaseJob.pending | uploading) >> BaseJob.failed, Failure)
    transcode = Event(BaseJob.running >> transcoding)
    deliver = Event((BaseJob.running | transcoding) >> awaiting_review)
    approve = Event(awaiting_review >> published, money=Money.CAPTURE)
    approve_unseen = Event(awaiting_review >> published, money=Money.CAPTURE)
    decline = Event(awaiting_review >> BaseJob.failed, money=Money.RELEASE)
    expire = Event(transcoding >> BaseJob.failed, money=Money.RELEASE)
    withdraw = Event(awaiting_review >> BaseJob.cancelled, money=Money.RELEASE, permission="jobs:withdraw")


LONG = LongVideo.spec


def made_up(seed: int) -> Spec:
    """Return a machine of 3 to 14 states in which all can be reached; its money need not make sense."""
    dice = random.Random(seed)
    inner = [_name(dice, i) for i in range(dice.randint(2, 10))]
    ends = [f"end_{i}" for i in range(dice.randint(1, 4))]
    ways = [(inner[dice.randrange(i)], inner[i]) for i in range(1, len(inner))]
    ways.append((inner[-1], ends[0]))
    ways += [(dice.choice(inner), end) for end in ends]
    for state in inner:
        ways += [(state, dice.choice([*inner, *ends])) for _ in range(dice.randint(0, 3))]
    edges = [
        Edge(f"{dice.choice(['go', 'fail', 'cancel', 'complete_the_review'])}_{i}", a, b, _money(dice))
        for i, (a, b) in enumerate(ways)
        if a != b
    ]
    states = [
        StateSpec(
            name=name,
            initial=i == 0,
            slot=dice.random() < 0.3,
            deadline_seconds=dice.choice([0.5, 30, 5400, 90_061]),
        )
        for i, name in enumerate(inner)
    ]
    return Spec(f"made_up_{seed}", 1, (*states, *(StateSpec(e, terminal=True) for e in ends)), tuple(edges))


def _name(dice: random.Random, number: int) -> str:
    return f"{dice.choice(['x', 'wait', 'review', 'a_rather_long_name_for_a_state'])}_{number}"


def _money(dice: random.Random) -> Money:
    found: Money = dice.choice([Money.NONE, Money.NONE, *Money])
    return found


SPECS = (BaseJob.spec, REVIEWED, LONG, *(made_up(seed) for seed in range(25)))
