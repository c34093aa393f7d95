"""Build the documentation as a site: stage the pages with the sources that they link to, then run zensical.

A page links to what lies beside docs/ as it does in the repository: `../../engine/makegood/engine.py`. A
site has no such file, so each that is linked to becomes a page under `source/`, and the link leads there.
"""

import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
DOCS, STAGED, SITE = HOUSE / "docs", HOUSE / "dist" / "pages", HOUSE / "dist" / "docs"
#: Files of the repository that have a place of their own on the site.
PLACES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "docs": "index.md",
}
#: What is copied as it is; every other file that a page links to becomes a page.
COPIED = {".css", ".js", ".json", ".png", ".svg", ".woff2"}
LANGUAGES = {".py": "python", ".sql": "sql", ".toml": "toml", ".ts": "ts", ".html": "html", ".js": "js"}
LINK = re.compile(r"(?<=\]\()(?!https?://|mailto:|#)([^)#\s]+)((?:#[^)\s]*)?)(?=\))")
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
BULLET = re.compile(r"^(?:[-*] |\d+\. )")


@dataclass
class Staging:
    """The pages under way: what is written, what is still to be written, and what is wrong."""

    waiting: list[Path] = field(default_factory=list)
    known: set[Path] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def place_of(self, path: Path) -> Path | None:
        """Tell where a file or folder of the repository is on the site, and see to it that it gets there."""
        if not path.exists() or not path.is_relative_to(HOUSE):
            return None
        name = str(path.relative_to(HOUSE))
        if name in PLACES:
            return Path(PLACES[name])
        if path.is_relative_to(DOCS) and (path.suffix == ".md" or path.suffix in COPIED):
            return path.relative_to(DOCS)
        if path not in self.known:
            self.known.add(path)
            self.waiting.append(path)
        if path.is_dir():
            return Path("source") / name / "index.md"
        return Path("source") / (name if path.suffix == ".md" else f"{name}.md")


def relative(target: Path, page: Path) -> str:
    """Write a place of the site as a link from a page of it."""
    ups = 0
    folder = page.parent
    while not target.is_relative_to(folder):
        folder, ups = folder.parent, ups + 1
    return "../" * ups + str(target.relative_to(folder))


def staged(text: str, origin: Path, place: Path, staging: Staging) -> str:
    """Let the links of a page that lies at *origin* lead to places of the site, as seen from *place*."""

    def led(match: re.Match[str]) -> str:
        target = staging.place_of((origin.parent / match[1]).resolve())
        if target is None:
            staging.problems.append(f"{origin.relative_to(HOUSE)}: {match[1]} is not there")
            return match[0]
        return relative(target, place) + (match[2] if target.parts[0] != "source" else "")

    lines, fence, before = [], "", ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if mark and (not fence or line.strip().startswith(fence)):
            fence = "" if fence else mark[1]
        elif not fence:
            if BULLET.match(line) and before and not BULLET.match(before) and before[0] not in " #":
                staging.problems.append(
                    f"{origin.relative_to(HOUSE)}:{number}: a list begins after an empty line"
                )
            line = LINK.sub(led, line)
            before = line if not (before.startswith("- ") and line.startswith("  ")) else before
        lines.append(line)
        if fence or not line.strip():
            before = ""
    return "\n".join(lines) + "\n"


def source_page(path: Path, place: Path, staging: Staging) -> str:
    """Write the page of a source file, or of a folder with a link to each of its files."""
    name = path.relative_to(HOUSE)
    head = "---\nsearch:\n  exclude: true\n---\n\n"
    if path.is_dir():
        inner = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith((".", "_")))
        links = [f"- [{p.name}]({relative(staging.place_of(p) or place, place)})" for p in inner]
        return f"{head}# {name}/\n\n" + "\n".join(links) + "\n"
    if path.suffix == ".md":
        return staged(path.read_text("utf-8"), path, place, staging)
    language = LANGUAGES.get(path.suffix, "text")
    return f"{head}# {name}\n\n~~~~~~ {language}\n{path.read_text('utf-8')}~~~~~~\n"


def stage() -> Staging:
    """Write all pages of the site into an empty folder, and tell what is wrong with them."""
    shutil.rmtree(STAGED, ignore_errors=True)
    staging = Staging()
    origins = [HOUSE / "CHANGELOG.md", HOUSE / "CONTRIBUTING.md", *sorted(DOCS.rglob("*"))]
    for origin in origins:
        place = staging.place_of(origin) if origin.suffix in {".md"} | COPIED else None
        if place is None or origin.is_relative_to(DOCS / "theme"):
            continue
        (STAGED / place).parent.mkdir(parents=True, exist_ok=True)
        if origin.suffix == ".md":
            (STAGED / place).write_text(staged(origin.read_text("utf-8"), origin, place, staging), "utf-8")
        else:
            shutil.copyfile(origin, STAGED / place)
    while staging.waiting:
        path = staging.waiting.pop()
        place = staging.place_of(path)
        assert place is not None
        (STAGED / place).parent.mkdir(parents=True, exist_ok=True)
        (STAGED / place).write_text(source_page(path, place, staging), "utf-8")
    return staging


def main() -> int:
    """Stage, build, and say where the site is; 1 if anything is wrong with it."""
    began = time.monotonic()
    problems = stage().problems
    if problems:
        sys.stderr.write("\n".join(problems) + "\n")
        return 1
    shutil.rmtree(SITE, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "zensical",
        "build",
        "--strict",
        "--config-file",
        str(HOUSE / "zensical.toml"),
    ]
    built = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=False)
    if built.returncode:
        sys.stderr.write(f"{built.stdout}\n{built.stderr}\n")
        return 1
    pages = len(list(SITE.rglob("*.html")))
    sys.stdout.write(f"{pages} pages in {time.monotonic() - began:.1f} s: open {SITE / 'index.html'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
