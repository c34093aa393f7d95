"""The documentation as a site: what is made from the program is current, all is told, every link leads on."""

import hashlib
import html
import importlib
import pkgutil
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest
from cyclopts import CycloptsError
from docs import build

import makegood
import makegood.errors
import makegood_adapters
from makegood.engine import TOO_FEW
from makegood.errors import MakegoodError
from makegood.statement import FAILURES
from makegood_adapters.cli.app import build as command_line
from makegood_adapters.http.problems import CODES
from tests.site import pages
from tests.site.commands import commands_page
from tests.site.configuration import configuration_page
from tests.site.schema import schema_page
from tests.site.shipped_types import shipped_types_page
from tests.test_docs import BLOCK, HOUSE, PAGES

DOCS = HOUSE / "docs"
COPIES = {
    "mermaid.tiny.js": "7a644017d37f93c8359790884e6b67fb1f747c78eb20475952404bd87190a3f8",
    "iframe-worker.js": "e8e412dbcfea9b7e31b5ffa288d7b6035915e714c542f4176a0cdbe262fc9609",
}
#: How the code of pages is held against the program, by the language that a block names.
CHECKED = {
    "python": "run, and its output compared with the text below it: test_docs.py",
    "text": "output of the block before it, or of the command that the page tells: compared there",
    "sh": "its commands and options are parsed below; those of the tutorial are run: test_tutorial.py",
    "console": "the same; it shows a prompt's session",
    "sql": "executed by the owner of a database: test_docs.py",
    "toml": "read as what it is: test_docs.py, tests/engine/test_problems.py, tests/adapters",
    "py": "mistakes on purpose, run one by one: tests/engine/test_problems.py; or a line to read",
    "ts": "compiled against the client: tests/client",
    "js": "run by a browser's API: tests/api/test_events.py",
    "json": "compared with what is sent: tests/api, tests/adapters/queue_manager/test_realtime.py",
    "mermaid": "drawn by the browser; a machine's is compared with it: test_docs.py",
    "yaml": "a part of another program's file, which is not here to read it",
    "ini": "a file of systemd, which is not here to read it",
}


def read(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


MADE = {
    "cli.md": commands_page,
    "configuration.md": configuration_page,
    "shipped-types.md": shipped_types_page,
}


@pytest.mark.parametrize("page", MADE)
def test_a_page_that_is_made_from_the_program_is_current(page: str) -> None:
    made = pages.put(page, MADE[page]())
    assert "UNTOLD" not in made, "tell it in config/makegood.toml, or in tests/site/words.toml"
    assert read(f"reference/{page}") == made, "renew it: .venv/bin/python -m tests.site.pages"


async def test_the_schema_is_told_with_the_comments_of_the_database(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        made = pages.put("schema.md", await schema_page(connection))
    finally:
        await connection.close()
    assert "UNTOLD" not in made, "a table, view, column or callable function lacks its `comment on`"
    assert read("reference/schema.md") == made, "renew it: .venv/bin/python -m tests.site.pages"


def navigated(entries: "list[object]") -> Iterator[str]:
    """Yield the pages of a navigation, in order."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            for inner in entry.values():
                yield from [inner] if isinstance(inner, str) else navigated(inner)


def test_every_page_is_in_the_navigation_once() -> None:
    nav = tomllib.loads((HOUSE / "zensical.toml").read_text("utf-8"))["project"]["nav"]
    listed = sorted(navigated(nav))
    there = [str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")]
    assert listed == sorted([*there, "changelog.md", "contributing.md"])


def test_every_error_is_told() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", read("reference/errors.md"), re.MULTILINE))
    raised = {name for name, value in vars(makegood.errors).items() if is_error(value)}
    for package in (makegood_adapters,):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".cli" not in found.name and ".simulator" not in found.name and "pytest" not in found.name:
                module = importlib.import_module(found.name)
                raised |= {n for n, value in vars(module).items() if is_error(value) and n[0] != "_"}
    assert raised <= told, raised - told


def is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, MakegoodError)


def test_every_problem_code_and_category_is_told() -> None:
    text = read("reference/errors.md")
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \| (.+?) \|", text, re.MULTILINE)
    assert {code: (int(status), title) for code, status, title in rows} == dict(CODES)
    section = text[text.index("## Why a job failed") :]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == {*FAILURES, TOO_FEW}


def test_every_public_name_is_in_the_reference() -> None:
    told = re.findall(r"^::: makegood\.(\w+)$", read("reference/python.md"), re.MULTILINE)
    assert sorted(told) == makegood.__all__


def test_every_test_that_a_page_names_is_there() -> None:
    sources = [path.read_text("utf-8") for path in (HOUSE / "tests").rglob("test_*.py")]
    tests = {name for text in sources for name in re.findall(r"def (test_\w+)\(", text)}
    named = set(re.findall(r"`(test_\w+)`", read("explanation/failures.md")))
    assert len(named) > 30
    assert named <= tests, named - tests


def commands() -> Iterator[tuple[str, str]]:
    """Yield each command line of ours that a page shows, with the page."""
    for page in PAGES:
        for kind, text in BLOCK.findall(page.read_text("utf-8")):
            if kind in ("sh", "console"):
                for line in re.sub(r"\\\n| \d?> ?\S+", " ", text).splitlines():
                    for shown in re.findall(
                        r"(?:^|\$\(|&& |\| |env \S+ )makegood ([^|&;<>)]+)", line.strip()
                    ):
                        yield page.name, shown


def test_every_command_that_a_page_shows_can_be_given() -> None:
    app, found = command_line(), list(commands())
    assert len(found) > 40
    for page, shown in found:
        words = shlex.split(shown, comments=True)
        try:
            app.parse_args(words, exit_on_error=False, print_error=False)
        except CycloptsError as error:
            pytest.fail(f"{page}: makegood {shown}: {error}")


def test_every_kind_of_code_is_checked_somewhere() -> None:
    kinds = {kind for page in PAGES for kind, _ in BLOCK.findall(page.read_text("utf-8"))}
    assert kinds <= CHECKED.keys()


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_the_published_one(name: str) -> None:
    """dist/mermaid.tiny.js of @mermaid-js/tiny 11.17.2, shim/index.js of iframe-worker 1.0.4, each under its
    licence."""
    assert hashlib.sha256((DOCS / "assets" / name).read_bytes()).hexdigest() == COPIES[name]
    assert "Permission is hereby granted" in read(f"assets/{name.partition('.')[0]}.LICENSE")


TAG = re.compile(r"<(a|link|script|img|source|iframe)\b[^>]*?\b(?:href|src)=[\"']?([^\"'\s>]+)")
NAMED = re.compile(r"\s(?:id|name)=[\"']?([^\"'\s>]+)")


class Links:
    """What a page of the site links to or loads, and the ids that can be linked to."""

    def __init__(self, page: Path) -> None:
        text = page.read_text("utf-8")
        found = [(tag, html.unescape(target)) for tag, target in TAG.findall(text)]
        self.links = [target for tag, target in found if tag == "a"]
        self.loads = [target for tag, target in found if tag != "a"]
        self.ids = {html.unescape(name) for name in NAMED.findall(text)}
        self.draws = 'class="mermaid"' in text


def test_the_site_is_whole_and_asks_nobody_else() -> None:
    """Strictly built; each link leads to a page and a place on it, and nothing is loaded from elsewhere."""
    assert build.main() == 0
    site = {path: Links(path) for path in build.SITE.rglob("*.html") if path.name != "404.html"}
    pages_there = {str(path.relative_to(build.SITE).with_suffix(".md")) for path in site}
    assert {name.replace("README", "index") for name in navigated_pages()} <= pages_there
    wrong = []
    for page, found in site.items():
        for target in (*found.links, *found.loads):
            parts = urlsplit(target)
            if parts.scheme in ("http", "https", "mailto") or target.startswith("//"):
                wrong += [f"{page.name} loads {target}"] * (target in found.loads)
                continue
            place = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            place = place / "index.html" if place.is_dir() else place
            known = site.get(place)
            if not place.exists() or (parts.fragment and known and unquote(parts.fragment) not in known.ids):
                wrong.append(f"{page.relative_to(build.SITE)}: {target}")
    assert not wrong
    drawn = [page for page, found in site.items() if found.draws]
    assert len(drawn) >= 2
    assert all(any("mermaid.tiny.js" in load for load in site[page].loads) for page in drawn)
    # From the disk a search has no worker and may fetch nothing: it needs these two.
    assert all(any("iframe-worker.js" in load for load in found.loads) for found in site.values())
    assert (build.SITE / "search.js").is_file()


def navigated_pages() -> list[str]:
    return list(navigated(tomllib.loads((HOUSE / "zensical.toml").read_text("utf-8"))["project"]["nav"]))
