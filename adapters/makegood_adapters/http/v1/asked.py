"""What `/v1` takes: the base of bodies and queries, and the values that they are made of."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

from makegood.buckets import CREDITS_MAX
from makegood.statement import ENGINE

#: How deep the values of an input may lie in one another.
DEPTH_MAX = 32
#: How many fields an input may have, far more than any job type: to refuse each of thousands takes long.
FIELDS_MAX = 500
#: 64 bits: what every database and most programs can count to.
_WHOLE_MAX = 2**63 - 1
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_HOURS = re.compile(r"\d{1,4}h")
_WHOLE = re.compile(r"-?\d{1,18}")
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


class Asked(BaseModel):
    """Unknown fields are an error, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _written(value: object) -> object:
    """Return the time that a text says: what stands before a validator of pydantic gets no help from JSON."""
    if not isinstance(value, str):
        return value
    if not _MOMENT.fullmatch(value):
        raise ValueError("give a time with its zone, as in 2026-01-31T12:00:00Z")
    return datetime.fromisoformat(value.upper())


def _since(value: object) -> datetime | timedelta:
    if isinstance(value, str) and _HOURS.fullmatch(value):
        return timedelta(hours=int(value[:-1]))
    try:
        found = _written(value)
    except ValueError as error:
        raise ValueError(f"{error}, or hours, as in 24h") from None
    if not isinstance(found, datetime):
        raise ValueError("give a text")
    return _storable(found)


def _storable(moment: datetime) -> datetime:
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None
    # The first and the last moment that Python has are infinite ones for the database.
    if not _FIRST <= moment < _LAST:
        raise ValueError("the time is out of range")
    return moment


def _plain(value: object) -> object:
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise ValueError("give a whole number")
    return value


def _yes_or_no(value: object) -> object:
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("give true or false")
    return value


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("give printable characters only")
    return text


def _person(name: str) -> str:
    if _printable(name) in ENGINE or name.startswith("database:"):
        raise ValueError("give the name of a person")
    return name


def _json(value: Any, depth: int = DEPTH_MAX) -> Any:
    """Return *value* if every store can keep it: numbers are finite and whole ones have 64 bits."""
    if depth < 0:
        raise ValueError(f"values lie more than {DEPTH_MAX} deep in one another")
    if isinstance(value, dict):
        for each in value.values():
            _json(each, depth - 1)
    elif isinstance(value, list):
        for each in value:
            _json(each, depth - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("numbers must be finite")
    elif isinstance(value, int) and abs(value) > _WHOLE_MAX:
        raise ValueError("whole numbers must have at most 64 bits")
    return value


#: A time with its zone, as RFC 3339 writes it.
Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_storable)]
#: A time, or how many hours ago it was.
Since = Annotated[
    datetime | timedelta,
    PlainValidator(_since),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "string", "pattern": r"^\d{1,4}h$"},
            ]
        }
    ),
]
#: A whole number, also as a query writes it.
Whole = Annotated[int, BeforeValidator(_plain)]
#: true or false, also as a query writes it.
Flag = Annotated[bool, BeforeValidator(_yes_or_no)]
#: Something that has a name, such as an owner or a source.
Name = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_printable)]
#: The person who decides; kept with what was decided.
Person = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_person)
]
#: Whole credits that can be granted.
Credits = Annotated[int, Field(ge=1, le=CREDITS_MAX)]
#: Any JSON object whose values can be kept.
JsonObject = Annotated[dict[str, Any], Field(max_length=FIELDS_MAX), AfterValidator(_json)]
