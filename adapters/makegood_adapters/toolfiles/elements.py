"""The machine in a tool file: tables for states, events, their edges, and edges that are dropped."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from makegood.machine import PUBLIC, Money

# Far above anything sensible: what a slip of the finger writes must not reach clocks.
LIMIT_SECONDS_MAX = 30 * 24 * 3600


class Table(BaseModel):
    """Base of every table in the file: frozen, and strict but for lists, which become tuples."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, serialize_by_alias=True)


def _as_list(raw: object) -> object:
    return [raw] if isinstance(raw, str) else raw


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
_Names = Annotated[
    tuple[str, ...],
    Field(strict=False, min_length=1),
    BeforeValidator(_as_list, json_schema_input_type=str | tuple[str, ...]),
]
_MoneyName = Literal["none", "hold", "capture", "release", "policy"]
_Public: Any = Field(default="", json_schema_extra={"enum": [*PUBLIC]})


class StateTable(Table):
    """A state; of a state that the extended type has, what is left out stays as it is."""

    initial: bool = False
    final: bool = False
    slot: bool = False
    deadline_seconds: float | None = Field(default=None, gt=0, le=LIMIT_SECONDS_MAX)
    label: str = ""
    public: str = _Public


class EdgeTable(Table):
    """Moves from one or several states to another, with a money meaning of their own where it is given."""

    sources: _Names = Field(alias="from")
    to: str
    money: _MoneyName | None = None


class EventTable(Table):
    """An event: `edges`, or `from` and `to`; with neither it adds to an event of the extended type."""

    edges: Annotated[tuple[EdgeTable, ...] | None, Field(strict=False, min_length=1)] = None
    sources: _Names | None = Field(default=None, alias="from")
    to: str | None = None
    money: _MoneyName | None = None
    permission: str | None = None
    payload: Literal["none", "failure", "completion"] | None = None
    guards: Annotated[tuple[str, ...], Field(strict=False)] = ()

    @property
    def moves(self) -> tuple[tuple[str, str, Money | None], ...]:
        """The moves as (source, destination, money of its own)."""
        edges = self.edges or ()
        if self.sources and self.to is not None:
            edges = (EdgeTable.model_validate({"from": self.sources, "to": self.to}),)
        return tuple((s, e.to, Money(e.money) if e.money else None) for e in edges for s in e.sources)

    @property
    def begins_anew(self) -> bool:
        """Whether the event says all of its edges itself."""
        return self.edges is not None or self.sources is not None or self.to is not None


class Drop(Table):
    """Edges of the extended type that this one does not have."""

    event: str
    sources: _Names = Field(alias="from")
