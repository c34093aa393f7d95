"""The files of the page: what is ours stays small, what is not ours is what was published."""

import hashlib
import re
from pathlib import Path

import pytest

from makegood_adapters.http.page.serving import STATIC

#: `preact/standalone.module.js` of the npm package htm 3.1.1.
PREACT = "72284e8e9079c87817145df1110f74e8a2aa040b2fc384922e18dfcb46fc1fd7"
OWN_BYTES_MAX = 40_000
LINES_MAX, LINE_LENGTH_MAX = 400, 110
OWN = sorted(path for path in STATIC.glob("*") if path.suffix in (".js", ".css"))


def test_the_library_is_the_published_one_and_its_licences_are_beside_it() -> None:
    assert hashlib.sha256((STATIC / "vendor" / "preact.js").read_bytes()).hexdigest() == PREACT
    assert "The MIT License" in (STATIC / "vendor" / "LICENSE-preact.txt").read_text("utf-8")
    assert "Apache License" in (STATIC / "vendor" / "LICENSE-htm.txt").read_text("utf-8")


def test_own_code_is_small() -> None:
    sizes = {path.name: path.stat().st_size for path in OWN}
    assert len(sizes) > 4, "the files of the page are looked at"
    assert sum(sizes.values()) <= OWN_BYTES_MAX, sizes


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_own_code_is_written_to_be_read(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= LINES_MAX
    assert not [number for number, line in enumerate(lines, 1) if len(line) > LINE_LENGTH_MAX]


def test_nothing_in_the_markup_needs_a_weaker_policy() -> None:
    index = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?:", index)
