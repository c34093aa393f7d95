"""Make job types of tool files; every mistake is a sentence that names file, key and remedy."""

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import BaseModel, ValidationError, create_model

from makegood.errors import DeclarationError, InvalidInput
from makegood.job import Job
from makegood.jobtype import JobInput
from makegood.lifecycle import BaseJob
from makegood.machine import Problem
from makegood.outcome import JSON, Trouble
from makegood.reruns import Rerun
from makegood_adapters.toolfiles.apps import SEED_BELOW
from makegood_adapters.toolfiles.checks import check
from makegood_adapters.toolfiles.fields import ChoiceInput
from makegood_adapters.toolfiles.format import Tool
from makegood_adapters.toolfiles.inputs import annotation
from makegood_adapters.toolfiles.lines import Lines
from makegood_adapters.toolfiles.machines import Guards, extend
from makegood_adapters.toolfiles.sentences import sentences, syntax
from makegood_adapters.toolfiles.wires import Wire
from makegood_adapters.toolfiles.words import nearest

_PACKAGE = Path(__file__).parent.parent
_BASE = "base@1"
_CIRCLE = "goes in a circle"
_NO_GUARDS: Guards = MappingProxyType({})


class ToolJob(BaseJob):
    """Base of the job types that are read from files.

    `wire` has the names on the existing front-end's wire; None for a tool that is not offered there. Its
    table, function and columns (column of an inserted row to the input it fills) stand here again, and are
    empty then.
    """

    tool: ClassVar[Tool]
    wire: ClassVar[Wire | None] = None
    table: ClassVar[str] = ""
    function: ClassVar[str] = ""
    columns: ClassVar[Mapping[str, str]] = MappingProxyType({})

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> BaseModel:
        """Validate *raw*; a known input that is null, an empty list or blank text, as forms send it, is
        missing, and a choice that is none becomes what the file says."""
        known = cls.Input.model_fields
        said = {k: v for k, v in raw.items() if not (k in known and _blank(v))}
        for name, spec in cls.tool.inputs.items():
            if (
                isinstance(spec, ChoiceInput)
                and spec.otherwise is not None
                and _is_other(spec, said.get(name))
            ):
                said[name] = spec.otherwise
        value = super().parse(said)
        if problems := [*cls.tool.lacking(cls.tool.given(value))]:
            raise InvalidInput(cls.name, problems)
        return value

    @classmethod
    def price_of(cls, value: BaseModel) -> int:
        """Return the price of *value* by the file's rules."""
        return cls.tool.price.of(cls.tool.given(value))

    @classmethod
    def request(cls, value: BaseModel) -> JSON:
        """Return `{"app": ..., "nodes": [{"node", "field", "value"}]}`, values as text or file, or the same
        with `workflow`; for a model `{"model": ..., "input": {...}}`; or `{"input": ...}` where the file says
        so."""
        return cls.tool.asked(value)

    @classmethod
    def rerun_after(cls, job: Job, trouble: Trouble, request: JSON) -> Rerun | None:
        """Run again by the file's rules; what ran out of memory on an `ultra` machine has no larger one.

        What would not run again, or has one try left, runs once on the file's second app where it has one.
        """
        largest = cls.tool.rerun.larger_instance and request.get("instance_type") == "ultra"
        out_of_reach = trouble is Trouble.MEMORY and largest
        again = None if out_of_reach else super().rerun_after(job, trouble, request)
        second = cls.tool.second_try(cls.tool.has(job.input), job.id.int % SEED_BELOW)
        if second is None or second.items() <= request.items():
            return again
        if again is not None and job.reruns + 2 < job.attempts_max:
            return again
        return Rerun(again.after_seconds if again else cls.tool.rerun.first_seconds, second)


def load_tools(folder: Path, guards: Guards = _NO_GUARDS) -> list[type[BaseJob]]:
    """Read every *.toml in *folder*, by name; DeclarationError tells all mistakes of all files.

    *guards* are the functions, by name, that files may name for their events.
    """
    types, left_out = _read_all(folder, guards)
    problems = [problem for error in left_out.values() for problem in error.problems]
    problems += _taken_twice(types)
    if problems:
        raise DeclarationError(f"The tools folder {folder}", problems)
    return list(types.values())


def usable_tools(
    folder: Path, guards: Guards = _NO_GUARDS
) -> tuple[list[type[BaseJob]], dict[str, DeclarationError]]:
    """Read every *.toml in *folder*, by name, and return the job types of those that can be used, and of the
    others, by the name of the file, what is wrong with them.

    Of two files that take the same name, table or function the later one is left out. DeclarationError if the
    folder is missing or has no file.
    """
    types, left_out = _read_all(folder, guards)
    used: dict[str, type[ToolJob]] = {}
    for file, found in types.items():
        if twice := _taken_twice({**used, file: found}):
            left_out[file] = DeclarationError(found.declared_at, twice)
        else:
            used[file] = found
    return list(used.values()), dict(sorted(left_out.items()))


def load_tool(path: Path, guards: Guards = _NO_GUARDS) -> type[ToolJob]:
    """Read one file, and those in its folder that it extends, and return its job type.

    DeclarationError tells all mistakes of the file at once.
    """
    return _Loader(guards).load(path)


def default_tools_folder() -> Path:
    """Return where the shipped tools are: config/tools of a checkout, else inside the package."""
    checkout = _PACKAGE.parent.parent / "config" / "tools"
    if _PACKAGE.parent.name == "adapters" and checkout.is_dir():
        return checkout
    return _PACKAGE / "tools"


def _read_all(folder: Path, guards: Guards) -> tuple[dict[str, type[ToolJob]], dict[str, DeclarationError]]:
    if not folder.is_dir():
        told = "there is no such folder; create it or name another one"
        raise DeclarationError(f"The tools folder {folder}", [Problem("MG501", told)])
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        told = "it holds no *.toml file; put one file for each tool into it or name another folder"
        raise DeclarationError(f"The tools folder {folder}", [Problem("MG501", told)])
    loader = _Loader(guards)
    types: dict[str, type[ToolJob]] = {}
    left_out: dict[str, DeclarationError] = {}
    for path in paths:
        try:
            types[path.name] = loader.load(path)
        except DeclarationError as error:
            left_out[path.name] = error
    return types, left_out


class _Loader:
    """Reads files of one folder, each once; a file may extend another."""

    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self._made: dict[Path, type[ToolJob]] = {}
        self._names: dict[str, Path] | None = None
        self._way: list[str] = []

    def load(self, path: Path) -> type[ToolJob]:
        if path not in self._made:
            tool, lines = _read(path)
            base = self._base(tool, lines, path)
            if problems := check(tool):
                raise DeclarationError(lines.file, lines.told(problems))
            self._made[path] = extend(base, tool, lines, self._guards, _members(tool, path))
        return self._made[path]

    def _base(self, tool: Tool, lines: Lines, path: Path) -> type[ToolJob]:
        own = f"{tool.name}@{tool.version}"
        if tool.extends == _BASE:
            return ToolJob
        if tool.extends in (*self._way, own):
            way = " > ".join((*self._way, own, tool.extends))
            raise _wrong(lines, f"extends: {way} {_CIRCLE}; begin with {_BASE!r}")
        if self._names is None:
            self._names = _named(path.parent)
        if tool.extends not in self._names:
            offer = nearest(tool.extends, [_BASE, *(name for name in self._names if name != own)])
            raise _wrong(lines, f"extends: no file here declares {tool.extends!r}; {offer}")
        self._way.append(own)
        try:
            return self.load(self._names[tool.extends])
        except DeclarationError as error:
            circle = [p.message for p in error.problems if isinstance(p, Problem) and _CIRCLE in p.message]
            extended = Path(error.subject).name
            told = [*circle, f"extends: {extended} cannot be used; repair it first"][0]
            raise _wrong(lines, told) from None
        finally:
            self._way.pop()


def _wrong(lines: Lines, told: str) -> DeclarationError:
    return DeclarationError(lines.file, lines.told([Problem("MG502", told)]))


def _named(folder: Path) -> dict[str, Path]:
    """Return the files of *folder* by the `name@version` that they declare."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            continue  # it is told when it is read itself
        found.setdefault(f"{raw.get('name')}@{raw.get('version')}", path)
    return found


def _members(tool: Tool, path: Path) -> dict[str, Any]:
    """Return what the class has besides its machine."""
    fields: dict[str, Any] = {
        name: (annotation(spec), ... if spec.required else spec.fallback)
        for name, spec in tool.inputs.items()
    }
    return {
        "__module__": __name__,
        "__doc__": f"{tool.label}, read from {path.name}.",
        "declared_at": str(path),
        "name": tool.name,
        "version": tool.version,
        "label": tool.label,
        "pool": tool.pool,
        "price": tool.price.default or 0,
        "attempts_max": tool.limits.attempts_max,
        "exclusive_by": tool.exclusive_by,
        "rerun_policy": tool.rerun.policy(on_machines=tool.on_machines),
        "tool": tool,
        # What is extended is a machine; names on the wire belong to one tool.
        "wire": tool.wire,
        "table": tool.wire.table if tool.wire else "",
        "function": tool.wire.function if tool.wire else "",
        "columns": MappingProxyType(tool.wire.columns if tool.wire else {}),
        "Input": create_model(f"{tool.class_name}Input", __base__=JobInput, __module__=__name__, **fields),
    }


def _blank(value: object) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _is_other(spec: ChoiceInput, value: object) -> bool:
    """Whether *value* is a text or a number that is none of the choices."""
    return isinstance(value, (str, int, float)) and value not in spec.choices


def _taken_twice(types: Mapping[str, type[ToolJob]]) -> list[Problem]:
    """Return the names that two files share; versions of one tool share all of them but the version."""
    problems: dict[str, Problem] = {}
    for (file, one), (later, other) in itertools.combinations(types.items(), 2):
        if one.name == other.name and one.version != other.version:
            continue
        for key in _shared(one, other):
            told = f"{file} and {later} have the same {key} {getattr(other, key)!r}; "
            way = "give each its own"
            if key != "name":
                way += ", or tell them apart by `when` in [wire]"
            problems.setdefault(f"{later} {key}", Problem("MG511", told + way, where=other.declared_at))
        if one.table and one.table == other.table and one.exclusive_by != other.exclusive_by:
            told = f"{file} and {later} have the same table {one.table!r} and not the same exclusive_by; "
            way = "a row of one may become a job of the other, so give both the same"
            problems.setdefault(f"{later} exclusive", Problem("MG511", told + way, where=other.declared_at))
    return [*problems.values()]


def _shared(one: type[ToolJob], other: type[ToolJob]) -> Iterator[str]:
    if one.name == other.name:
        yield "name"
    if one.wire and other.wire:
        yield from one.wire.claims_of(other.wire)


def _read(path: Path) -> tuple[Tool, Lines]:
    lines = Lines(str(path))
    try:
        lines = Lines(str(path), path.read_text(encoding="utf-8-sig"))
        return Tool.model_validate(tomllib.loads(lines.text)), lines
    except OSError as error:
        wrong = [Problem("MG501", f"it cannot be read: {error.strerror or type(error).__name__}")]
    except UnicodeDecodeError:
        wrong = [Problem("MG501", "it is not UTF-8 text; save it as UTF-8")]
    except tomllib.TOMLDecodeError as error:
        wrong = [Problem("MG501", syntax(str(error)))]
    except ValidationError as error:
        wrong = [Problem("MG502", told) for told in sentences(error.errors(include_url=False))]
    raise DeclarationError(str(path), lines.told(wrong))
