"""The format of tool files as a JSON Schema, by which editors complete keys and mark mistakes."""

import json
from typing import Any

from makegood_adapters.toolfiles.conditions import WHEN_SCHEMA
from makegood_adapters.toolfiles.format import Tool

_DRAFT = "http://json-schema.org/draft-07/schema#"  # what editors of TOML read


def tool_schema() -> dict[str, Any]:
    """Return the JSON Schema of a tool file, generated from the models that read it."""
    schema = _tidy(Tool.model_json_schema(by_alias=True))
    schema["$defs"]["When"] = WHEN_SCHEMA
    return {"$schema": _DRAFT, **schema, "title": "A makegood tool file"}


def schema_text() -> str:
    """Return the schema as the committed file holds it."""
    return json.dumps(tool_schema(), indent=2, ensure_ascii=False) + "\n"


def _tidy(node: Any, names: bool = False) -> Any:
    """Leave out what TOML does not have or need: null, defaults that are tables, titles that repeat the key.

    *names* tells that the keys of *node* are names of the file's own, not words of JSON Schema.
    """
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node == WHEN_SCHEMA:
        return {"$ref": "#/$defs/When"}
    found = {
        key: _tidy(value, not names and key in ("properties", "$defs"))
        for key, value in node.items()
        if names or not _needless(key, value)
    }
    if not names and "patternProperties" in found:
        found["additionalProperties"] = False
    if not names and {"type": "null"} in (options := found.get("anyOf", [])):
        rest = [option for option in options if option != {"type": "null"}]
        del found["anyOf"]
        found |= rest[0] if len(rest) == 1 else {"anyOf": rest}
    return found


def _needless(key: str, value: Any) -> bool:
    return key == "title" or (key == "default" and (value is None or isinstance(value, dict)))
