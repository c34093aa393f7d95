"""A Spec as JSON and back, for tools that read, keep or compare machines."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from makegood.errors import DeclarationError
from makegood.machine.spec import Edge, Money, ObligationSpec, Spec, StateSpec

_Name = Annotated[str, Field(min_length=1)]
_End = tuple[_Name, _Name | None]


class _Table(BaseModel):
    """What is not known is refused: an older reader must not drop a newer rule in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _State(_Table):
    name: _Name
    initial: bool = False
    terminal: bool = False
    slot: bool = False
    deadline_seconds: Annotated[float | None, Field(gt=0)] = None
    label: str = ""
    public: str = ""
    data: str = ""


class _Edge(_Table):
    event: _Name
    source: _Name
    dest: _Name
    money: Money = Money.NONE
    permission: str = ""


class _Obligation(_Table):
    name: _Name
    opened_by: tuple[_End, ...]
    closed_by: tuple[_End, ...]


class _Machine(_Table):
    makegood: Literal["machine"]
    name: _Name
    version: Annotated[int, Field(gt=0)]
    digest: str
    states: tuple[_State, ...]
    edges: tuple[_Edge, ...]
    obligations: tuple[_Obligation, ...] = ()


def to_json(spec: Spec) -> str:
    """Return *spec* as JSON; where it was declared is left out, and so is what has its default."""
    machine = _Machine(
        makegood="machine",
        name=spec.name,
        version=spec.version,
        digest=spec.digest,
        states=tuple(_State.model_validate(_fields(s, _State)) for s in spec.states),
        edges=tuple(_Edge.model_validate(_fields(e, _Edge)) for e in spec.edges),
        obligations=tuple(_Obligation.model_validate(_fields(o, _Obligation)) for o in spec.obligations),
    )
    return json.dumps(machine.model_dump(mode="json", exclude_defaults=True), indent=2, ensure_ascii=False)


def from_json(text: str) -> Spec:
    """Return the Spec that `to_json` wrote; DeclarationError says what is wrong with the text.

    Shape, names and digest are checked. It is not linted or proved: an old machine may be read whose
    rules would be refused today.
    """
    try:
        machine = _Machine.model_validate_json(text)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in e['loc']) or 'text'}: {e['msg']}"
            for e in error.errors(include_url=False, include_input=False)
        ]
        raise DeclarationError("The machine", problems) from None
    spec = Spec(
        machine.name,
        machine.version,
        tuple(StateSpec(**dict(s)) for s in machine.states),
        tuple(Edge(**dict(e)) for e in machine.edges),
        tuple(ObligationSpec(**dict(o)) for o in machine.obligations),
    )
    if wrong := _wrong(spec) or _changed(spec, machine.digest):
        raise DeclarationError(f"{spec.name}@{spec.version}", wrong)
    return spec


def _fields(value: object, table: type[_Table]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in table.model_fields}


def _wrong(spec: Spec) -> list[str]:
    names = [s.name for s in spec.states]
    wrong = [f"state {name!r} stands twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    if (initial := sum(s.initial for s in spec.states)) != 1:
        wrong.append(f"there must be exactly one initial state, here are {initial}")
    for e in spec.edges:
        wrong += [f"event {e.event!r}: there is no state {n!r}" for n in (e.source, e.dest) if n not in names]
    return wrong


def _changed(spec: Spec, digest: str) -> list[str]:
    told = f"its digest is {digest!r}, that of its rules is {spec.digest!r}: the text was changed by hand"
    return [] if spec.digest == digest else [told]
