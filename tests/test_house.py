"""The house keeps its own rules: lengths, folders, public names, SQL headers, import directions."""

import ast
import importlib
import os
import re
import subprocess
import sys
import tokenize
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent
FOLDERS = ("engine", "adapters", "tests")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
OPENING_LINES_MAX = 30
# A name without a meaning collects whatever has no other home.
MEANINGLESS = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc"}
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
# Written so that this file does not contain what it forbids.
LEFTOVERS = re.compile("|".join([r"\.\./" + "shared", "/work" + "/", r"/root" + "/", "proto" + "types/"]))
TEXT = {".py", ".sql", ".toml", ".md", ".yml", ".yaml", ".html", ".js", ".css", ".ts", ""}


def committed(*suffixes: str) -> list[Path]:
    """List the files of the repository, as Git sees them, or as they lie there without Git."""
    listing = subprocess.run(
        ["git", "-c", f"safe.directory={HOUSE}", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        paths = [HOUSE / name for name in listing.stdout.split("\0") if name]
    else:
        paths = [path for folder in FOLDERS for path in (HOUSE / folder).rglob("*")]
    return sorted(path for path in paths if path.is_file() and path.suffix in suffixes)


def python_files() -> list[Path]:
    return [path for path in committed(".py") if path.relative_to(HOUSE).parts[0] in FOLDERS]


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def name(path: Path) -> str:
    return str(path.relative_to(HOUSE))


@cache
def parsed(path: Path) -> tuple[str, list[tuple[str, int]]]:
    """Return the docstring of a file, and each function with its length, decorators included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            functions.append((node.name, (node.end_lineno or first) - first + 1))
    return ast.get_docstring(tree) or "", functions


def test_the_rules_look_at_the_house() -> None:
    assert {path.relative_to(HOUSE).parts[0] for path in python_files()} == set(FOLDERS)


def test_no_file_is_too_long() -> None:
    long = {name(path): len(lines(path)) for path in committed(".py", ".sql", ".toml")}
    assert not {path: length for path, length in long.items() if length > FILE_LINES_MAX}


def test_no_function_is_too_long() -> None:
    long = [(name(path), *found) for path in python_files() for found in parsed(path)[1]]
    assert not [entry for entry in long if entry[2] > FUNCTION_LINES_MAX]


def test_every_module_says_what_it_is_for() -> None:
    """One sentence on the first line; only a file that steers others tells more, in at most thirty lines."""
    wrong = []
    for path in python_files():
        told = parsed(path)[0].splitlines()
        if not told or len(told) > OPENING_LINES_MAX or not re.search(r"[.:]$", told[0]):
            wrong.append(name(path))
    assert not wrong


def test_folders_are_not_packages() -> None:
    """`import engine` would collide with packages of the service that embeds us; `tests` is not installed,
    and is a package because a distribution that we test against installs one of this name."""
    packages = [folder for folder in FOLDERS if (HOUSE / folder / "__init__.py").exists()]
    inner = [path.parent for path in (HOUSE / "tests").rglob("__init__.py")]
    assert (packages, inner) == (["tests"], [HOUSE / "tests"])


@pytest.mark.parametrize("package", ["engine/makegood", "adapters/makegood_adapters"])
def test_packages_tell_type_checkers_that_they_are_typed(package: str) -> None:
    assert (HOUSE / package / "py.typed").exists()
    missing = {path.parent for path in (HOUSE / package).rglob("*.py")}
    assert not [name(folder) for folder in missing if not (folder / "__init__.py").exists()]


def test_module_names_mean_something() -> None:
    assert not [name(path) for path in python_files() if path.stem.strip("_") in MEANINGLESS]


def test_public_names_are_sorted_and_importable() -> None:
    module = importlib.import_module("makegood")
    names: list[str] = module.__all__
    assert names == sorted(names)
    assert len(names) == len(set(names))
    assert not [public for public in names if not hasattr(module, public)]
    assert not [public for public in names if public.startswith("_")]


def test_importing_the_core_loads_no_driver_and_prints_nothing() -> None:
    code = (
        "import sys, makegood; "
        "print(*{'asyncpg', 'aiohttp', 'makegood_adapters', 'pytest', 'PIL'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (told.stdout.strip(), told.stderr) == ("", "")


def test_sql_files_open_with_what_they_do() -> None:
    silent = [name(path) for path in committed(".sql") if not re.match(r"-- \S", (lines(path) or [""])[0])]
    assert not silent


def test_nothing_is_left_unfinished() -> None:
    """A TODO needs its reason beside it: `TODO(why): what`."""
    left = []
    for path in python_files():
        if not UNFINISHED.search(path.read_text(encoding="utf-8")):
            continue
        with path.open("rb") as source:
            comments = [
                token for token in tokenize.tokenize(source.readline) if token.type == tokenize.COMMENT
            ]
        left += [
            f"{name(path)}:{token.start[0]}"
            for token in comments
            if UNFINISHED.search(token.string) and not re.search(r"TODO\([^)]{10,}\): ", token.string)
        ]
    assert not left


def test_rules_are_disabled_with_a_reason() -> None:
    """`# type: ignore[code]  # why` and `# noqa: RULE - why`: the reason stands on the same line."""
    bare = re.compile(r"#\s*(?:type:\s*ignore(?:\[[\w, -]+\])?|noqa(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?)\s*$")
    own = Path(__file__).resolve()
    assert not [
        f"{name(path)}:{number}"
        for path in python_files()
        if path != own
        for number, line in enumerate(lines(path), 1)
        if bare.search(line)
    ]


def test_no_path_of_somebodys_machine_is_left() -> None:
    assert not [
        f"{name(path)}:{number}"
        for path in committed(*TEXT)
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if LEFTOVERS.search(line)
    ]


def test_imports_point_in_the_allowed_directions() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    told = subprocess.run(
        [program, "--no-cache"],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"NO_COLOR": "1"},
    )
    assert told.returncode == 0, told.stdout + told.stderr
