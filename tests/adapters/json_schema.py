"""As much of JSON Schema as the schema of tool files uses; an unknown word fails instead of passing."""

import re
from collections.abc import Iterator
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_TOLD = {"title", "description", "default", "$schema", "$defs", "discriminator"}


def complaints(value: object, schema: dict[str, Any], root: dict[str, Any]) -> list[str]:
    """Return why *value* does not fit *schema*."""
    if "$ref" in schema:
        return complaints(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    return [text for word in schema if word not in _TOLD for text in _word(word, value, schema, root)]


def _word(word: str, value: Any, schema: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    wanted = schema[word]
    wrong = False
    match word:
        case "type":
            kinds = wanted if isinstance(wanted, list) else [wanted]
            is_flag = isinstance(value, bool) and "boolean" not in kinds
            wrong = is_flag or not any(isinstance(value, _TYPES[kind]) for kind in kinds)
        case "enum":
            wrong = value not in wanted
        case "const":
            wrong = value != wanted
        case "anyOf" | "oneOf":
            fitting = sum(not complaints(value, option, root) for option in wanted)
            wrong = fitting == 0 or (word == "oneOf" and fitting > 1)
        case "minimum" | "exclusiveMinimum" | "maximum":
            if isinstance(value, (int, float)):
                over = {"minimum": value < wanted, "exclusiveMinimum": value <= wanted}
                wrong = over.get(word, value > wanted)
        case "minLength" | "minItems" | "minProperties":
            wrong = isinstance(value, (str, list, dict)) and len(value) < wanted
        case "pattern":
            wrong = isinstance(value, str) and not re.search(wanted, value)
        case "required":
            wrong = isinstance(value, dict) and not set(wanted) <= set(value)
        case "items":
            for item in value if isinstance(value, list) else []:
                yield from complaints(item, wanted, root)
        case "properties":
            for key in wanted if isinstance(value, dict) else []:
                if key in value:
                    yield from complaints(value[key], wanted[key], root)
        case "patternProperties":
            for pattern, inner in wanted.items():
                for key in value if isinstance(value, dict) else []:
                    if re.search(pattern, key):
                        yield from complaints(value[key], inner, root)
        case "additionalProperties":
            patterns = schema.get("patternProperties", {})
            for key in value if isinstance(value, dict) else []:
                known = key in schema.get("properties", {}) or any(re.search(p, key) for p in patterns)
                if not known:
                    yield from complaints(value[key], wanted, root) if wanted else [f"no key {key!r}"]
        case "propertyNames":
            for key in value if isinstance(value, dict) else []:
                yield from complaints(key, wanted, root)
        case _:
            raise AssertionError(f"the schema uses {word!r}, which nobody checks")
    if wrong:
        yield f"{value!r} is against {word} {wanted!r}"
