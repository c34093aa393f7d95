"""The file that is being written: its job types, what is wrong with it, and whether it has changed."""

import asyncio
import sys
import traceback
from pathlib import Path

from makegood import Catalog
from makegood.errors import DeclarationError
from makegood.lifecycle import BaseJob
from makegood_adapters.cli.stage import StageError
from makegood_adapters.cli.targets import Finding, examine

#: How often the file is looked at, in seconds.
LOOK_SECONDS = 0.5


class Mistaken(StageError):
    """The file cannot be used as it is; the message says where and what to do."""


class Source:
    """A Python file and the modules beside it that it imports."""

    def __init__(self, path: Path) -> None:
        if path.suffix != ".py" or not path.is_file():
            raise StageError(
                f"There is no Python file {path}. `makegood init NAME` writes one to begin with, "
                "NAME/NAME.py."
            )
        self.path, self.folder = path, path.resolve().parent
        self._others = frozenset(sys.modules)
        self._seen: tuple[tuple[str, int, int], ...] = ()
        # An edit within a second of the one before may leave size and second as they were.
        sys.dont_write_bytecode = True

    async def load(self) -> list[type[BaseJob]]:
        """Import the file anew and return its job types. Raises Mistaken, with all that is wrong."""
        self._seen = before = self._state()
        try:
            # In a thread of its own: a file may begin a loop of its own while it is imported.
            return await asyncio.to_thread(self._load)
        finally:
            # What was saved meanwhile may not have been read; what was imported for the first time has been.
            told = {each[0]: each for each in (*self._state(before), *before)}
            self._seen = tuple(told[path] for path in sorted(told))

    async def changed(self) -> None:
        """Return once the file is another than the one that was loaded last, or that was mistaken."""
        while not self.is_changed():  # noqa: ASYNC110 - the file system does not call
            await asyncio.sleep(LOOK_SECONDS)

    def is_changed(self) -> bool:
        """Look whether it is."""
        return self._state(self._seen) != self._seen

    def _load(self) -> list[type[BaseJob]]:
        for name in self._own_modules():
            del sys.modules[name]
        found = examine([str(self.path)])
        if told := [*found.unreadable, *map(_line, found.findings)]:
            raise Mistaken(_sentence(told))
        try:
            types = [each for each in found.classes if issubclass(each, BaseJob)]
            Catalog(types)
        except DeclarationError as error:
            raise Mistaken(str(error)) from None
        return types

    def _own_modules(self) -> dict[str, Path]:
        """Return the modules of the file's folder that came with it, with their files."""
        found = {}
        for name in set(sys.modules) - self._others:
            file = getattr(sys.modules[name], "__file__", None)
            ours = name.partition(".")[0] in ("makegood", "makegood_adapters")
            if (
                file
                and not ours
                and "site-packages" not in file
                and Path(file).resolve().is_relative_to(self.folder)
            ):
                found[name] = Path(file)
        return found

    def _state(self, known: tuple[tuple[str, int, int], ...] = ()) -> tuple[tuple[str, int, int], ...]:
        """Return name, time and size of every file that counts; one that is away has none of both."""
        paths = {str(self.path.resolve()), *map(str, self._own_modules().values()), *(k[0] for k in known)}
        return tuple((path, *_stamp(Path(path))) for path in sorted(paths))


def rules_of(types: list[type[BaseJob]]) -> dict[tuple[str, int], str]:
    """Return the digest of each machine by name and version: a database keeps the first that it is told."""
    return {(each.name, each.version): each.spec.digest for each in types}


def told_of(error: Exception, folder: Path) -> str | None:
    """Return where in a file of *folder* the error arose, and what it says; None if it arose elsewhere."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve().parent == folder]
    if not own:
        return None
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}: {type(error).__name__}: {error}"


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:  # an editor may write a new file in its place
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _line(finding: Finding) -> str:
    problem = finding.problem
    place = f"{Path(problem.file).name}:{problem.line}: " if problem.file and problem.line else ""
    return f"{place}{problem.code} {problem.sentence}"


def _sentence(told: list[str]) -> str:
    whole = told[0] if len(told) == 1 else f"{len(told)} problems: " + "; ".join(told)
    return whole.rstrip(".") + "."
