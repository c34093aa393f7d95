"""Mishaps by probability: each one happens, together they are the same for a seed, and all have tests."""

import ast
import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.errors import MakegoodError
from makegood.outcome import Accepted, Rejected, Uncertain
from makegood_adapters.runninghub.simulator import Account, Faults, Habits, Match, Odds, Pace, Rule
from makegood_adapters.runninghub.simulator.odds import GROUPS, Draw
from tests.adapters.simulated_site import KEY, open_site, png


def _value(hint: Any) -> Any:
    """Return a value, other than the default, that a field of this type may have."""
    if get_origin(hint) is Literal:
        return get_args(hint)[-1]
    if get_origin(hint) in (Union, UnionType):
        return _value(get_args(hint)[0])
    return {bool: True, str: "421", int: 201, float: 2.5}[hint]


VALUES = {
    (kind, name): _value(hint) for kind in (Faults, Match) for name, hint in get_type_hints(kind).items()
}
CHANCES = [known.name for known in fields(Odds) if known.name != "slow_seconds"]
CALLS: dict[str, Any] = {"read": "query", "upload": "upload", "file": "download"}


def call_of(name: str) -> Any:
    return CALLS.get(name.split("_")[0], "create")


# Every mishap


@pytest.mark.parametrize("name", CHANCES)
def test_a_mishap_that_is_certain_happens_every_time(name: str) -> None:
    draw = Draw(Odds(**{name: 1.0}), seed=1)
    drawn = [draw.take(call_of(name)) for _ in range(40)]
    assert Faults() not in drawn
    kinds: set[Any] = {"create", "query"} - {call_of(name)}
    others = [Draw(Odds(**{name: 1.0}), seed=1).take(call) for call in kinds]
    assert set(others) <= {Faults()}


@pytest.mark.parametrize("name", CHANCES)
def test_a_mishap_that_is_rare_is_rare(name: str) -> None:
    draw = Draw(Odds(**{name: 0.1}), seed=1)
    happened = sum(draw.take(call_of(name)) != Faults() for _ in range(1000))
    assert 60 < happened < 140


def test_every_form_of_a_mishap_is_drawn() -> None:
    for call, groups in {**GROUPS, "query": (dict(_reads()),)}.items():
        for name, forms in itertools.chain.from_iterable(group.items() for group in groups):
            draw = Draw(Odds(**{name: 1.0}, slow_seconds=1), seed=3)
            assert {draw.take(call) for _ in range(400)} == set(forms)  # type: ignore[arg-type]  # a call


def _reads() -> Iterator[tuple[str, tuple[Faults, ...]]]:
    from makegood_adapters.runninghub.simulator import odds

    return iter(odds._READ.items())


def test_slow_is_as_slow_as_wanted() -> None:
    draw = Draw(Odds(create_slow=1.0, slow_seconds=3.5), seed=1)
    assert draw.take("create").reply_seconds == 3.5


def test_the_same_seed_and_order_give_the_same_mishaps() -> None:
    calls: list[Any] = random.Random(5).choices(["create", "query", "upload", "download"], k=300)

    def drawn(seed: int) -> list[Faults]:
        draw = Draw(Odds.all(0.1), seed)
        return [draw.take(call) for call in calls]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_another_kind_of_call_changes_nothing_for_this_one() -> None:
    alone, among = Draw(Odds.all(0.2), 1), Draw(Odds.all(0.2), 1)
    for _ in range(50):
        among.take("query")
        assert alone.take("create") == among.take("create")


async def test_what_is_told_counts_more_than_what_is_drawn() -> None:
    async with open_site(odds=Odds(create_dropped=1.0)) as site:
        site.sim.add(Rule(faults=Faults(text="fine")))
        assert isinstance(await site.submit(), Accepted)
        assert isinstance(await site.submit(), Uncertain)


async def test_everything_at_once_is_answered_by_the_adapter_with_values() -> None:
    """Two hundred jobs at a site where half of all creates go wrong: nothing raises what it must not."""
    odds = Odds.all(0.05, slow_seconds=0.001)
    async with open_site(limit=300, odds=odds, seed=7) as site:
        outcomes = []
        for number in range(200):
            try:
                outcomes.append(await site.submit(png(colour=f"#{number:06x}"), webhook=site.receiver.url))
            except MakegoodError:
                outcomes.append(None)  # the upload
        kinds = {type(outcome) for outcome in outcomes}
        assert kinds >= {Accepted, Rejected, Uncertain}
        counters = site.sim.counters
        assert counters.creates == sum(outcome is not None for outcome in outcomes)
        assert counters.duplicates == 0
        accepted = sum(isinstance(outcome, Accepted) for outcome in outcomes)
        assert accepted < counters.tasks < counters.creates
        for task in site.sim.tasks:
            await site.ended(task)
        assert counters.coins == sum(task.charged for task in site.sim.tasks) > 0
        assert counters.live_max[KEY] <= counters.limits[KEY]


# Bad input


@pytest.mark.parametrize(
    ("kind", "value", "names"),
    [
        (Odds, {"create_dropped": 2}, "create_dropped"),
        (Odds, {"crate_dropped": 0.5}, "crate_dropped"),
        (Habits, {"cancel_word": "STOPPED"}, "cancel_word"),
        (Habits, {"unseen_seconds": -1}, "unseen_seconds"),
        (Account, {"limit": "3"}, "limit"),
        (Account, {"type": "FREE"}, "type"),
        (Pace, {"queued_seconds": "long"}, "queued_seconds"),
        (Rule, {"faults": {"reply": "odd"}}, "faults.reply"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_sentence(kind: Any, value: Any, names: str) -> None:
    with pytest.raises(ValueError, match=rf"^{names}: .*\(got .*\)\.$"):
        kind.from_json(value)


def test_settings_travel_as_json() -> None:
    assert Odds.from_json({"read_busy": 0.5}) == Odds(read_busy=0.5)
    assert Habits.from_json({"ids": "number"}) == Habits(ids="number")
    assert Account.from_json({"limit": 2, "coins": 5}) == Account(limit=2, coins=5)
    assert Pace.from_json({"speed": 10}) == Pace(speed=10)


@given(data=st.data())
def test_a_rule_comes_back_from_json_as_it_went(data: st.DataObject) -> None:
    """A rule that one process makes is the rule that another one gets."""

    def some(kind: type[Faults] | type[Match], names: list[str]) -> Any:
        chosen = data.draw(st.sets(st.sampled_from(names)))
        return kind(**{name: VALUES[kind, name] for name in chosen})

    faults = some(Faults, [known.name for known in fields(Faults)])
    match = some(Match, [known.name for known in fields(Match)])
    rule = Rule(faults=faults, match=match, times=data.draw(st.sampled_from([1, 7, None])))
    assert Rule.from_json(json.loads(json.dumps(asdict(rule)))) == rule


# Every knob has a test

KNOBS = [
    (kind, known.name) for kind in (Faults, Match, Rule, Habits, Account, Pace) for known in fields(kind)
]
OPTIONS = [
    (kind, name, option)
    for kind in (Faults, Match, Habits, Account)
    for name, hint in get_type_hints(kind).items()
    for option in get_args(hint if get_origin(hint) is Literal else next(iter(get_args(hint)), None))
    if isinstance(option, str)
]
HERE = Path(__file__).parent
#: How fast a file is taken in is seen by who sends it.
TESTS = [*sorted(HERE.glob("test_simulator*.py")), HERE / "test_outgoing.py"]


def _written() -> tuple[set[str], set[object]]:
    """Return the names of arguments and the texts that the tests of the simulator write."""
    names: set[str] = set()
    texts: set[object] = set()
    for path in TESTS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg is not None:
                names.add(node.arg)
            elif isinstance(node, ast.Constant):
                texts.add(node.value)
    return names, texts


def test_every_knob_is_turned_by_a_test() -> None:
    assert len(KNOBS) > 60
    names, _ = _written()
    assert not [f"{kind.__name__}.{name}" for kind, name in KNOBS if name not in names]


def test_every_option_of_a_knob_is_chosen_by_a_test() -> None:
    assert len(OPTIONS) > 40
    _, texts = _written()
    assert not [f"{kind.__name__}.{name}={option}" for kind, name, option in OPTIONS if option not in texts]
