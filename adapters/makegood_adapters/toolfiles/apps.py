"""What the provider is asked: apps and workflows with their nodes, models with their parameters."""

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from makegood.outcome import JSON
from makegood_adapters.toolfiles.conditions import ALWAYS, ScalarField, WhenField, as_text
from makegood_adapters.toolfiles.elements import Table
from makegood_adapters.toolfiles.fields import COUNT_MAX, ChoiceInput, FileTable, Input

# Every node that has a seed takes one below this.
SEED_BELOW: Final = 2**32

Given = Mapping[str, object]
Inputs = Mapping[str, Input]
_Text = Annotated[str, Field(min_length=1)]


class Absent(Enum):
    """The mark of a value that is left out."""

    LEFT_OUT = "left out"


class Source(Table):
    """Where a value comes from that the provider is given, and what is made of it."""

    input: str | None = None
    file: str | None = None
    constant: ScalarField | None = None
    default: ScalarField | None = None
    if_given: bool = False
    at_most: float | None = Field(default=None, allow_inf_nan=False)
    values: dict[str, ScalarField] | None = Field(default=None, min_length=1)
    before: str = ""
    after: str = ""
    when: WhenField = ALWAYS

    @property
    @abstractmethod
    def place(self) -> str:
        """What it is called in messages."""

    @property
    def named(self) -> dict[str, object]:
        """The keys that tell where the value comes from, as far as they are set."""
        keys = ("input", "file", "files", "address", "constant")
        return {key: value for key in keys if (value := getattr(self, key, None)) is not None}

    @property
    def sources(self) -> tuple[str, ...]:
        """The inputs that are read; none for a constant."""
        found = (value for key, value in self.named.items() if key != "constant")
        return tuple(n for value in found for n in (value if isinstance(value, tuple) else (str(value),)))

    def made_of(self, value: object) -> Any:
        """Return what is sent for the *value* of the input."""
        if self.values is not None:
            return self.values[str(value)]
        if self.at_most is not None and isinstance(value, (int, float)):
            return min(value, self.at_most)
        return f"{self.before}{value}{self.after}" if self.before or self.after else value


class Node(Source):
    """One field of the provider's app; its value is sent as text."""

    node: _Text
    field: _Text
    address: str | None = None
    index: int | None = Field(default=None, ge=0, le=COUNT_MAX - 1)
    seed: bool = False
    with_choices: bool = False

    @property
    def place(self) -> str:
        """The node's id and field."""
        return f"node {self.node} {self.field}"

    def render(self, given: Given, seed: int, inputs: Inputs) -> JSON | None:
        """Return the node for the inputs *given*, None where it is left out; *seed* is the job's own."""
        value = self._value(given, seed) if self.when.holds(given) else Absent.LEFT_OUT
        if value is Absent.LEFT_OUT:
            return None
        choices = inputs.get(self.input or "") if self.with_choices else None
        data = {"data": json.dumps(choices.choices)} if isinstance(choices, ChoiceInput) else {}
        return {"node": self.node, "field": self.field, "value": value, **data}

    def _value(self, given: Given, seed: int) -> object:
        [source, *_] = self.sources or (None,)
        if source is None:
            return as_text(seed if self.seed else self.constant)
        found = given.get(source)
        if self.index is not None:
            found = _at(found, self.index)
        if found is None:
            if self.seed:
                return as_text(seed)
            return Absent.LEFT_OUT if self.default is None else as_text(self.default)
        if self.input is not None:
            return as_text(self.made_of(found))
        key = source if self.index is None else f"{source}.{self.index}"
        return {"address" if self.address is not None else "file": key}


class Parameter(Source):
    """One parameter of the provider's model; its value is sent as what it is."""

    name: _Text
    files: Annotated[tuple[str, ...] | None, Field(strict=False, min_length=1)] = None

    @property
    def place(self) -> str:
        """The parameter's name."""
        return f"parameter {self.name}"

    def value(self, given: Given) -> object:
        """Return the value for the inputs *given*, or that it is left out."""
        if not self.when.holds(given):
            return Absent.LEFT_OUT
        if self.constant is not None:
            return self.constant
        if self.files is not None:
            found: object = [{"file": name} for name in self.files if name in given] or None
        elif self.file is not None:
            found = _files(self.file, given.get(self.file))
        else:
            found = given.get(self.input or "")
            found = None if found is None else self.made_of(found)
        if found is not None:
            return found
        return Absent.LEFT_OUT if self.default is None else self.default


class App(Table):
    """An app, a workflow or a model of the provider, with the condition under which it runs the job."""

    app: _Text | None = None
    workflow: _Text | None = None
    model: _Text | None = None
    makes: Literal["image", "video", "audio"] | None = None
    instance_type: Literal["default", "plus", "ultra"] | None = None
    when: WhenField = ALWAYS
    count_max: dict[str, Annotated[int, Field(ge=0, le=COUNT_MAX)]] = Field(default_factory=dict)
    nodes: Annotated[tuple[Node, ...], Field(strict=False, min_length=1)] = ()
    parameters: Annotated[tuple[Parameter, ...], Field(strict=False, min_length=1)] = ()

    @property
    def target(self) -> dict[str, str]:
        """The app, workflow or model, as the provider is asked for it; the checks have proved that it is
        one."""
        named = {"app": self.app, "workflow": self.workflow, "model": self.model}
        return {kind: identity for kind, identity in named.items() if identity is not None}

    @property
    def parts(self) -> tuple[Source, ...]:
        """The nodes or parameters."""
        return (*self.nodes, *self.parameters)

    def asked(self, given: Given, seed: int, inputs: Inputs) -> JSON:
        """Return what the provider is asked for the inputs *given*."""
        if self.model is not None:
            values = {parameter.name: parameter.value(given) for parameter in self.parameters}
            made = {"makes": self.makes} if self.makes else {}
            said = {name: value for name, value in values.items() if value is not Absent.LEFT_OUT}
            return {**self.target, **made, "input": said}
        nodes = [node.render(given, seed, inputs) for node in self.nodes]
        machine = {"instance_type": self.instance_type} if self.instance_type else {}
        return {**self.target, "nodes": [node for node in nodes if node is not None], **machine}

    def too_many(self, given: Given) -> Iterator[tuple[str, int]]:
        """Yield (input, most) for each list that has more files than this app takes."""
        for name, most in self.count_max.items():
            found = given.get(name)
            if isinstance(found, (list, tuple)) and len(found) > most:
                yield name, most


def files_in(inputs: Inputs, given: Given) -> dict[str, object]:
    """Return, of the inputs *given*, those that are files as a request names them."""
    names = [name for name, spec in inputs.items() if isinstance(spec, FileTable) and name in given]
    return {name: _files(name, given[name]) for name in names}


def _files(name: str, found: object) -> Any:
    if isinstance(found, (list, tuple)):
        return [{"file": f"{name}.{i}"} for i in range(len(found))]
    return None if found is None else {"file": name}


def _at(found: object, index: int) -> object:
    return found[index] if isinstance(found, (list, tuple)) and index < len(found) else None
