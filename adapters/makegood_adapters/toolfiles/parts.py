"""Find the mistakes in what a tool file asks the provider for: in apps, their nodes and their parameters."""

from collections.abc import Iterator

from makegood.machine import Problem
from makegood_adapters.toolfiles.apps import App, Node, Parameter, Source
from makegood_adapters.toolfiles.fields import (
    ChoiceInput,
    FileTable,
    Input,
    IntegerInput,
    NumberInput,
    TextInput,
)
from makegood_adapters.toolfiles.format import Tool
from makegood_adapters.toolfiles.inputs import a
from makegood_adapters.toolfiles.rules import apps_of, part_of, toml
from makegood_adapters.toolfiles.words import nearest, unknown

_NODE_SOURCES = "input, file, address and constant"
_PARAMETER_SOURCES = "input, file, files and constant"


def wrong_apps(tool: Tool) -> Iterator[Problem]:
    """Yield what is wrong with the apps themselves."""
    if tool.request == "apps" and not tool.apps:
        yield Problem("MG502", "apps: is missing; add it")
    if tool.request == "inputs" and tool.every_app:
        told = 'request: with "inputs" the provider is asked without apps; remove it, or the apps'
        yield Problem("MG502", told)
    for key in ("apps", "fallbacks"):
        for i, app in enumerate(getattr(tool, key)):
            yield from (Problem("MG502", f"{key} #{i + 1}{told}") for told in _app_problems(tool, app))
    kinds = {kind for app in tool.every_app for kind in app.target}
    if tool.fallbacks and len(kinds) > 1:
        told = f"fallbacks: a second try is asked over the first, here are {' and '.join(sorted(kinds))}"
        yield Problem("MG502", f"{told}; use one kind in apps and fallbacks")


def _app_problems(tool: Tool, app: App) -> Iterator[str]:
    if len(app.target) != 1:
        found = "more than one" if app.target else "none"
        yield f": it is one of app, workflow and model, here is {found}"
        return
    for key, identity in app.target.items():
        # Copied with a blank, or in full-width digits: every job would be refused.
        if not all("!" <= sign <= "~" for sign in identity):
            yield f".{key}: {identity!r} has a character that no id has"
    wanted, other = ("parameters", "nodes") if app.model else ("nodes", "parameters")
    if getattr(app, other):
        yield f".{other}: {_kind(app)} has {wanted}; rename them"
    elif not getattr(app, wanted):
        yield f".{wanted}: is missing; add it"
    if app.model and app.instance_type:
        yield ".instance_type: a model has no machine to choose; remove it"
    if app.makes and not app.model:
        yield f".makes: {_kind(app)} needs none; remove it"
    for name, most in app.count_max.items():
        spec = tool.inputs.get(name)
        if not isinstance(spec, FileTable) or spec.count_max is None:
            lists = [n for n, s in tool.inputs.items() if isinstance(s, FileTable) and s.is_list]
            yield f".count_max.{name}: no input {name!r} holds a list of files; {nearest(name, lists)}"
        elif not most < spec.count_max:
            yield f".count_max.{name}: the input itself takes at most {spec.count_max}; lower it or remove it"


def _kind(app: App) -> str:
    kind = next(iter(app.target))
    return f"an {kind}" if kind == "app" else f"a {kind}"


def wrong_parts(tool: Tool) -> Iterator[Problem]:
    """Yield what is wrong with nodes and parameters."""
    for where, app in (*apps_of(tool, "apps"), *apps_of(tool, "fallbacks")):
        taken: set[str] = set()
        for part in app.parts:
            place = part_of(where, part)
            if part.place in taken:
                told = f"{place}: is set twice; remove one, or make it another entry of apps"
                yield Problem("MG506", told)
            taken.add(part.place)
            strangers = [name for name in part.sources if name not in tool.inputs]
            yield from (unknown(tool, place, name) for name in strangers)
            if not strangers:
                yield from (Problem("MG506", f"{place}: {text}") for text in _problems(tool, part))


def _problems(tool: Tool, part: Source) -> Iterator[str]:
    if isinstance(part, Node) and part.seed:
        yield from _seed_problems(tool, part)
        return
    if len(part.named) != 1:
        allowed = _NODE_SOURCES if isinstance(part, Node) else _PARAMETER_SOURCES
        found = " and ".join(part.named) or "none of them"
        yield f"the value comes from exactly one of {allowed}, here is {found}"
        return
    if not part.sources:
        if part.default is not None or part.if_given or part.at_most is not None:
            yield "a constant takes no default, if_given or at_most; remove them"
        elif _is_shaped(part) or (isinstance(part, Node) and (part.index is not None or part.with_choices)):
            yield "a constant is sent as it is; remove all but node, field, constant and when"
        return
    specs = [(name, tool.inputs[name]) for name in part.sources]
    yield from _kind_problems(part, specs)
    yield from _shape_problems(part, specs[0][1])
    yield from _missing_problems(part, specs)


def _kind_problems(part: Source, specs: list[tuple[str, Input]]) -> Iterator[str]:
    """Yield why a file is named as none, or what is none as a file."""
    for name, spec in specs:
        if isinstance(spec, FileTable) and part.input is not None:
            yield f"{name!r} is {a(spec)}; write file = {toml(name)}"
        elif not isinstance(spec, FileTable) and part.input is None:
            yield f"{name!r} is not a file; write input = {toml(name)}"
    name, spec = specs[0]
    if isinstance(part, Node):
        is_list = isinstance(spec, FileTable) and spec.is_list
        if is_list and part.index is None:
            yield f"{name!r} is a list; write index = 0 for its first file, and another node for each other"
        elif part.index is not None and not is_list:
            yield f"index is for lists of files, and {name!r} is none; remove it"
        elif isinstance(spec, FileTable) and part.index is not None and part.index >= (spec.count_max or 0):
            yield f"index = {part.index} is never there, {name!r} has at most {spec.count_max}: from 0 on"
    elif isinstance(part, Parameter) and part.files is not None:
        for name, spec in specs:
            if isinstance(spec, FileTable) and spec.is_list:
                yield f"{name!r} is a list already; write file = {toml(name)}"


def _is_shaped(part: Source) -> bool:
    return part.values is not None or bool(part.before or part.after)


def _shape_problems(part: Source, spec: Input) -> Iterator[str]:
    [name, *_] = part.sources
    if part.at_most is not None and not isinstance(spec, (IntegerInput, NumberInput)):
        yield f"at_most is for numbers, and {name!r} is none; remove it"
    if (part.before or part.after) and not isinstance(spec, (TextInput, ChoiceInput)):
        yield f"before and after are put around a text, and {name!r} is none; remove them"
    if isinstance(part, Node) and part.with_choices and not isinstance(spec, ChoiceInput):
        yield f"with_choices sends the choices of the input, and {name!r} has none; remove it"
    if part.values is None:
        return
    if not isinstance(spec, ChoiceInput):
        yield f"values are for the choices of an input, and {name!r} has none; remove them"
    elif {*part.values} != {*spec.choices}:
        wrong = sorted({*part.values} ^ {*spec.choices})
        yield f"values must have one entry for each choice of {name!r}; look at {', '.join(wrong)}"
    elif part.before or part.after:
        yield "values, and before or after, exclude each other; remove one of them"


def _missing_problems(part: Source, specs: list[tuple[str, Input]]) -> Iterator[str]:
    index = part.index if isinstance(part, Node) else None
    lacks = [s.may_lack(index) if isinstance(s, FileTable) else s.may_be_missing for _, s in specs]
    named = " and ".join(repr(name) for name, _ in specs)
    named += "" if index is None else f" at {index}"
    decided = part.default is not None or part.if_given
    if part.default is not None and part.if_given:
        yield "default and if_given exclude each other; remove one of them"
    if part.default is not None and isinstance(part, Parameter) and part.input is None:
        yield "a parameter that is a file has no default; write if_given = true to leave it out without it"
    if all(lacks) and not decided:
        what = "node" if isinstance(part, Node) else "parameter"
        yield f"{named} may be missing; write if_given = true to leave the {what} out then, or give a default"
    if decided and not all(lacks):
        yield f"{named} is never missing; remove default and if_given"


def _seed_problems(tool: Tool, node: Node) -> Iterator[str]:
    sources = [*node.named]
    if sources not in ([], ["input"]):
        yield f"seed = true draws a number, and takes no {' or '.join(sources)} but an input; remove one"
        return
    if node.default is not None or node.if_given or node.at_most is not None or _is_shaped(node):
        yield "seed = true draws what is missing, and takes no default, if_given or at_most; remove them"
    spec = tool.inputs.get(node.input or "")
    if spec is not None and not isinstance(spec, IntegerInput):
        yield f"a seed is a whole number, and {node.input!r} is none; name an integer"
    elif spec is not None and not spec.may_be_missing:
        yield f"{node.input!r} is never missing, so that no seed is ever drawn; remove seed = true"
