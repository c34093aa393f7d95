"""The names of a tool towards the existing front-end: its table, its function, and what fills which input."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from makegood_adapters.toolfiles.conditions import ScalarField
from makegood_adapters.toolfiles.elements import Table

_Text = Annotated[str, Field(min_length=1)]
_Texts = Annotated[
    tuple[_Text, ...],
    Field(strict=False, min_length=1),
    BeforeValidator(
        lambda raw: [raw] if isinstance(raw, str) else raw, json_schema_input_type=_Text | tuple[_Text, ...]
    ),
]


class Wire(Table):
    """What the front-end calls the tool, its rows and its calls, and which inputs they fill.

    Of several tools with one table or one function a row or a body belongs to the one whose `when` holds
    of its columns or fields, else to the one without `when`.
    """

    table: _Text
    function: _Text
    endpoint: Literal["run", "refine"] = "run"
    makes_row: bool = False
    conflict: str = ""
    when: dict[str, _Texts] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    kept: Annotated[tuple[_Text, ...], Field(strict=False)] = ()
    fixed: dict[str, ScalarField] = Field(default_factory=dict)
    run: dict[str, str] = Field(default_factory=dict)
    content: dict[str, str] = Field(default_factory=dict)

    def takes(self, values: Mapping[str, object]) -> bool:
        """Whether the columns of a row, or the fields of a body, are those of this tool."""
        return all(values.get(name) in accepted for name, accepted in self.when.items())

    def claims_of(self, other: "Wire") -> tuple[str, ...]:
        """Return which of `table` and `function` this tool and *other* both claim for the same rows or
        bodies: not where one of both has no `when`, or they want different values of one column."""
        # A row that a later call turns into another tool's is inserted as that of the tool which is run.
        if self.endpoint != other.endpoint or bool(self.when) is not bool(other.when):
            return ()
        shared = self.when.keys() & other.when.keys()
        if any(not set(self.when[name]) & set(other.when[name]) for name in shared):
            return ()
        return tuple(key for key in ("table", "function") if getattr(self, key) == getattr(other, key))
