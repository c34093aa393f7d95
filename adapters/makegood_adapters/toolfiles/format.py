"""The format of a tool file as strict models: names and values, never an expression."""

import secrets
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from makegood.jobtype import MEGABYTE
from makegood.outcome import JSON, Trouble
from makegood.reruns import RerunPolicy
from makegood_adapters.toolfiles.conditions import ALWAYS, Scalar, ScalarField, WhenField, as_text
from makegood_adapters.toolfiles.elements import LIMIT_SECONDS_MAX, Drop, EventTable, Name, StateTable, Table
from makegood_adapters.toolfiles.prices import CREDITS_MAX, Price

ATTEMPTS_MAX = 20
PAUSE_SECONDS_MAX = 86_400
VERSION_MAX = 1_000_000
LENGTH_MAX = 100_000
# Every node that has a seed takes one below this.
SEED_BELOW = 2**32
# Beyond this JSON numbers lose digits.
NUMBER_MAX = 2**53


_Credits = Annotated[int, Field(ge=0, le=CREDITS_MAX)]
_Text = Annotated[str, Field(min_length=1)]


class InputTable(Table):
    """What every kind of input has."""

    kind: str
    required: bool = False

    @property
    def fallback(self) -> Scalar | None:
        """The default; None also for the kinds that cannot have one."""
        found: Scalar | None = getattr(self, "default", None)
        return found

    @property
    def may_be_missing(self) -> bool:
        """Whether a job may have no value here."""
        return not self.required and self.fallback is None


class ImageInput(InputTable):
    """A picture, uploaded to the provider before the call."""

    kind: Literal["image"]
    formats: Annotated[tuple[Literal["png", "jpeg", "webp"], ...], Field(strict=False, min_length=1)] = (
        "png",
        "jpeg",
        "webp",
    )
    size_max_bytes: int = Field(default=30 * MEGABYTE, gt=0, le=30 * MEGABYTE)


class TextInput(InputTable):
    """A text; blank counts as missing, because providers take an empty text for a value."""

    kind: Literal["text"]
    default: str | None = None
    length_max: int = Field(default=2000, gt=0, le=LENGTH_MAX)


class IntegerInput(InputTable):
    """A whole number, `min` to `max`, both included."""

    kind: Literal["integer"]
    default: int | None = None
    min: int = Field(ge=-NUMBER_MAX)
    max: int = Field(le=NUMBER_MAX)


class NumberInput(InputTable):
    """A number, `min` to `max`, both included."""

    kind: Literal["number"]
    default: float | None = Field(default=None, allow_inf_nan=False)
    min: float = Field(ge=-NUMBER_MAX)
    max: float = Field(le=NUMBER_MAX)


class ChoiceInput(InputTable):
    """One text out of a fixed list."""

    kind: Literal["choice"]
    default: str | None = None
    choices: Annotated[tuple[_Text, ...], Field(strict=False, min_length=1)]


Input = ImageInput | TextInput | IntegerInput | NumberInput | ChoiceInput
KINDS: dict[str, type[Input]] = {
    "image": ImageInput,
    "text": TextInput,
    "integer": IntegerInput,
    "number": NumberInput,
    "choice": ChoiceInput,
}


class Node(Table):
    """One field of the provider's app and where its value comes from."""

    node: _Text
    field: _Text
    input: str | None = None
    file: str | None = None
    constant: ScalarField | None = None
    seed: bool = False
    default: ScalarField | None = None
    if_given: bool = False
    at_most: float | None = Field(default=None, allow_inf_nan=False)
    when: WhenField = ALWAYS

    @property
    def source(self) -> str | None:
        """The input that is read, None for a constant."""
        return self.input if self.input is not None else self.file

    def render(self, given: Mapping[str, object], seed: int) -> JSON | None:
        """Return the node for the inputs *given*, None where it is left out; *seed* is the job's own."""
        value: object
        if not self.when.holds(given):
            return None
        if self.seed and self.source not in given:
            value = as_text(seed)
        elif self.source is None:
            value = as_text(self.constant)
        elif self.source not in given:
            if self.default is None:
                return None
            value = as_text(self.default)
        elif self.file is not None:
            value = {"file": self.file}
        else:
            value = as_text(self._cut(given[self.source]))
        return {"node": self.node, "field": self.field, "value": value}

    def _cut(self, value: object) -> object:
        if self.at_most is not None and isinstance(value, (int, float)):
            return min(value, self.at_most)
        return value


class App(Table):
    """An app or a workflow of the provider, with the condition under which it runs the job."""

    app: _Text | None = None
    workflow: _Text | None = None
    instance_type: Literal["default", "plus", "ultra"] | None = None
    when: WhenField = ALWAYS
    nodes: Annotated[tuple[Node, ...], Field(strict=False, min_length=1)]

    @property
    def target(self) -> dict[str, str]:
        """The app or workflow, as the provider is asked for it; the checks have proved that it is one."""
        named = {"app": self.app, "workflow": self.workflow}
        return {kind: identity for kind, identity in named.items() if identity is not None}

    def asked(self, given: Mapping[str, object], seed: int) -> JSON:
        """Return what the provider is asked for the inputs *given*."""
        nodes = [node.render(given, seed) for node in self.nodes]
        machine = {"instance_type": self.instance_type} if self.instance_type else {}
        return {**self.target, "nodes": [node for node in nodes if node is not None], **machine}


class Limits(Table):
    """How long a job may stay in a state, and how often the provider is tried."""

    pending_seconds: int | None = Field(default=None, gt=0, le=LIMIT_SECONDS_MAX)
    queued_seconds: int | None = Field(default=None, gt=0, le=LIMIT_SECONDS_MAX)
    starting_seconds: int | None = Field(default=None, gt=0, le=LIMIT_SECONDS_MAX)
    running_seconds: int | None = Field(default=None, gt=0, le=LIMIT_SECONDS_MAX)
    attempts_max: int = Field(default=3, gt=0, le=ATTEMPTS_MAX)

    @property
    def seconds(self) -> dict[str, int]:
        """The limits that are set, by state."""
        values = {name.removesuffix("_seconds"): value for name, value in self if name != "attempts_max"}
        return {state: value for state, value in values.items() if value is not None}


class RerunTable(Table):
    """Which runs that failed are made again, and when; `attempts_max` of the limits bounds how often."""

    troubles: Annotated[tuple[Literal["passing", "memory"], ...], Field(strict=False)] = ("passing", "memory")
    first_seconds: float = Field(default=5, ge=0, le=PAUSE_SECONDS_MAX)
    factor: float = Field(default=3, ge=1, le=100)
    seconds_max: float = Field(default=300, ge=0, le=PAUSE_SECONDS_MAX)
    larger_instance: bool = True

    def policy(self, request: str) -> RerunPolicy:
        """Return what the engine goes by; only where apps are asked for is there a larger machine."""
        larger = {"instance_type": "plus"} if self.larger_instance and request == "apps" else {}
        return RerunPolicy(
            troubles=frozenset(Trouble(trouble) for trouble in self.troubles),
            first_seconds=self.first_seconds,
            factor=self.factor,
            seconds_max=self.seconds_max,
            larger=larger,
        )


class Wire(Table):
    """The tool's names towards the existing front-end."""

    table: _Text
    function: _Text
    columns: dict[str, str] = Field(default_factory=dict)


class Tool(Table):
    """A whole file."""

    name: Name
    version: int = Field(ge=1, le=VERSION_MAX)
    label: _Text
    extends: str = Field(pattern=r"^[a-z][a-z0-9_]*@[1-9][0-9]*$")
    pool: _Text
    price: Annotated[
        Price,
        BeforeValidator(
            lambda raw: {"default": raw} if type(raw) is int else raw, json_schema_input_type=_Credits | Price
        ),
    ]
    exclusive_by: Name | None = None
    request: Literal["apps", "inputs"] = "apps"
    limits: Limits = Limits()
    rerun: RerunTable = RerunTable()
    states: dict[Name, StateTable] = Field(default_factory=dict)
    events: dict[Name, EventTable] = Field(default_factory=dict)
    drop: Annotated[tuple[Drop, ...], Field(strict=False)] = ()
    wire: Wire | None = None
    inputs: dict[str, Annotated[Input, Field(discriminator="kind")]]
    apps: Annotated[tuple[App, ...], Field(strict=False, min_length=1)] = ()

    @property
    def class_name(self) -> str:
        """The name as that of a class."""
        return "".join(part.capitalize() for part in self.name.split("_"))

    def given(self, value: BaseModel) -> dict[str, object]:
        """Return the inputs that *value* has."""
        values = {name: getattr(value, name) for name in self.inputs}
        return {name: found for name, found in values.items() if found is not None}

    def asked(self, value: BaseModel) -> JSON:
        """Return the app that runs the job and what is set in it, or the inputs where no app is named.

        The seed is drawn here, once: the request is stored with the job, and every try sends the same.
        """
        given = self.given(value)
        if self.request == "inputs":
            files = {name: {"file": name} for name, i in self.inputs.items() if isinstance(i, ImageInput)}
            return {"input": {name: files.get(name, found) for name, found in given.items()}}
        # The checks have proved that every accepted input has an app.
        app = next(app for app in self.apps if app.when.holds(given))
        return app.asked(given, secrets.randbelow(SEED_BELOW))
