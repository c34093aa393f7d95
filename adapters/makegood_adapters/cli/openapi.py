"""The command `makegood openapi`: the API as an OpenAPI document, or as a page of its reference."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from makegood.errors import InvalidRequest
from makegood_adapters.http.openapi import openapi as document
from makegood_adapters.http.reference import reference
from makegood_adapters.http.v1 import OPERATIONS


def openapi(
    *,
    server: Annotated[str, Parameter(name="--server")] = "/v1",
    format: Annotated[Literal["json", "md"], Parameter(name="--format")] = "json",
    output: Annotated[Path | None, Parameter(name="--output")] = None,
) -> None:
    """Write the API as an OpenAPI 3.1 document, with the states of the shipped job types.

    A running service tells its own at /v1/openapi.json, with the states of the job types that it has.

    Parameters
    ----------
    server
        Where the API is, say https://jobs.example/v1.
    format
        The document (json), or a page with its operations and problems in Markdown (md).
    output
        A file to write to; left out: the terminal.

    Examples
    --------
    makegood openapi --server https://jobs.example/v1 --output openapi.json
    """
    if format == "md":
        text = reference(OPERATIONS)
    else:
        text = json.dumps(document(OPERATIONS, server=server), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"Cannot write {output}: {error.strerror or type(error).__name__}.") from None
