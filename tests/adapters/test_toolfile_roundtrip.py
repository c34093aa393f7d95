"""A job type written as a tool file and read again is the same machine; what a file cannot say is refused."""

import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, StringConstraints, field_validator

from makegood import BaseJob, DeclarationError, Event, File, Job, JobInput, Machine, Money, Obligation, State
from makegood.lifecycle import Completion, Failure
from makegood.testing.drive import Plain, Reviewed
from makegood_adapters.toolfiles import default_tools_folder, load_tool, load_tools, to_toml
from makegood_adapters.toolfiles.machines import Guards
from tests.adapters.toolfile_machines import PORTRAIT, made_up
from tests.engine.machines import LongVideo


def read(folder: Path, text: str, guards: Guards | None = None) -> type[BaseJob]:
    (folder / "written.toml").write_text(text, encoding="utf-8")
    return load_tool(folder / "written.toml", guards or {})


def assert_same(job_type: type[BaseJob], folder: Path, guards: Guards | None = None) -> type[BaseJob]:
    back = read(folder, to_toml(job_type), guards)
    assert back.spec.digest == job_type.spec.digest
    assert back.spec.states == job_type.spec.states
    assert back.spec.edges == job_type.spec.edges
    assert (back.name, back.version, back.pool) == (job_type.name, job_type.version, job_type.pool)
    assert (back.attempts_max, back.exclusive_by) == (job_type.attempts_max, job_type.exclusive_by)
    events = job_type.events()
    assert {n: e.payload for n, e in back.events().items()} == {n: e.payload for n, e in events.items()}
    assert {n: e.guards for n, e in back.events().items()} == {n: e.guards for n, e in events.items()}
    return back


@pytest.mark.parametrize("job_type", [BaseJob, Plain, Reviewed, LongVideo], ids=lambda t: t.name)
def test_classes(job_type: type[BaseJob], tmp_path: Path) -> None:
    assert_same(job_type, tmp_path)


@pytest.mark.parametrize("name", sorted(path.stem for path in default_tools_folder().glob("*.toml")))
def test_the_shipped_tools(name: str, tmp_path: Path) -> None:
    tool = load_tool(default_tools_folder() / f"{name}.toml")
    back = assert_same(tool, tmp_path)
    assert back.Input.model_json_schema() == tool.Input.model_json_schema()
    shipped, written = (getattr(t, "tool") for t in (tool, back))  # noqa: B009 - of the type that a file makes
    assert (written.price, written.apps, written.wire) == (shipped.price, shipped.apps, shipped.wire)


def test_machines_made_up(tmp_path: Path) -> None:
    made = [job_type for seed in range(200) if (job_type := made_up(seed))]
    assert len(made) > 30
    assert len({job_type.spec.digest for job_type in made}) > 20
    for job_type in made:
        assert_same(job_type, tmp_path)


def test_a_file_that_extends_another_is_written_whole(tmp_path: Path) -> None:
    drop = "drop = [{ event = 'cancel', from = ['starting', 'running'] }]\n"
    (tmp_path / "portrait.toml").write_text(PORTRAIT.replace("\n[inputs", f"{drop}\n[inputs", 1))
    text = 'name = "passport"\nversion = 3\nlabel = "P"\nextends = "portrait@1"\npool = "p"\nprice = 1\n'
    (tmp_path / "passport.toml").write_text(f'{text}request = "inputs"\ninputs = {{}}\n')
    passport = load_tools(tmp_path)[0]
    alone = tmp_path / "alone"
    alone.mkdir()
    assert_same(passport, alone)


def test_writing_twice_writes_the_same(tmp_path: Path) -> None:
    text = to_toml(Reviewed)
    assert to_toml(read(tmp_path, text)) == text


def test_guards_go_by_name(tmp_path: Path) -> None:
    class Guarded(BaseJob):
        rerun = Event(BaseJob.running >> BaseJob.queued, Failure)

    @Guarded.accept.guard
    def has_price(job: Job, _: object) -> bool:
        return job.price > 0

    text = to_toml(Guarded)
    assert tomllib.loads(text)["events"]["accept"] == {"guards": ["has_price"]}
    assert_same(Guarded, tmp_path, {"has_price": has_price})
    with pytest.raises(DeclarationError, match="MG103"):
        read(tmp_path, text)


def test_inputs_that_a_file_can_say(tmp_path: Path) -> None:
    class Portrait(BaseJob):
        class Input(JobInput):
            photo: Annotated[str, Field(min_length=1), File(("png",), size_max=1000)]
            other: Annotated[Annotated[str, Field(min_length=1)] | None, File(("png",))] = None
            size: Annotated[int, Field(ge=1, le=9)] = 3
            share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
            mode: Literal["soft", "hard"] = "soft"
            text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=9)]

    back = assert_same(Portrait, tmp_path)
    assert back.file_fields() == Portrait.file_fields()
    assert [*back.Input.model_fields] == [*Portrait.Input.model_fields]


def _priced() -> type[BaseJob]:
    class Wrong(BaseJob):
        @classmethod
        def price_of(cls, value: BaseModel) -> int:
            return 7

    return Wrong


def _requesting() -> type[BaseJob]:
    class Wrong(BaseJob):
        @classmethod
        def request(cls, value: BaseModel) -> dict[str, Any]:
            return {}

    return Wrong


def _effectful() -> type[BaseJob]:
    class Wrong(BaseJob):
        pass

    @Wrong.complete.effect
    async def pays(transaction: Any, job: Job, payload: BaseModel) -> None: ...

    @Wrong.failed.on_enter
    async def mails(transition: object) -> None: ...

    return Wrong


def _with_data() -> type[BaseJob]:
    class Wrong(BaseJob):
        parked = State(deadline=timedelta(days=1), data=Failure)
        park = Event(BaseJob.running >> parked, Failure)
        leave = Event(parked >> BaseJob.failed, money=Money.RELEASE)

    return Wrong


def _owing() -> type[BaseJob]:
    closers = (BaseJob.rerun, BaseJob.complete, BaseJob.fail, BaseJob.cancel)

    class Wrong(BaseJob):
        obligations = (Obligation("task", BaseJob.begin, [(event, BaseJob.running) for event in closers]),)

    return Wrong


def _paying() -> type[BaseJob]:
    class Note(Failure):
        text: str

    class Wrong(BaseJob):
        refuse = Event(BaseJob.pending >> BaseJob.failed, Note)

    return Wrong


def _unnamed() -> type[BaseJob]:
    class Wrong(BaseJob):
        pass

    Wrong.accept.guard(lambda job, _: True)
    return Wrong


def _validating() -> type[BaseJob]:
    class Wrong(BaseJob):
        class Input(JobInput):
            size: Annotated[int, Field(ge=1, le=9)] = 3

            @field_validator("size")
            @classmethod
            def is_odd(cls, value: int) -> int:
                return value | 1

    return Wrong


def _unbounded() -> type[BaseJob]:
    class Wrong(BaseJob):
        class Input(JobInput):
            size: int = 3

    return Wrong


def _smaller() -> type[BaseJob]:
    class Wrong(BaseJob):
        # A subclass takes a state or event away by giving its name to something else.
        running = ""  # type: ignore[assignment]  # of the base
        begin = rerun = ""  # type: ignore[assignment]  # of the base
        complete = Event(BaseJob.starting >> BaseJob.completed, Completion, money=Money.CAPTURE)
        fail = Event((BaseJob.queued | BaseJob.starting) >> BaseJob.failed, Failure, money=Money.RELEASE)
        cancel = Event(BaseJob.pending >> BaseJob.cancelled)

    return Wrong


REFUSED: dict[str, tuple[Callable[[], type[BaseJob]], str]] = {
    "price": (_priced, "price_of is computed in Python"),
    "request": (_requesting, "request is computed in Python"),
    "effect": (_effectful, "event 'complete': the function 'pays' is Python; a file has none"),
    "hook": (_effectful, "state 'failed': the function 'mails' is Python; a file has none"),
    "data": (_with_data, "state 'parked': its data, Failure, is a model in Python"),
    "obligation": (_owing, "the obligation 'task' has no key in a file"),
    "payload": (_paying, "event 'refuse': its payload, Note, is a model in Python"),
    "lambda": (_unnamed, "guards are told apart by name, and one is called '<lambda>'"),
    "validator": (_validating, "its Input has validators in Python"),
    "unbounded input": (
        _unbounded,
        "the input 'size' is declared in Python as no kind of a file's inputs is",
    ),
    "state taken away": (_smaller, "the state 'running' of the base is missing"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_file_cannot_say_is_refused(what: str) -> None:
    make, sentence = REFUSED[what]
    with pytest.raises(DeclarationError) as refused:
        to_toml(make())
    assert any(sentence in str(problem) for problem in refused.value.problems), refused.value.problems


def test_a_machine_that_is_no_job_type_is_refused() -> None:
    class Sale(Machine):
        new = State(initial=True, deadline=timedelta(days=1))
        old = State(final=True)
        age = Event(new >> old)

    with pytest.raises(DeclarationError, match="it is not a job type"):
        to_toml(Sale)
