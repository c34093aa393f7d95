"""Say what pydantic found in a tool file as: place, what is wrong, what to do."""

import re
from collections.abc import Mapping

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from makegood_adapters.toolfiles.apps import App, Node, Parameter
from makegood_adapters.toolfiles.elements import Drop, EdgeTable, EventTable, StateTable, Table
from makegood_adapters.toolfiles.fields import KINDS
from makegood_adapters.toolfiles.format import Limits, Tool
from makegood_adapters.toolfiles.prices import PerUnit, Price, PriceRule, RateRule
from makegood_adapters.toolfiles.wires import Wire
from makegood_adapters.toolfiles.words import nearest

_SINGLE: dict[str, type[Table]] = {"limits": Limits, "wire": Wire, "price": Price}
_NAMED: dict[str, type[Table]] = {"states": StateTable, "events": EventTable, "drop": Drop}


def syntax(message: str) -> str:
    """Put the place first; tomllib writes `Expected '=' (at line 3, column 5)`."""
    if found := re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL):
        message = f"{found[2]}: {found[1]}"
    return f"not valid TOML, {message}; texts need quotes, a key stands once"


def sentences(errors: list[ErrorDetails]) -> list[str]:
    """Tell every error but those that only follow: a list counts as empty if its items are wrong."""
    inside = {error["loc"][:n] for error in errors for n in range(len(error["loc"]))}
    told = [_sentence(e) for e in errors if not (e["type"] == "too_short" and e["loc"] in inside)]
    return [*dict.fromkeys(told)]


def _sentence(error: ErrorDetails) -> str:
    place = error["loc"]
    if place[-1:] == ("[key]",):
        return f"{_where(place[:-1])}: a name is small letters, digits and _, not {error['input']!r}"
    key, where = str(place[-1]) if place else "", _where(place)
    match error["type"]:
        case "extra_forbidden":
            fields = _table_at(place[:-1]).model_fields
            return f"{where}: there is no key {key!r} here; {nearest(key, _keys(fields))}"
        case "missing":
            return f"{where}: is missing; add it"
        case "too_short" | "string_too_short":
            return f"{where}: is empty; fill it in"
        case "union_tag_not_found":
            return f"{where}.kind: is missing; write one of {', '.join(KINDS)}"
        case "union_tag_invalid":
            kind = str(error["input"].get("kind"))
            return f"{where}.kind: there is no kind {kind!r}; {nearest(kind, KINDS)}"
        case "string_type":
            return f"{where}: must be text in quotes, not {error['input']!r}"
        case "string_pattern_mismatch" if place == ("extends",):
            return f"extends: must be written as name@version, such as 'base@1', not {error['input']!r}"
        case "string_pattern_mismatch":
            return f"{where}: must be small letters, digits and _, not {error['input']!r}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{where}: must be a table of keys and values, not {error['input']!r}"
        case "tuple_type":
            return f"{where}: must be a list in [ ], not {error['input']!r}"
        case "when" | "scalar":
            return f"{where}: {error['msg']}"
        case "float_type":
            return f"{where}: must be a number, not {error['input']!r}"
        case _:
            wanted = error["msg"].replace("Input should be", "must be")
            return f"{where}: {wanted}, not {error['input']!r}"


def _keys(fields: Mapping[str, FieldInfo]) -> list[str]:
    return [info.alias or name for name, info in fields.items()]


def _where(place: tuple[int | str, ...]) -> str:
    """Write a place as `apps #1.nodes #2.field`; counts are from 1, as people count."""
    if place[:1] == ("inputs",) and len(place) > 2:
        place = (*place[:2], *place[3:])  # pydantic names the kind after the input
    text = ""
    for part in place:
        text += f" #{part + 1}" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _table_at(place: tuple[int | str, ...]) -> type[Table]:
    match place:
        case ("inputs", _, kind):
            return KINDS[str(kind)]
        case ("apps" | "fallbacks", _, "nodes", _):
            return Node
        case ("apps" | "fallbacks", _, "parameters", _):
            return Parameter
        case ("apps" | "fallbacks", _):
            return App
        case ("events", _, "edges", _):
            return EdgeTable
        case (("limits" | "wire" | "price") as name,):
            return _SINGLE[name]
        case ("price", "rules", _):
            return PriceRule
        case ("price", "per_unit", "rules", _):
            return RateRule
        case ("price", "per_unit"):
            return PerUnit
        case (("states" | "events" | "drop") as name, _):
            return _NAMED[name]
        case _:
            return Tool
