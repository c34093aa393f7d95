"""The reference page of the commands, written from their own help and the examples in it."""

import re

from cyclopts import App

from makegood_adapters.cli.app import build
from makegood_adapters.cli.commands import examples_of

_STARTED = re.compile(r"(?<=^makegood)([a-z -]*?) -m \S+", re.MULTILINE)
_HEADING = re.compile(r"^#{3,} makegood (?P<words>[a-z -]+)$", re.MULTILINE)


def commands_page() -> str:
    """Return the reference page of all commands."""
    app = build()
    text = app.generate_docs("markdown", heading_level=2, usage_name="makegood")
    _, _, text = text.partition("**Commands**:")
    pieces = ["\n## All of them\n"]
    found = list(_HEADING.finditer(text))
    pieces.append(_plain(text[: found[0].start()]))
    for heading, after in zip(found, [*found[1:], None], strict=True):
        last = after.start() if after else len(text)
        words = heading["words"].split()
        body = text[heading.end() : last].strip("\n")
        depth = "#" * (1 + len(words))
        pieces.append(f"{depth} makegood {' '.join(words)}\n\n{_plain(body)}\n\n{_examples(app, words)}")
    return "\n".join(piece.rstrip("\n") + "\n" for piece in pieces if piece.strip())


def _examples(app: App, words: list[str]) -> str:
    for word in words:
        app = app[word]
    if not app.default_command:
        return ""
    return "\n".join(["```sh", *examples_of(app.default_command), "```", ""])


def _plain(text: str) -> str:
    # A usage tells how this process was started, too.
    return _STARTED.sub(r"\1", text.replace("```console", "```text")).strip("\n")
