"""The keys of the configuration as tables, from its models and the comments of config/makegood.toml."""

import ast
import inspect
import re
import tomllib
import types
import typing
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from makegood.settings import Settings
from makegood_adapters.config import ServiceConfig

HOUSE = Path(__file__).resolve().parents[2]
#: Words for keys whose comment goes on from the line above it.
WORDS = Path(__file__).with_name("words.toml")
_KEY = re.compile(r"^(?:# )?(\w+) = (?P<value>.*?)(?:\s{2,}# (?P<told>.+))?$")
_SECTION = re.compile(r"^(?:# )?\[+(\w+)\]+$")
_GOES_ON = re.compile(r"^#?\s{10,}# ?\s*(.+)$|^#\s{10,}(.+)$")

_PAGE_NAMED = re.compile(r"\(?\bdocs/([\w/-]+)\.md\)?")


def meanings() -> dict[str, str]:
    """Return what config/makegood.toml says of each key, by path: the comment behind or before it."""
    found: dict[str, str] = {}
    block: list[str] = []
    section, last = "", ""
    for line in (HOUSE / "config" / "makegood.toml").read_text("utf-8").splitlines():
        if more := _GOES_ON.match(line):
            found[last] = f"{found[last]} {more[1] or more[2]}".strip()
        elif named := _SECTION.match(line):
            section = f"{named[1]}."
            found[named[1]], block = " ".join(block), []
        elif key := _KEY.match(line):
            last = f"{section}{key[1]}"
            found[last] = key["told"] or " ".join(block)
            block = []
        elif line.startswith("#"):
            block.append(line.removeprefix("#").strip())
        else:
            block = []
    return found


def attribute_docstrings(model: type) -> dict[str, str]:
    """Return the texts that stand below the fields of *model* in its source."""
    [body] = ast.parse(inspect.getsource(model)).body
    assert isinstance(body, ast.ClassDef)
    told = {}
    for line, below in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(line, ast.AnnAssign)
            and isinstance(line.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            told[line.target.id] = " ".join(str(below.value.value).split())
    return told


def type_in_words(annotation: Any) -> str:
    """Say what may be given, in the words of the reference."""
    origin, given = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_in_words(given[0])
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in given)
    if origin in (typing.Union, types.UnionType):
        return type_in_words(next(one for one in given if one is not type(None)))
    if origin in (list, tuple):
        return f"list of {type_in_words(given[0])}s"
    if origin is dict:
        return f"table of {type_in_words(given[1])}s"
    words = {
        bool: "yes or no",
        int: "whole number",
        float: "number",
        str: "text",
        SecretStr: "secret",
        Path: "path",
    }
    return words.get(annotation, "text")


def default_in_words(default: Any) -> str:
    """Write a default as it would stand in the file."""
    if default is None:
        return "*none*"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, list | tuple):
        inner = ", ".join(f'"{one}"' if not isinstance(one, int | float) else f"{one:g}" for one in default)
        return f"`[{inner}]`"
    if isinstance(default, dict):
        return "`{}`"
    return f'`"{default}"`' if isinstance(default, str) else f"`{default}`"


def bounds_in_words(metadata: list[Any]) -> str:
    """Say between which values a number lies."""
    words = {"ge": "at least", "gt": "more than", "le": "at most"}
    return "".join(
        f", {word} {getattr(one, name):,}"
        for one in metadata
        for name, word in words.items()
        if hasattr(one, name)
    )


def rows(model: type[BaseModel], section: str) -> Iterator[str]:
    """Yield a row for each key of *model* that is no table of its own."""
    told, words = meanings(), tomllib.loads(WORDS.read_text("utf-8"))
    for name, field in model.model_fields.items():
        path = f"{section}{name}"
        if table_of(field.annotation) is not None:
            continue
        default = field.get_default(call_default_factory=True)
        shown = "" if default is PydanticUndefined else default_in_words(default)
        kind = type_in_words(field.annotation) + bounds_in_words(field.metadata)
        meaning = words.get(path) or told.get(path) or "UNTOLD"
        yield f"| `{name}` | {kind} | {shown} | {_linked(meaning)} |"


def _linked(text: str) -> str:
    """Let a page that a comment names be a link, and begin with a capital."""

    def link(match: re.Match[str]) -> str:
        place = match[1].removeprefix("reference/")
        target = f"{place}.md" if place != match[1] else f"../{place}.md"
        said = f"[{place.rpartition('/')[2].replace('-', ' ')}]({target})"
        return f"({said})" if match[0].startswith("(") else said

    text = _PAGE_NAMED.sub(link, text).replace("|", "\\|")
    first = text.partition(" ")[0]
    return text[0].upper() + text[1:] if first.isalpha() else text


def table_of(annotation: Any) -> type | None:
    """Return the model of a key that is a table, or a list of tables, of its own."""
    for one in (annotation, *typing.get_args(annotation)):
        if isinstance(one, type) and (issubclass(one, BaseModel) or one is Settings):
            return one
    return None


def engine_rows() -> Iterator[str]:
    """Yield a row for each bound of the engine."""
    told, given = attribute_docstrings(Settings), typing.get_type_hints(Settings)
    for field in fields(Settings):
        assert field.default is not MISSING
        kind, default = type_in_words(given[field.name]), default_in_words(field.default)
        yield f"| `{field.name}` | {kind} | {default} | {told[field.name]} |"


def configuration_page() -> str:
    """Return what follows the head of the page."""
    head, told = "| key | type | default | meaning |\n|---|---|---|---|\n", meanings()
    page = f"\n## The service\n\n{head}" + "\n".join(rows(ServiceConfig, "")) + "\n"
    for name, field in ServiceConfig.model_fields.items():
        model = table_of(field.annotation)
        if model is None:
            continue
        several = typing.get_origin(field.annotation) is list
        title = f"[[{name}]]" if several else f"[{name}]"
        inner = engine_rows() if model is Settings else rows(model, f"{name}.")
        intro = f"{_linked(told[name])}\n\n" if told.get(name) else ""
        page += f"\n## `{title}`\n\n{intro}{head}" + "\n".join(inner) + "\n"
    return page
