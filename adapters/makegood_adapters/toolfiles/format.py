"""The format of a tool file as strict models: names and values, never an expression."""

import secrets
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from makegood.outcome import JSON, Trouble
from makegood.reruns import RerunPolicy
from makegood_adapters.toolfiles.apps import SEED_BELOW, App, Given, files_in
from makegood_adapters.toolfiles.elements import LIMIT_SECONDS_MAX, Drop, EventTable, Name, StateTable, Table
from makegood_adapters.toolfiles.fields import Input
from makegood_adapters.toolfiles.prices import CREDITS_MAX, Price
from makegood_adapters.toolfiles.wires import Wire

ATTEMPTS_MAX = 20
PAUSE_SECONDS_MAX = 86_400
VERSION_MAX = 1_000_000

_Credits = Annotated[int, Field(ge=0, le=CREDITS_MAX)]
_Text = Annotated[str, Field(min_length=1)]


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

    def policy(self, *, on_machines: bool) -> RerunPolicy:
        """Return what the engine goes by; only where apps or workflows run is there a larger machine."""
        larger = {"instance_type": "plus"} if self.larger_instance and on_machines else {}
        return RerunPolicy(
            troubles=frozenset(Trouble(trouble) for trouble in self.troubles),
            first_seconds=self.first_seconds,
            factor=self.factor,
            seconds_max=self.seconds_max,
            larger=larger,
        )


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
    fallbacks: Annotated[tuple[App, ...], Field(strict=False, min_length=1)] = ()

    @property
    def class_name(self) -> str:
        """The name as that of a class."""
        return "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def every_app(self) -> tuple[App, ...]:
        """The apps, and those for a second try."""
        return (*self.apps, *self.fallbacks)

    @property
    def on_machines(self) -> bool:
        """Whether apps or workflows run the job, whose machine can be chosen."""
        return any(app.nodes for app in self.apps)

    def given(self, value: BaseModel) -> dict[str, object]:
        """Return the inputs that *value* has."""
        return self.has({name: getattr(value, name) for name in self.inputs})

    def has(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return the inputs among *values* that are not missing."""
        return {name: values[name] for name in self.inputs if values.get(name) is not None}

    def asked(self, value: BaseModel) -> JSON:
        """Return the app that runs the job and what is set in it, or the inputs where no app is named.

        The seed is drawn here, once: the request is stored with the job, and every try sends the same.
        """
        given = self.given(value)
        if self.request == "inputs":
            return {"input": {**given, **files_in(self.inputs, given)}}
        return self._app(given).asked(given, secrets.randbelow(SEED_BELOW), self.inputs)

    def second_try(self, given: Given, seed: int) -> JSON | None:
        """Return what is asked once the first app has failed on the inputs *given*; None: nothing else."""
        app = next((app for app in self.fallbacks if app.when.holds(given)), None)
        return app.asked(given, seed, self.inputs) if app else None

    def lacking(self, given: Given) -> Iterator[tuple[str, str]]:
        """Yield (input, what is wrong) for what only several inputs together show."""
        for name, spec in self.inputs.items():
            if name not in given and spec.needed_when is not None and spec.needed_when.holds(given):
                yield name, "Field required"
        for name, most in self._app(given).too_many(given) if self.apps else ():
            yield name, f"Tuple should have at most {most} items with these other inputs"

    def _app(self, given: Given) -> App:
        # The checks have proved that every accepted input has an app.
        return next(app for app in self.apps if app.when.holds(given))
