"""What the inputs of a tool file accept: as a sentence, as an annotation, as sample values."""

from collections.abc import Iterable
from enum import Enum
from typing import Annotated, Any, Literal, assert_never

from pydantic import Field, StrictBool, StringConstraints

from makegood.jobtype import File
from makegood_adapters.toolfiles.conditions import Scalar, as_text
from makegood_adapters.toolfiles.fields import (
    AudioInput,
    BooleanInput,
    ChoiceInput,
    FileTable,
    ImageInput,
    Input,
    IntegerInput,
    NumberInput,
    TextInput,
    VideoInput,
)


class Sample(Enum):
    """Stand-ins for values when all situations are enumerated."""

    MISSING = "missing"
    OTHER = "any other value"


def problem_of(spec: Input, value: Scalar) -> str | None:
    """Return why *value* can never be the value of the input, None if it can."""
    match spec:
        case ImageInput() | VideoInput() | AudioInput():
            return f"{a(spec)} is not compared; ask {{ present = true }} or {{ present = false }}"
        case BooleanInput():
            return None if isinstance(value, bool) else "the input is true or false; write it without quotes"
        case TextInput():
            return _text_problem(spec, value)
        case IntegerInput() | NumberInput():
            return _number_problem(spec, value)
        case ChoiceInput():
            return None if value in spec.choices else f"the choices are {', '.join(spec.choices)}"
        case _:
            assert_never(spec)


def _text_problem(spec: TextInput, value: Scalar) -> str | None:
    if not isinstance(value, str):
        return "the input is a text; put the value in quotes"
    if not value.strip():
        return "blank text counts as missing; ask { present = false }"
    if value != value.strip():
        return "spaces around a text are cut off before it is compared"
    if len(value) > spec.length_max:
        return f"the text is longer than length_max = {spec.length_max}"
    return None


def _number_problem(spec: IntegerInput | NumberInput, value: Scalar) -> str | None:
    if isinstance(value, (bool, str)):
        return "the input is a number; write one without quotes"
    if isinstance(spec, IntegerInput) and not isinstance(value, int):
        return "the input is a whole number"
    if not spec.min <= value <= spec.max:
        return f"the range is {as_text(spec.min)} to {as_text(spec.max)}"
    return None


def annotation(spec: Input) -> Any:
    """Return the annotation of the input's field in the job type's input model."""
    kind: Any
    match spec:
        case ImageInput() | VideoInput() | AudioInput():
            return _file(spec)
        case BooleanInput():
            kind = StrictBool
        case TextInput():
            limits = StringConstraints(strip_whitespace=True, min_length=1, max_length=spec.length_max)
            kind = Annotated[str, limits]
        case IntegerInput():
            kind = Annotated[int, Field(ge=spec.min, le=spec.max)]
        case NumberInput():
            kind = Annotated[float, Field(ge=spec.min, le=spec.max, allow_inf_nan=False)]
        case ChoiceInput():
            kind = Literal[spec.choices]
        case _:
            assert_never(spec)
    return kind | None if spec.may_be_missing else kind


def _file(spec: FileTable) -> Any:
    kind: Any = Annotated[str, Field(min_length=1)]
    if spec.is_list:
        counts = Field(min_length=spec.count_min, max_length=spec.count_max)
        kind = Annotated[tuple[kind, ...], counts]
    # The mark must stay outermost: it is looked for in the field's own metadata.
    mark = File(spec.formats, size_max=spec.size_max_bytes)
    return Annotated[kind | None, mark] if spec.may_be_missing else Annotated[kind, mark]


def a(spec: Input) -> str:
    """Return the kind of an input with its article."""
    return f"{'an' if spec.kind[0] in 'aei' else 'a'} {spec.kind}"


def samples(spec: Input, values: Iterable[Scalar]) -> list[object]:
    """Return one value for each situation that conditions on *values* can tell apart."""
    found: list[object]
    match spec:
        case ChoiceInput():
            found = [*spec.choices]
        case BooleanInput():
            found = [True, False]
        case IntegerInput() | NumberInput() | TextInput() | ImageInput() | VideoInput() | AudioInput():
            found = [*dict.fromkeys(values)]
            if not _is_all(spec, len(found)):
                found.append(Sample.OTHER)
        case _:
            assert_never(spec)
    return [*found, Sample.MISSING] if spec.may_be_missing else found


def _is_all(spec: Input, values: int) -> bool:
    """Whether there is no value besides *values* different ones."""
    match spec:
        case IntegerInput():
            return values > spec.max - spec.min
        case NumberInput():
            return values > 0 and spec.max == spec.min
        case _:
            return False
