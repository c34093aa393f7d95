"""Examine tool files and modules without running a job: what they define, and all that is wrong with it."""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from makegood.errors import DeclarationError
from makegood.machine import Machine, Problem
from makegood.machine.definitions import Definition, collecting
from makegood.machine.kinds import registered
from makegood_adapters.toolfiles import load_tool, load_tools


class Unreadable(Exception):
    """A target that is not there or cannot be imported; the text is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem, the target in which it was found, and the class or file that has it."""

    target: str
    subject: str
    problem: Problem


@dataclass(slots=True)
class Examination:
    """What was found: the job types by (target, subject), those that modules define themselves as `classes`,
    in the order of their definition, and the sentences about unreadable targets."""

    subjects: set[tuple[str, str]] = field(default_factory=set)
    classes: list[type[Machine]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def add(self, target: str, subject: str, problems: Iterable[object]) -> None:
        """Note *problems*; what a class has from its base is told once, of the base."""
        known = {finding.problem for finding in self.findings}
        for problem in problems:
            if isinstance(problem, Problem) and problem not in known:
                self.findings.append(Finding(target, subject, problem))


def examine(targets: Iterable[str]) -> Examination:
    """Examine each target: a tool file, a folder of them, a Python file or the name of a module."""
    found = Examination()
    for target in targets:
        try:
            _examine(target, found)
        except Unreadable as error:
            found.unreadable.append(str(error))
    return found


def _examine(target: str, found: Examination) -> None:
    path = Path(target)
    if path.is_dir():
        _tool_folder(target, path, found)
    elif path.suffix in (".toml", ".py") or len(path.parts) > 1 or path.exists():
        if not path.is_file():
            raise Unreadable(f"There is no file or folder {target}.")
        if path.suffix == ".toml":
            _tool_file(target, path, found)
        elif path.suffix == ".py":
            _module(target, path, found)
        else:
            raise Unreadable(f"{target} is neither a *.toml nor a *.py file.")
    elif all(part.isidentifier() for part in target.split(".")):
        _module(target, None, found)
    else:
        raise Unreadable(f"{target!r} is neither a file, a folder nor the name of a module.")


def _tool_file(target: str, path: Path, found: Examination) -> None:
    found.subjects.add((target, path.name))
    try:
        load_tool(path)
    except DeclarationError as error:
        found.add(target, path.name, error.problems)


def _tool_folder(target: str, folder: Path, found: Examination) -> None:
    names = [path.name for path in folder.glob("*.toml")]
    if not names:
        raise Unreadable(f"There is no *.toml file in the folder {target}; name a *.py file or a module.")
    found.subjects |= {(target, name) for name in names}
    try:
        load_tools(folder)
    except DeclarationError as error:
        for problem in error.problems:
            place = problem.file if isinstance(problem, Problem) else None
            found.add(target, Path(place or target).name, [problem])


def _module(target: str, path: Path | None, found: Examination) -> None:
    refused: DeclarationError | None = None
    module: ModuleType | None = None
    definitions: list[Definition] = []
    try:
        # What the module prints must not mix with the report.
        with _importable(path), collecting() as definitions, redirect_stdout(sys.stderr):
            module = _from_file(path) if path else importlib.import_module(target)
    except DeclarationError as error:
        refused = error  # a class made where nobody collects, or a tool file that the module reads
    except (Exception, SystemExit) as error:
        raise Unreadable(_why(target, path, error)) from None
    finally:
        # Also of a module that ends in an error: its classes up to there are judged.
        classes = _judge(target, definitions, module, found)
    if refused:
        found.subjects.add((target, refused.subject))
        found.add(target, refused.subject, refused.problems)
    elif not classes:
        raise Unreadable(f"{target} defines no job type.")


def _judge(
    target: str, definitions: Iterable[Definition], module: ModuleType | None, found: Examination
) -> set[type[Machine]]:
    classes: dict[type[Machine], None] = {}  # in the order of definition
    for definition in definitions:
        if issubclass(definition.declared, Machine):
            classes[definition.declared] = None
            found.subjects.add((target, _subject(definition.declared)))
            found.add(target, _subject(definition.declared), definition.problems)
    # What was imported before is not defined again and has been proved then; its hooks may be new.
    named = [v for v in vars(module).values() if isinstance(v, type)] if module else []
    there = [each for each in named if issubclass(each, Machine) and each.states()]
    own = {each for each in there if module and each.__module__ == module.__name__}
    found.classes += [each for each in dict.fromkeys(there) if each in own]
    found.subjects |= {(target, _subject(each)) for each in own}
    for each in dict.fromkeys([*classes, *there]):
        found.add(target, _subject(each), registered(each.states(), each.events()))
    return {*classes, *own}


def _subject(declared: type[Machine]) -> str:
    return f"{declared.name}@{declared.version}"


@contextmanager
def _importable(path: Path | None) -> Iterator[None]:
    """Put first on the path what `python -m` or `python FILE` would, and take it away again."""
    before = list(sys.path)
    sys.path.insert(0, str(_root(path) if path else Path.cwd()))
    try:
        yield
    finally:
        sys.path[:] = before


def _root(path: Path) -> Path:
    """Return the folder from which the module of *path* is imported: above its outermost package."""
    folder = path.resolve().parent
    while (folder / "__init__.py").exists():
        folder = folder.parent
    return folder


def _from_file(path: Path) -> ModuleType:
    parts = path.resolve().relative_to(_root(path)).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    if len(parts) > 1:
        return importlib.import_module(name)
    if name in sys.modules:
        name = f"checked_{name}"  # a file may be called like a module that is in use
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Unreadable(f"{path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks annotations up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _why(target: str, path: Path | None, error: BaseException) -> str:
    """Say in one sentence why the import failed, with the line of the target's own code if there is one."""
    if isinstance(error, Unreadable):
        return str(error)
    missing = error.name if isinstance(error, ModuleNotFoundError) and path is None else None
    if missing and f"{target}.".startswith(f"{missing}."):
        return f"There is no module {target!r}."
    if isinstance(error, SyntaxError):
        return f"{target} cannot be read: {error.msg} ({Path(error.filename or target).name}:{error.lineno})."
    told = " ".join(str(error).split())
    said = f"{type(error).__name__}: {told}" if told else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if path and Path(f.filename).resolve() == path.resolve()]
    outside = [f for f in frames if "importlib" not in f.filename and f.filename != __file__]
    place = (own or outside)[-1:]
    where = f" ({Path(place[0].filename).name}:{place[0].lineno})" if place else ""
    return f"{target} cannot be imported: {said.rstrip('.')}{where}."
