"""Find the mistakes of a tool file that no single key shows: names, values, rules that miss inputs."""

import difflib
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator

from makegood.jobtype import JobInput
from makegood.machine import Problem
from makegood_adapters.toolfiles.conditions import Condition, Scalar, When, as_text
from makegood_adapters.toolfiles.format import (
    App,
    ChoiceInput,
    ImageInput,
    Input,
    IntegerInput,
    Node,
    NumberInput,
    Tool,
)
from makegood_adapters.toolfiles.inputs import Sample, problem_of, samples
from makegood_adapters.toolfiles.prices import CREDITS_MAX

#: Rules are proved by trying all situations that they can tell apart; more than this is refused.
SITUATIONS_MAX = 20_000

Situation = dict[str, object]


def check(tool: Tool) -> list[Problem]:
    """Return all problems of *tool*; each message begins with its place in the file."""
    found = [*_inputs(tool), *_columns(tool), *_price(tool), *_rerun(tool), *_conditions(tool), *_apps(tool)]
    found += _nodes(tool)
    return found or _rules(tool)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the way out for a *name* that is not one of the *known*."""
    names = sorted(known)
    if close := difflib.get_close_matches(name, names, n=1):
        return f"did you mean {close[0]!r}?"
    return f"there is {', '.join(names)}" if names else "there is none"


def _inputs(tool: Tool) -> Iterator[Problem]:
    for name, spec in tool.inputs.items():
        where = f"inputs.{name}"
        # A field of this name would hide a method of the input model.
        if not name.isidentifier() or name.startswith("_") or hasattr(JobInput, name):
            told = f"{where}: {name!r} cannot name an input; use another word of letters, digits and _"
            yield Problem("MG503", told)
        if isinstance(spec, (IntegerInput, NumberInput)) and spec.min > spec.max:
            told = f"{where}: min = {as_text(spec.min)} is above max = {as_text(spec.max)}; exchange them"
            yield Problem("MG503", told)
            continue
        if isinstance(spec, ChoiceInput):
            for choice in (c for c, n in Counter(spec.choices).items() if n > 1):
                yield Problem("MG503", f"{where}.choices: {_toml(choice)} stands twice; remove one")
        if spec.fallback is None:
            continue
        if spec.required:
            told = f"{where}: a required input never uses its default; remove one of the two"
            yield Problem("MG503", told)
        if wrong := problem_of(spec, spec.fallback):
            yield Problem("MG503", f"{where}.default = {_toml(spec.fallback)} is not accepted: {wrong}")


def _columns(tool: Tool) -> Iterator[Problem]:
    taken: set[str] = set()
    for column, name in (tool.wire.columns if tool.wire else {}).items():
        where = f"wire.columns.{column}"
        if name not in tool.inputs:
            yield _unknown(tool, where, name)
        elif name in taken:
            told = f"{where}: another column fills the input {name!r} already; remove one of them"
            yield Problem("MG510", told)
        taken.add(name)


def _price(tool: Tool) -> Iterator[Problem]:
    """Yield why the price of an accepted input could not be told, or could be anything."""
    unit = tool.price.per_unit
    if (unit is None) is (tool.price.default is None):
        found = "neither" if unit is None else "both"
        yield Problem("MG512", f"price: it is told by one of default and per_unit, here is {found}")
    if unit is None:
        return
    where, spec = "price.per_unit", tool.inputs.get(unit.input)
    if spec is None:
        yield _unknown(tool, where, unit.input)
    elif not isinstance(spec, (IntegerInput, NumberInput)):
        told = f"{where}: {unit.input!r} is no number, so it has no units; name an integer or number"
        yield Problem("MG512", told)
    elif spec.may_be_missing:
        told = f"{where}: {unit.input!r} may be missing; write required = true there, or give a default"
        yield Problem("MG512", told)
    elif spec.min < 0:
        told = f"{where}: {unit.input!r} may be below 0, its min is {as_text(spec.min)}; raise it"
        yield Problem("MG512", told)
    else:
        rate = max([unit.credits, *(rule.credits for rule in unit.rules)])
        if (most := unit.cost(rate, spec.max)) > CREDITS_MAX:
            told = f"{where}: {as_text(spec.max)} of {unit.input!r} cost {most:,} credits, more than "
            yield Problem("MG512", f"{told}{CREDITS_MAX:,}; lower the rate or the max of the input")


def _rerun(tool: Tool) -> Iterator[Problem]:
    rerun = tool.rerun
    if rerun.first_seconds > rerun.seconds_max:
        told = f"rerun: first_seconds = {as_text(rerun.first_seconds)} is above seconds_max = "
        yield Problem("MG502", f"{told}{as_text(rerun.seconds_max)}; exchange them")
    for trouble in (t for t, n in Counter(rerun.troubles).items() if n > 1):
        yield Problem("MG502", f"rerun.troubles: {_toml(trouble)} stands twice; remove one")


def _apps(tool: Tool) -> Iterator[Problem]:
    if tool.request == "apps" and not tool.apps:
        yield Problem("MG502", "apps: is missing; add it")
    if tool.request == "inputs" and tool.apps:
        told = 'request: with "inputs" the provider is asked without apps; remove it, or the apps'
        yield Problem("MG502", told)
    for i, app in enumerate(tool.apps):
        if len(app.target) != 1:
            found = "both" if app.target else "neither"
            yield Problem("MG502", f"apps #{i + 1}: it is one of app and workflow, here is {found}")
        for key, identity in app.target.items():
            # Copied with a blank, or in full-width digits: every job would be refused.
            if not all("!" <= sign <= "~" for sign in identity):
                yield Problem("MG502", f"apps #{i + 1}.{key}: {identity!r} has a character that no id has")


def _conditions(tool: Tool) -> Iterator[Problem]:
    for where, when in _whens(tool):
        for condition in when:
            spec = tool.inputs.get(condition.input)
            if spec is None:
                yield _unknown(tool, where, condition.input)
            else:
                yield from _condition(where, condition, spec)


def _condition(where: str, condition: Condition, spec: Input) -> Iterator[Problem]:
    if condition.present is False and not spec.may_be_missing:
        why = "is required" if spec.required else "has a default"
        told = f"{condition.input} = {{ present = false }} can never be true, the input {why}; remove it"
        yield Problem("MG505", f"{where}: {told}")
    for value in condition.values:
        if wrong := problem_of(spec, value):
            told = f"{where}: {condition.input} = {_toml(value)} can never be true: {wrong}"
            yield Problem("MG505", told)


def _nodes(tool: Tool) -> Iterator[Problem]:
    for i, app in enumerate(tool.apps):
        taken: set[tuple[str, str]] = set()
        for node in app.nodes:
            where = _node(i, app, node)
            if (node.node, node.field) in taken:
                told = f"{where}: is set twice; remove one, or make it another entry of apps"
                yield Problem("MG506", told)
            taken.add((node.node, node.field))
            if node.source is not None and node.source not in tool.inputs:
                yield _unknown(tool, where, node.source)
            else:
                yield from (Problem("MG506", f"{where}: {text}") for text in _node_problems(tool, node))


def _node_problems(tool: Tool, node: Node) -> Iterator[str]:
    sources = [key for key in ("input", "file", "constant") if getattr(node, key) is not None]
    if node.seed:
        yield from _seed_problems(tool, node, sources)
        return
    if len(sources) != 1:
        found = " and ".join(sources) or "none of them"
        yield f"the value comes from exactly one of input, file and constant, here is {found}"
        return
    if node.source is None:
        if node.default is not None or node.if_given or node.at_most is not None:
            yield "a constant takes no default, if_given or at_most; remove them"
        return
    spec = tool.inputs[node.source]
    is_image = isinstance(spec, ImageInput)
    if is_image and node.input is not None:
        yield f"{node.source!r} is an image; write file = {_toml(node.source)}"
    if not is_image and node.file is not None:
        yield f"{node.source!r} is not an image; write input = {_toml(node.source)}"
    if node.at_most is not None and not isinstance(spec, (IntegerInput, NumberInput)):
        yield f"at_most is for numbers, and {node.source!r} is none; remove it"
    if is_image and node.default is not None:
        yield "a file has no default; write if_given = true to leave the node out without it"
    if node.default is not None and node.if_given:
        yield "default and if_given exclude each other; remove one of them"
    decided = node.default is not None or node.if_given
    if spec.may_be_missing and not decided:
        yield (
            f"{node.source!r} may be missing; write if_given = true to leave the node out then, "
            "or give a default"
        )
    if decided and not spec.may_be_missing:
        yield f"{node.source!r} is never missing; remove default and if_given"


def _seed_problems(tool: Tool, node: Node, sources: list[str]) -> Iterator[str]:
    if sources not in ([], ["input"]):
        yield f"seed = true draws a number, and takes no {' or '.join(sources)} but an input; remove one"
        return
    if node.default is not None or node.if_given or node.at_most is not None:
        yield "seed = true draws what is missing, and takes no default, if_given or at_most; remove them"
    spec = tool.inputs.get(node.input or "")
    if spec is not None and not isinstance(spec, IntegerInput):
        yield f"a seed is a whole number, and {node.input!r} is none; name an integer"
    elif spec is not None and not spec.may_be_missing:
        yield f"{node.input!r} is never missing, so that no seed is ever drawn; remove seed = true"


def _rules(tool: Tool) -> list[Problem]:
    """Try every situation: each must have an app, and each rule must be taken in one."""
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
        taken = _taken(tool, situation)
        used |= taken
        if tool.apps and not any(_app(i, app) in taken for i, app in enumerate(tool.apps)):
            without_app.append(situation)
    return [*_unused(tool, used), *_uncovered(tool, without_app)]


def _taken(tool: Tool, situation: Situation) -> set[str]:
    """Return the places in the file that are used in one situation."""
    taken: set[str] = set()
    # A fixed price comes first; only a job without one is measured.
    for where, when in _price_rules(tool):
        if when.holds(situation):
            taken.add(where)
            break
    for i, app in enumerate(tool.apps):
        if app.when.holds(situation):
            taken.add(_app(i, app))
            taken.update(_node(i, app, node) for node in app.nodes if node.when.holds(situation))
            break
    return taken


def _unused(tool: Tool, used: set[str]) -> Iterator[Problem]:
    late = "can never be chosen, the entries before it take all it could; move it up or remove it"
    for where, _ in _price_rules(tool):
        if where not in used:
            yield Problem("MG507", f"{where}: {late}")
    for i, app in enumerate(tool.apps):
        if _app(i, app) not in used:
            yield Problem("MG507", f"{_app(i, app)}: {late}")
            continue
        for node in app.nodes:
            if _node(i, app, node) not in used:
                told = f"{_node(i, app, node)}: its `when` never holds where this app runs; repair it"
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
    for _, when in _whens(tool):
        for condition in when:
            values.setdefault(condition.input, []).extend(condition.values)
    return {name: samples(tool.inputs[name], found) for name, found in values.items()}


def _whens(tool: Tool) -> Iterator[tuple[str, When]]:
    yield from _price_rules(tool)
    for i, app in enumerate(tool.apps):
        yield _app(i, app), app.when
        for node in app.nodes:
            yield _node(i, app, node), node.when


def _unknown(tool: Tool, where: str, name: str) -> Problem:
    return Problem("MG504", f"{where}: there is no input {name!r}; {nearest(name, tool.inputs)}")


def _price_rules(tool: Tool) -> Iterator[tuple[str, When]]:
    """Yield the rules of the price in the order in which they are asked."""
    for i, rule in enumerate(tool.price.rules):
        yield f"price.rules #{i + 1}", rule.when
    for i, rate in enumerate(tool.price.per_unit.rules if tool.price.per_unit else ()):
        yield f"price.per_unit.rules #{i + 1}", rate.when


def _app(index: int, app: App) -> str:
    return f"apps #{index + 1} ({app.app or app.workflow})"


def _node(index: int, app: App, node: Node) -> str:
    return f"{_app(index, app)}, node {node.node} {node.field}"


def _value(value: object) -> str:
    if value is None:
        return "missing"
    return value.value if isinstance(value, Sample) else _toml(value)


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
