"""Make job types of tool files; every mistake is a sentence that names file, key and remedy."""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, cast

from pydantic import BaseModel, ValidationError, create_model
from pydantic_core import ErrorDetails

from makegood.errors import DeclarationError
from makegood.jobtype import JobInput
from makegood.lifecycle import BaseJob
from makegood.machine import Problem
from makegood.outcome import JSON
from makegood_adapters.toolfiles.checks import check, nearest
from makegood_adapters.toolfiles.format import (
    KINDS,
    App,
    Limits,
    Node,
    Price,
    PriceRule,
    Table,
    Tool,
    Wire,
)
from makegood_adapters.toolfiles.inputs import annotation
from makegood_adapters.toolfiles.lines import Lines

_PACKAGE = Path(__file__).parent.parent


class ToolJob(BaseJob):
    """Base of the job types that are read from files.

    `table`, `function` and `columns` (column of an inserted row to the input it fills) are the
    names on the existing front-end's wire; they are empty for a tool that is not offered there.
    """

    tool: ClassVar[Tool]
    table: ClassVar[str] = ""
    function: ClassVar[str] = ""
    columns: ClassVar[Mapping[str, str]] = MappingProxyType({})

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> BaseModel:
        """Validate *raw*; a known input that is null or blank text, as forms send it, is missing."""
        known = cls.Input.model_fields
        return super().parse({k: v for k, v in raw.items() if not (k in known and _blank(v))})

    @classmethod
    def price_of(cls, value: BaseModel) -> int:
        """Return the price of *value* by the file's rules."""
        return cls.tool.price.of(cls.tool.given(value))

    @classmethod
    def request(cls, value: BaseModel) -> JSON:
        """Return `{"app": ..., "nodes": [{"node", "field", "value"}]}`, values as text or file."""
        return cls.tool.request(value)


def load_tools(folder: Path) -> list[type[BaseJob]]:
    """Read every *.toml in *folder*, by name; DeclarationError tells all mistakes of all files."""
    if not folder.is_dir():
        told = "there is no such folder; create it or name another one"
        raise DeclarationError(f"The tools folder {folder}", [Problem("MG501", told)])
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        told = "it holds no *.toml file; put one file for each tool into it or name another folder"
        raise DeclarationError(f"The tools folder {folder}", [Problem("MG501", told)])
    types: dict[str, type[ToolJob]] = {}
    problems: list[object] = []
    for path in paths:
        try:
            types[path.name] = load_tool(path)
        except DeclarationError as error:
            problems += error.problems
    problems += _taken_twice(types)
    if problems:
        raise DeclarationError(f"The tools folder {folder}", problems)
    return list(types.values())


def load_tool(path: Path) -> type[ToolJob]:
    """Read one file and return its job type; DeclarationError tells all its mistakes at once."""
    tool, lines = _read(path)
    if problems := check(tool):
        raise DeclarationError(str(path), lines.told(problems))
    camel = "".join(part.capitalize() for part in tool.name.split("_"))
    fields: dict[str, Any] = {
        name: (annotation(spec), ... if spec.required else spec.fallback)
        for name, spec in tool.inputs.items()
    }
    members: dict[str, Any] = {
        "__module__": __name__,
        "__doc__": f"{tool.label}, read from {path.name}.",
        "declared_at": str(path),
        "name": tool.name,
        "version": tool.version,
        "label": tool.label,
        "pool": tool.pool,
        "price": tool.price.default,
        "attempts_max": tool.limits.attempts_max,
        "tool": tool,
        "Input": create_model(f"{camel}Input", __base__=JobInput, __module__=__name__, **fields),
    }
    if tool.wire is not None:
        members |= {"table": tool.wire.table, "function": tool.wire.function}
        members["columns"] = MappingProxyType(tool.wire.columns)
    for name, seconds in tool.limits.seconds.items():
        members[name] = ToolJob.states()[name].with_deadline(timedelta(seconds=seconds))
        members[name].where = lines.where(f"limits.{name}_seconds")
    return cast(type[ToolJob], type(camel, (ToolJob,), members))


def default_tools_folder() -> Path:
    """Return where the shipped tools are: config/tools of a checkout, else inside the package."""
    checkout = _PACKAGE.parent.parent / "config" / "tools"
    if _PACKAGE.parent.name == "adapters" and checkout.is_dir():
        return checkout
    return _PACKAGE / "tools"


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _taken_twice(types: Mapping[str, type[ToolJob]]) -> list[Problem]:
    problems = []
    for key in ("name", "table", "function"):
        counted = Counter(getattr(t, key) for t in types.values())
        for value in (v for v, n in counted.items() if v and n > 1):
            named = [f for f, t in types.items() if getattr(t, key) == value]
            told = f"{' and '.join(named)} have the same {key} {value!r}; give each its own"
            problems.append(Problem("MG511", told, where=types[named[-1]].declared_at))
    return problems


def _read(path: Path) -> tuple[Tool, Lines]:
    lines = Lines(str(path))
    try:
        lines = Lines(str(path), path.read_text(encoding="utf-8"))
        return Tool.model_validate(tomllib.loads(lines.text)), lines
    except OSError as error:
        wrong = [Problem("MG501", f"it cannot be read: {error.strerror or type(error).__name__}")]
    except UnicodeDecodeError:
        wrong = [Problem("MG501", "it is not UTF-8 text; save it as UTF-8")]
    except tomllib.TOMLDecodeError as error:
        wrong = [Problem("MG501", _syntax(str(error)))]
    except ValidationError as error:
        wrong = [Problem("MG502", told) for told in _sentences(error.errors(include_url=False))]
    raise DeclarationError(str(path), lines.told(wrong))


def _syntax(message: str) -> str:
    """Put the place first; tomllib writes `Expected '=' (at line 3, column 5)`."""
    if found := re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL):
        message = f"{found[2]}: {found[1]}"
    return f"not valid TOML, {message}; texts need quotes, a key stands once"


def _sentences(errors: list[ErrorDetails]) -> list[str]:
    """Tell every error but those that only follow: a list counts as empty if its items are wrong."""
    inside = {error["loc"][:n] for error in errors for n in range(len(error["loc"]))}
    return [_sentence(e) for e in errors if not (e["type"] == "too_short" and e["loc"] in inside)]


def _sentence(error: ErrorDetails) -> str:
    """Say what pydantic found as: place, what is wrong, what to do."""
    place, key = error["loc"], str(error["loc"][-1]) if error["loc"] else ""
    where = _where(place)
    match error["type"]:
        case "extra_forbidden":
            valid = _table_at(place[:-1]).model_fields
            return f"{where}: there is no key {key!r} here; {nearest(key, valid)}"
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
        case "string_pattern_mismatch":
            return f"{where}: must be small letters, digits and _, not {error['input']!r}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{where}: must be a table of keys and values, not {error['input']!r}"
        case "tuple_type":
            return f"{where}: must be a list in [ ], not {error['input']!r}"
        case "when" | "scalar":
            return f"{where}: {error['msg']}"
        case _:
            wanted = error["msg"].replace("Input should be", "must be")
            return f"{where}: {wanted}, not {error['input']!r}"


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
        case ("apps", _, "nodes", _):
            return Node
        case ("apps", _):
            return App
        case ("price", "rules", _):
            return PriceRule
        case ("price",):
            return Price
        case ("limits",):
            return Limits
        case ("wire",):
            return Wire
        case _:
            return Tool
