"""The command `makegood graph`: a job type as a picture, a table, or code in another language."""

import importlib
import json as as_json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Literal, TypeGuard, assert_never

from cyclopts import Parameter

from makegood.errors import InvalidRequest, MakegoodError
from makegood.lifecycle import BaseJob
from makegood.machine import Machine, Spec
from makegood.machine.projections import (
    event_table,
    mermaid,
    openapi,
    sql,
    state_table,
    svg,
    to_json,
    typescript,
    xstate,
)
from makegood_adapters.cli.told import Json
from makegood_adapters.toolfiles import default_tools_folder, load_tool, load_tools

Format = Literal["mermaid", "svg", "ts", "md", "xstate", "openapi", "sql", "json"]

_BASE = "base"


def graph(
    job_type: Annotated[str | Path, Parameter(name="TYPE")],
    /,
    *,
    format: Annotated[Format | None, Parameter(name="--format")] = None,
    json: Json = False,
    output: Annotated[Path | None, Parameter(name="--output")] = None,
) -> None:
    """Show the states, events and money of a job type.

    Parameters
    ----------
    job_type
        "base", the name of a shipped tool, a tool file, or a class as module:Class.
    format
        A diagram (mermaid, svg), Markdown tables (md), TypeScript types (ts), an XState machine, OpenAPI
        schemas, the rows in the database (sql), or all of it to be read by a program (json); left out:
        mermaid.
    json
        The same as --format json.
    output
        A file to write to; left out: the terminal.

    Examples
    --------
    makegood graph upscaler --format svg --output upscaler.svg
    """
    if json and format not in (None, "json"):
        raise InvalidRequest(f"--json and --format {format} are two formats: leave one out.")
    text = project(find_type(str(job_type)).spec, "json" if json else format or "mermaid").rstrip("\n") + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"Cannot write {output}: {error.strerror or type(error).__name__}.") from None


def find_type(name: str) -> type[Machine]:
    """Return the type that *name* stands for; InvalidRequest says what there is."""
    if name == _BASE:
        return BaseJob
    if name.endswith(".toml"):
        return load_tool(Path(name))
    if ":" in name:
        return _imported(name)
    tools = {tool.name: tool for tool in load_tools(default_tools_folder())}
    if name not in tools:
        raise InvalidRequest(
            f"There is no job type {name!r}: there is {', '.join([_BASE, *sorted(tools)])}; "
            "a tool file is named by its path, a class as module:Class."
        )
    return tools[name]


def project(spec: Spec, format: Format) -> str:
    """Return *spec* in one format."""
    match format:
        case "mermaid":
            return mermaid(spec)
        case "svg":
            return svg(spec)
        case "ts":
            return typescript(spec)
        case "md":
            return f"{state_table(spec)}\n\n{event_table(spec)}"
        case "xstate":
            return _json(xstate(spec))
        case "openapi":
            return _json(openapi(spec))
        case "sql":
            return sql(spec)
        case "json":
            return to_json(spec)
        case _:
            assert_never(format)


def _imported(address: str) -> type[Machine]:
    module, _, name = address.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), name]):
        raise InvalidRequest(f"{address!r} is not written as module:Class.")
    # As with `python -m`, modules of the working folder are found.
    sys.path.insert(0, str(Path.cwd()))
    try:
        # What the module prints must not mix with what is generated.
        with redirect_stdout(sys.stderr):
            found = getattr(importlib.import_module(module), name, None)
    except MakegoodError:
        raise
    except (Exception, SystemExit) as error:
        told = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise InvalidRequest(f"The module {module!r} cannot be imported: {told}.") from None
    finally:
        sys.path.remove(str(Path.cwd()))
    if _is_declared(found):
        return found
    if found is not None:
        raise InvalidRequest(f"{name!r} in the module {module!r} is not a job type.")
    there = sorted(n for n, v in vars(sys.modules[module]).items() if _is_declared(v))
    raise InvalidRequest(
        f"The module {module!r} has no class {name!r}; its job types are {', '.join(there) or 'none'}."
    )


def _is_declared(value: object) -> TypeGuard[type[Machine]]:
    return isinstance(value, type) and issubclass(value, Machine) and bool(value.states())


def _json(document: dict[str, object]) -> str:
    return as_json.dumps(document, indent=2, ensure_ascii=False)
