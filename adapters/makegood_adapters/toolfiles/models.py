"""Write an input model as the inputs of a tool file, where a file can say the same."""

import re
from typing import Any

from pydantic import create_model

from makegood.jobtype import File, JobInput, JobType
from makegood_adapters.toolfiles.fields import COUNT_MAX, KINDS, FileTable
from makegood_adapters.toolfiles.format import Tool
from makegood_adapters.toolfiles.inputs import annotation

_NOT_COMPARED = ("title", "description")
#: The formats of each kind of file.
_FORMATS = {
    kind: {*table.model_fields["formats"].default}
    for kind, table in KINDS.items()
    if issubclass(table, FileTable)
}


def written(job_type: type[JobType]) -> tuple[dict[str, Any], list[str]]:
    """Return the tables of the inputs of *job_type*, and a sentence for each that cannot be written."""
    tool: Tool | None = getattr(job_type, "tool", None)
    if tool and job_type.Input.__module__ == f"{__package__}.load":
        tables: dict[str, Any] = tool.model_dump(mode="json", exclude_defaults=True)["inputs"]
        return tables, []
    refused = []
    if not issubclass(job_type.Input, JobInput):
        refused.append("its Input is no JobInput: a file refuses unknown inputs")
    decorators = job_type.Input.__pydantic_decorators__
    if any((decorators.validators, decorators.field_validators, decorators.model_validators)):
        refused.append("its Input has validators in Python, and a file has no expressions")
    properties = job_type.Input.model_json_schema().get("properties", {})
    tables = {}
    for name, info in job_type.Input.model_fields.items():
        table = _table(properties[name], job_type.file_fields().get(name))
        if info.is_required():
            table["required"] = True
        elif info.default is not None:
            table["default"] = info.default
        if info.alias or not _says(name, table, properties[name], info.metadata):
            refused.append(f"the input {name!r} is declared in Python as no kind of a file's inputs is")
        tables[name] = table
    return tables, refused


def _table(schema: dict[str, Any], mark: File | None) -> dict[str, Any]:
    """Return the nearest table; what it leaves out is found when both are compared."""
    [schema, *_] = [s for s in schema.get("anyOf", [schema]) if s.get("type") != "null"]
    if mark:
        family = next((kind for kind, formats in _FORMATS.items() if formats >= {*mark.formats}), "image")
        table = {"kind": family, "formats": [*mark.formats], "size_max_bytes": mark.size_max}
        counts = {"count_min": schema.get("minItems", 1), "count_max": schema.get("maxItems", COUNT_MAX)}
        return {**table, **counts} if schema.get("type") == "array" else table
    if schema.get("type") == "boolean":
        return {"kind": "boolean"}
    if choices := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
        return {"kind": "choice", "choices": choices}
    if (kind := schema.get("type")) in ("integer", "number"):
        return {"kind": kind, "min": schema.get("minimum", 0), "max": schema.get("maximum", 0)}
    return {"kind": "text", "length_max": schema.get("maxLength", 1)}


def _says(name: str, table: dict[str, Any], schema: dict[str, Any], metadata: list[Any]) -> bool:
    """Whether the table accepts just what the model does."""
    whole = {"name": "x", "version": 1, "label": "x", "extends": "base@1", "pool": "x", "price": 0}
    try:
        spec = Tool.model_validate({**whole, "inputs": {name: table}}).inputs[name]
    except ValueError:
        return False
    default: Any = ... if spec.required else spec.fallback
    fields: dict[str, Any] = {name: (annotation(spec), default)}
    model = create_model("Written", __base__=JobInput, **fields)
    mine = model.model_json_schema()["properties"][name]
    marks = [{_mark(mark) for mark in found} for found in (model.model_fields[name].metadata, metadata)]
    return marks[0] == marks[1] and _compared(mine) == _compared(schema)


def _mark(mark: object) -> str:
    """Return what two marks have in common that mean the same: 1 or 1.0, whatever address pydantic shows."""
    told = getattr(mark, "__dict__", None)
    return re.sub(r"\.0(?=\W|$)", "", f"{type(mark).__name__} {told}" if told else repr(mark))


def _compared(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in _NOT_COMPARED}
