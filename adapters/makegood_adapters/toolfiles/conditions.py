"""The conditions of a tool file: which inputs must have which values for a rule to hold."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of one input: it has one of `values`, or, where `present` is set, is there or not."""

    input: str
    values: tuple[Scalar, ...] = ()
    present: bool | None = None

    def holds(self, given: Mapping[str, object]) -> bool:
        """Whether the inputs *given*, those that are missing left out, meet the condition."""
        if self.present is not None:
            return (self.input in given) is self.present
        return given.get(self.input) in self.values


@dataclass(frozen=True, slots=True)
class When:
    """Cases of which one must hold; in a case every condition must."""

    cases: tuple[tuple[Condition, ...], ...]

    def __iter__(self) -> Iterator[Condition]:
        return (condition for case in self.cases for condition in case)

    def holds(self, given: Mapping[str, object]) -> bool:
        """Whether the inputs *given* meet one of the cases."""
        return any(all(condition.holds(given) for condition in case) for case in self.cases)


ALWAYS = When(((),))


def _read_when(raw: object) -> When:
    cases = [case for case in (raw if isinstance(raw, list) else [raw]) if case]
    tables = [case for case in cases if isinstance(case, dict)]
    if not tables or len(tables) < len(cases):
        raise PydanticCustomError(
            "when",
            'must be a table such as { category = "logo" }, or a list of such tables of which one '
            "must hold; leave `when` out where the rule holds always",
        )
    return When(tuple(tuple(_read_condition(*item) for item in case.items()) for case in tables))


def _read_condition(name: str, raw: object) -> Condition:
    if isinstance(raw, dict):
        if set(raw) != {"present"} or not isinstance(raw["present"], bool):
            raise PydanticCustomError(
                "when",
                "{name}: a table here is { present = true } or { present = false }",
                {"name": name},
            )
        return Condition(name, present=raw["present"])
    values = raw if isinstance(raw, list) else [raw]
    if not values:
        raise PydanticCustomError(
            "when", "{name}: an empty list can never hold; name the values", {"name": name}
        )
    return Condition(name, tuple(_read_scalar(value) for value in values))


def _read_scalar(raw: object) -> Scalar:
    if isinstance(raw, (str, int, float)) and not (isinstance(raw, float) and not math.isfinite(raw)):
        return raw
    raise PydanticCustomError("scalar", "must be a text, a finite number, true or false")


def _write_when(when: When) -> object:
    """Return what `_read_when` reads as *when*."""
    cases = [{c.input: _write_condition(c) for c in case} for case in when.cases]
    return cases[0] if len(cases) == 1 else cases


def _write_condition(condition: Condition) -> object:
    if condition.present is not None:
        return {"present": condition.present}
    return condition.values[0] if len(condition.values) == 1 else [*condition.values]


_SCALARS = {"type": ["string", "number", "boolean"]}
_PRESENT = {
    "type": "object",
    "properties": {"present": {"type": "boolean"}},
    "required": ["present"],
    "additionalProperties": False,
}
_CASE = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {
        "anyOf": [_SCALARS, {"type": "array", "items": _SCALARS, "minItems": 1}, _PRESENT]
    },
}
#: What a `when` may be; the conditions themselves are checked against the inputs.
WHEN_SCHEMA = {
    "description": "All in one table must hold; of a list of tables, one",
    "anyOf": [_CASE, {"type": "array", "items": _CASE, "minItems": 1}],
}

WhenField = Annotated[
    When,
    PlainValidator(_read_when),
    PlainSerializer(_write_when),
    WithJsonSchema(WHEN_SCHEMA, mode="validation"),
]
ScalarField = Annotated[Scalar, PlainValidator(_read_scalar), WithJsonSchema(_SCALARS, mode="validation")]


def as_text(value: object) -> str:
    """Write *value* as the provider takes it: numbers without exponent and without a `.0`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}" if value % 1 else str(int(value))
    return str(value)
