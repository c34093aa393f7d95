"""Find the mistakes of a tool file that no single key shows: names, values, rules that miss inputs."""

from collections import Counter
from collections.abc import Iterator

from makegood.jobtype import JobInput
from makegood.machine import Problem
from makegood_adapters.toolfiles.conditions import Condition, as_text
from makegood_adapters.toolfiles.fields import ChoiceInput, FileTable, Input, IntegerInput, NumberInput
from makegood_adapters.toolfiles.format import Tool
from makegood_adapters.toolfiles.inputs import problem_of
from makegood_adapters.toolfiles.parts import wrong_apps, wrong_parts
from makegood_adapters.toolfiles.prices import CREDITS_MAX
from makegood_adapters.toolfiles.rules import toml, unproved, whens
from makegood_adapters.toolfiles.words import unknown


def check(tool: Tool) -> list[Problem]:
    """Return all problems of *tool*; each message begins with its place in the file."""
    found = [*_inputs(tool), *_wire(tool), *_price(tool), *_rerun(tool), *_conditions(tool)]
    found += [*wrong_apps(tool), *wrong_parts(tool)]
    return found or unproved(tool)


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
                yield Problem("MG503", f"{where}.choices: {toml(choice)} stands twice; remove one")
            if spec.otherwise is not None and (wrong := problem_of(spec, spec.otherwise)):
                yield Problem("MG503", f"{where}.otherwise = {toml(spec.otherwise)} is not accepted: {wrong}")
        if isinstance(spec, FileTable) and spec.count_max is None and spec.count_min > 1:
            yield Problem("MG503", f"{where}.count_min: only a list has one; give a count_max too")
        elif isinstance(spec, FileTable) and spec.count_min > (spec.count_max or 1):
            told = f"{where}: count_min = {spec.count_min} is above count_max = {spec.count_max}"
            yield Problem("MG503", f"{told}; exchange them")
        if spec.needed_when is not None and not spec.may_be_missing:
            why = "is required" if spec.required else "has a default"
            yield Problem("MG503", f"{where}.needed_when: the input {why} anyway; remove one of the two")
        if spec.fallback is None:
            continue
        if spec.required:
            told = f"{where}: a required input never uses its default; remove one of the two"
            yield Problem("MG503", told)
        if wrong := problem_of(spec, spec.fallback):
            yield Problem("MG503", f"{where}.default = {toml(spec.fallback)} is not accepted: {wrong}")


def _wire(tool: Tool) -> Iterator[Problem]:
    wire = tool.wire
    if wire is None:
        return
    taken: set[str] = set()
    for column, name in wire.columns.items():
        where = f"wire.columns.{column}"
        if name not in tool.inputs:
            yield unknown(tool, where, name)
        elif name in taken:
            told = f"{where}: another column fills the input {name!r} already; remove one of them"
            yield Problem("MG510", told)
        taken.add(name)
    for field, name in wire.run.items():
        if name not in tool.inputs:
            yield unknown(tool, f"wire.run.{field}", name)
    for field, name in wire.content.items():
        where = f"wire.content.{field}"
        if name not in tool.inputs:
            yield unknown(tool, where, name)
        elif not isinstance(spec := tool.inputs[name], FileTable) or spec.is_list:
            yield Problem("MG510", f"{where}: {name!r} is no single file, so it has no content; remove it")
        elif field in wire.run:
            yield Problem("MG510", f"{where}: wire.run has this field already; remove one of them")
    if wire.makes_row and tool.exclusive_by is None:
        told = "wire.makes_row: a call that is sent again, since its answer was lost, would be a second job "
        yield Problem("MG510", f"{told}and charged again; give the tool an exclusive_by")
    for column in (*wire.kept, *wire.fixed):
        if column in wire.columns or (column in wire.kept and column in wire.fixed):
            told = f"wire: the column {column!r} is both read and kept or fixed; name it once"
            yield Problem("MG510", told)


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
        yield unknown(tool, where, unit.input)
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
        yield Problem("MG502", f"rerun.troubles: {toml(trouble)} stands twice; remove one")


def _conditions(tool: Tool) -> Iterator[Problem]:
    for where, when in whens(tool):
        for condition in when:
            spec = tool.inputs.get(condition.input)
            if spec is None:
                yield unknown(tool, where, condition.input)
            else:
                yield from _condition(where, condition, spec)


def _condition(where: str, condition: Condition, spec: Input) -> Iterator[Problem]:
    if condition.present is False and not spec.may_be_missing:
        why = "is required" if spec.required else "has a default"
        told = f"{condition.input} = {{ present = false }} can never be true, the input {why}; remove it"
        yield Problem("MG505", f"{where}: {told}")
    for value in condition.values:
        if wrong := problem_of(spec, value):
            told = f"{where}: {condition.input} = {toml(value)} can never be true: {wrong}"
            yield Problem("MG505", told)
