"""Try every situation that the rules of a tool file can tell apart: each has an app, each rule is used."""

import itertools
import math
from collections.abc import Iterator

from makegood.machine import Problem
from makegood_adapters.toolfiles.apps import App, Source
from makegood_adapters.toolfiles.conditions import Scalar, When
from makegood_adapters.toolfiles.format import Tool
from makegood_adapters.toolfiles.inputs import Sample, samples

#: Rules are proved by trying all situations that they can tell apart; more than this is refused.
SITUATIONS_MAX = 20_000

Situation = dict[str, object]


def unproved(tool: Tool) -> list[Problem]:
    """Return what is wrong with the rules of *tool*, whose names and values are right."""
    asked = _asked(tool)
    if math.prod(map(len, asked.values())) > SITUATIONS_MAX:
        told = (
            f"the conditions tell more than {SITUATIONS_MAX:,} situations apart, too many to prove "
            "that each has an app; ask about fewer inputs or values"
        )
        return [Problem("MG509", told)]
    used: set[str] = set()
    without_app: list[Situation] = []
    for combination in itertools.product(*asked.values()):
        pairs = zip(asked, combination, strict=True)
        situation = {name: value for name, value in pairs if value is not Sample.MISSING}
        if any(_is_refused(tool, name, situation) for name in asked):
            continue
        taken = _taken(tool, situation)
        used |= taken
        if tool.apps and not any(where in taken for where, _ in apps_of(tool, "apps")):
            without_app.append(situation)
    return [*_unused(tool, used), *_uncovered(tool, without_app)]


def whens(tool: Tool) -> Iterator[tuple[str, When]]:
    """Yield every condition with its place in the file."""
    for name, spec in tool.inputs.items():
        if spec.needed_when is not None:
            yield f"inputs.{name}.needed_when", spec.needed_when
    yield from _price_rules(tool)
    for where, app in (*apps_of(tool, "apps"), *apps_of(tool, "fallbacks")):
        yield where, app.when
        for part in app.parts:
            yield part_of(where, part), part.when


def apps_of(tool: Tool, key: str) -> list[tuple[str, App]]:
    """Return the apps, or those for a second try, with their places in the file."""
    found = tool.apps if key == "apps" else tool.fallbacks
    return [(f"{key} #{i + 1} ({', '.join(app.target.values())})", app) for i, app in enumerate(found)]


def part_of(where: str, part: Source) -> str:
    """Return the place of a node or parameter of the app at *where*."""
    return f"{where}, {part.place}"


def toml(value: object) -> str:
    """Write a value as a file has it."""
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _is_refused(tool: Tool, name: str, situation: Situation) -> bool:
    """Whether no job comes to be in the *situation*, since it lacks an input that it needs."""
    needed = tool.inputs[name].needed_when
    return needed is not None and name not in situation and needed.holds(situation)


def _taken(tool: Tool, situation: Situation) -> set[str]:
    """Return the places in the file that are used in one situation."""
    taken: set[str] = set()
    # A fixed price comes first; only a job without one is measured.
    for where, when in _price_rules(tool):
        if when.holds(situation):
            taken.add(where)
            break
    for key in ("apps", "fallbacks"):
        for where, app in apps_of(tool, key):
            if app.when.holds(situation):
                taken.add(where)
                taken.update(part_of(where, part) for part in app.parts if part.when.holds(situation))
                break
    for name, spec in tool.inputs.items():
        if spec.needed_when is not None and spec.needed_when.holds(situation):
            taken.add(f"inputs.{name}.needed_when")
    return taken


def _unused(tool: Tool, used: set[str]) -> Iterator[Problem]:
    late = "can never be chosen, the entries before it take all it could; move it up or remove it"
    for where, _ in _price_rules(tool):
        if where not in used:
            yield Problem("MG507", f"{where}: {late}")
    for name, spec in tool.inputs.items():
        if spec.needed_when is not None and (where := f"inputs.{name}.needed_when") not in used:
            yield Problem("MG507", f"{where}: it never holds; repair it")
    for where, app in (*apps_of(tool, "apps"), *apps_of(tool, "fallbacks")):
        if where not in used:
            yield Problem("MG507", f"{where}: {late}")
            continue
        for part in app.parts:
            if part_of(where, part) not in used:
                told = f"{part_of(where, part)}: its `when` never holds where this app runs; repair it"
                yield Problem("MG507", told)


def _uncovered(tool: Tool, situations: list[Situation]) -> Iterator[Problem]:
    if situations:
        asked = dict.fromkeys(condition.input for app in tool.apps for condition in app.when)
        case = ", ".join(f"{name} = {_value(situations[0].get(name))}" for name in asked)
        told = (
            f"apps: none takes {case}; add one that does, or leave `when` out of the last one, "
            "so that it takes the rest"
        )
        yield Problem("MG508", told)


def _asked(tool: Tool) -> dict[str, list[object]]:
    """Return what to try of each input that a condition asks about."""
    values: dict[str, list[Scalar]] = {}
    for _, when in whens(tool):
        for condition in when:
            values.setdefault(condition.input, []).extend(condition.values)
    return {name: samples(tool.inputs[name], found) for name, found in values.items()}


def _price_rules(tool: Tool) -> Iterator[tuple[str, When]]:
    """Yield the rules of the price in the order in which they are asked."""
    for i, rule in enumerate(tool.price.rules):
        yield f"price.rules #{i + 1}", rule.when
    for i, rate in enumerate(tool.price.per_unit.rules if tool.price.per_unit else ()):
        yield f"price.per_unit.rules #{i + 1}", rate.when


def _value(value: object) -> str:
    if value is None:
        return "missing"
    return value.value if isinstance(value, Sample) else toml(value)
