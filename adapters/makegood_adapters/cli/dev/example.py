"""An input to try a job type with: what the fields name as examples, else what fits them."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from makegood.errors import InvalidInput
from makegood.jobtype import File
from makegood.lifecycle import BaseJob
from makegood_adapters.cli.stage import StageError

_TEXT = "a lighthouse in the fog"
_PICTURES = ("png", "jpeg", "webp")
_SIZE = (480, 320)


def example_of(job_type: type[BaseJob], folder: Path, number: int) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return an input of *job_type* and the files that it names, by field, each of them another one for
    every *number*.

    The first of `Field(examples=[...])` counts, then the default, then what the type of the field allows. An
    example of a file is its name in *folder*. Raises StageError where nothing fits.
    """
    schema = job_type.Input.model_json_schema()
    wanted: dict[str, Any] = {}
    data: dict[str, bytes] = {}
    marks = job_type.file_fields()
    for name, field in job_type.Input.model_fields.items():
        examples = field.examples or []
        if not (field.is_required() or examples):
            continue
        if name in marks:
            data[name] = _file(job_type, name, marks[name], examples, folder, number)
            wanted[name] = [name] if _is_list(schema, name) else name
        elif examples:
            wanted[name] = examples[0]
        else:
            wanted[name] = _fitting(schema["properties"][field.alias or name], schema)
    try:
        job_type.parse(wanted)
    except InvalidInput as error:
        raise StageError(
            f"{job_type.name} cannot be tried: {error} Give each of these fields an example: "
            "`prompt: str = Field(examples=[...])`."
        ) from None
    return wanted, data


def _is_list(schema: Mapping[str, Any], name: str) -> bool:
    return bool(schema["properties"][name].get("type") == "array")


def _file(
    job_type: type[BaseJob], name: str, mark: File, examples: list[Any], folder: Path, number: int
) -> bytes:
    if examples:
        try:
            data = (folder / str(examples[0])).read_bytes()
        except OSError as error:
            raise StageError(
                f"{job_type.name}: the example of {name}, {examples[0]}: {error.strerror}."
            ) from None
        if problem := mark.problem(data):
            raise StageError(f"{job_type.name}: the example of {name}, {examples[0]}: {problem}.")
        return data
    kind = next((kind for kind in _PICTURES if kind in mark.formats), None)
    if kind is None:
        raise StageError(
            f"{job_type.name}: {name} takes {', '.join(mark.formats)}, of which none is made here. Name a "
            f'file beside yours: `Field(examples=["example.{mark.formats[0]}"])`.'
        )
    return _picture(kind, number)


def _picture(kind: str, number: int) -> bytes:
    """Return a picture that only *number* has."""
    image = Image.linear_gradient("L").resize(_SIZE)
    tint = Image.new("L", _SIZE, number * 37 % 256)
    whole = Image.merge("RGB", (image, tint, image.transpose(Image.Transpose.ROTATE_180)))
    for bit in range(24):  # so few corners carry the whole number, whatever the colours round to
        box = (16 * bit, 0, 16 * bit + 16, 16)
        whole.paste((255, 255, 255) if number >> bit & 1 else (0, 0, 0), box)
    file = io.BytesIO()
    whole.save(file, kind.upper())
    return file.getvalue()


def _fitting(field: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """Return a value for the JSON Schema of one field; whether it fits is for the model to say."""
    if "$ref" in field:
        return _fitting(schema["$defs"][field["$ref"].rsplit("/", 1)[-1]], schema)
    for key in ("anyOf", "allOf", "oneOf"):
        if field.get(key):
            return _fitting(field[key][0], schema)
    if "const" in field:
        return field["const"]
    if field.get("enum"):
        return field["enum"][0]
    match field.get("type"):
        case "integer" | "number":
            return _number(field)
        case "boolean":
            return False
        case "array":
            return [_fitting(field.get("items", {}), schema)] * field.get("minItems", 0)
        case "object":
            wanted = field.get("required", ())
            return {name: _fitting(field["properties"][name], schema) for name in wanted}
        case "null":
            return None
        case _:
            return _TEXT[: field.get("maxLength", len(_TEXT))].ljust(field.get("minLength", 0), ".")


def _number(field: Mapping[str, Any]) -> float:
    step = field.get("multipleOf", 1)
    least = field.get("minimum", field.get("exclusiveMinimum", 1 - step) + step)
    most = field.get("maximum", field.get("exclusiveMaximum", least + 2 * step) - step)
    number: float = min(max(least, step), most)
    return number
