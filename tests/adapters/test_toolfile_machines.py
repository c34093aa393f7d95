"""A tool file may declare its machine: proved like a class, and every mistake has its line."""

from pathlib import Path

import pytest

from makegood import BaseJob, Catalog, DeclarationError, Empty, Engine, Event, Job, Money, State
from makegood.lifecycle import Completion, Failure
from makegood.machine import Problem
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from makegood_adapters.queue_manager.tables import Tables
from makegood_adapters.toolfiles import ToolJob, load_tool, load_tools
from makegood_adapters.toolfiles.machines import Guards
from tests.adapters.toolfile_machines import HEAD, PORTRAIT, REVIEW


def make(folder: Path, text: str, name: str = "tool.toml", guards: Guards | None = None) -> type[ToolJob]:
    (folder / name).write_text(text, encoding="utf-8")
    return load_tool(folder / name, guards or {})


def told(folder: Path, text: str, guards: Guards | None = None) -> list[str]:
    with pytest.raises(DeclarationError) as refused:
        make(folder, text, guards=guards)
    assert refused.value.subject == str(folder / "tool.toml")
    return [str(problem) for problem in refused.value.problems]


def is_paid(job: Job, _: object) -> bool:
    """Allow what has a price."""
    return job.price > 0


async def never_asked(job: Job, _: object) -> bool:
    """Would always be true."""
    return False


class TestMachine:
    def test_states_events_money_and_permission(self, tmp_path: Path) -> None:
        portrait = make(tmp_path, PORTRAIT)
        review = portrait.spec.state["in_review"]
        assert (review.deadline_seconds, review.label, review.slot) == (172_800, "a person looks", False)
        edges = {(e.event, e.source): (e.dest, e.money, e.permission) for e in portrait.spec.edges}
        assert edges["deliver", "running"] == ("in_review", Money.NONE, "")
        assert edges["approve", "in_review"] == ("completed", Money.CAPTURE, "portraits:approve")
        assert edges["decline", "in_review"] == ("failed", Money.RELEASE, "")
        assert len(edges) == len(BaseJob.spec.edges) + 3

    def test_it_is_the_machine_of_the_class(self, tmp_path: Path) -> None:
        class Portrait(BaseJob):
            in_review = State(deadline=BaseJob.queued.deadline)
            deliver = Event(BaseJob.running >> in_review)
            approve = Event(in_review >> BaseJob.completed, money=Money.CAPTURE)
            decline = Event(in_review >> BaseJob.failed, money=Money.RELEASE)

        assert make(tmp_path, PORTRAIT).spec.digest == Portrait.spec.digest

    def test_a_state_keeps_what_its_table_leaves_out(self, tmp_path: Path) -> None:
        changed = make(tmp_path, f'{HEAD}inputs = {{}}\n[states.running]\nlabel = "painting"\n')
        running, older = changed.spec.state["running"], BaseJob.spec.state["running"]
        assert (running.label, running.slot, running.deadline_seconds) == (
            "painting",
            True,
            older.deadline_seconds,
        )
        assert changed.spec.digest == BaseJob.spec.digest

    def test_an_event_without_edges_adds_to_that_of_the_base(self, tmp_path: Path) -> None:
        text = f'{HEAD}inputs = {{}}\n[events.rerun]\npermission = "a:b"\nguards = ["is_paid"]\n'
        changed = make(tmp_path, text, guards={"is_paid": is_paid})
        [edge] = [e for e in changed.spec.edges if e.event == "rerun"]
        assert edge.permission == "a:b"
        assert [g.__name__ for g in changed.events()["rerun"].guards] == ["attempts_left", "is_paid"]
        assert [g.__name__ for g in BaseJob.rerun.guards] == ["attempts_left"]

    def test_an_event_with_edges_begins_anew_with_the_guards_it_names(self, tmp_path: Path) -> None:
        text = f"{HEAD}inputs = {{}}\n[events.rerun]\nfrom = 'running'\nto = 'queued'\n"
        assert make(tmp_path, text).events()["rerun"].guards == ()
        rerun = make(tmp_path, f'{text}guards = ["attempts_left"]\n').events()["rerun"]
        assert rerun.guards == BaseJob.rerun.guards
        assert rerun.payload is Failure

    def test_a_payload_is_named(self, tmp_path: Path) -> None:
        text = PORTRAIT.replace('to = "failed"', 'to = "failed"\npayload = "failure"')
        text = text.replace("[events.approve]", '[events.approve]\npayload = "completion"')
        events = make(tmp_path, text).events()
        payloads = [events[name].payload for name in ("decline", "approve", "deliver")]
        assert payloads == [Failure, Completion, Empty]

    def test_edges_are_dropped(self, tmp_path: Path) -> None:
        text = f"{HEAD}inputs = {{}}\ndrop = [{{ event = 'cancel', from = ['starting', 'running'] }}]\n"
        left = [e.source for e in make(tmp_path, text).spec.edges if e.event == "cancel"]
        assert left == ["pending", "queued"]

    def test_without_apps_the_provider_is_asked_with_the_inputs(self, tmp_path: Path) -> None:
        image = '[inputs.photo]\nkind = "image"\n'
        portrait = make(tmp_path, PORTRAIT + image)
        value = portrait.parse({"prompt": "a cat", "photo": "key"})
        assert portrait.request(value) == {"input": {"prompt": "a cat", "photo": {"file": "photo"}}}
        assert portrait.request(portrait.parse({"prompt": "a cat"})) == {"input": {"prompt": "a cat"}}


class TestExtends:
    def test_another_file_lends_its_machine(self, tmp_path: Path) -> None:
        (tmp_path / "portrait.toml").write_text(PORTRAIT.replace("[states", "drop = []\n[states", 0))
        child = HEAD.replace('"portrait"', '"passport"').replace("base@1", "portrait@1")
        (tmp_path / "passport.toml").write_text(f"{child}inputs = {{}}\n[limits]\nqueued_seconds = 60\n")
        passport, portrait = load_tools(tmp_path)
        assert issubclass(passport, portrait)
        assert passport.spec.digest == portrait.spec.digest
        assert passport.spec.state["queued"].deadline_seconds == 60
        assert passport.parse({}).model_dump() == {}

    def test_what_the_extended_type_dropped_stays_away(self, tmp_path: Path) -> None:
        drop = "drop = [{ event = 'cancel', from = 'running' }]\n"
        (tmp_path / "portrait.toml").write_text(f"{HEAD}{drop}{REVIEW}")
        child = HEAD.replace('"portrait"', '"passport"').replace("base@1", "portrait@1")
        passport = make(tmp_path, f"{child}inputs = {{}}\n[events.cancel]\npermission = 'a:b'\n")
        cancels = {e.source: e.permission for e in passport.spec.edges if e.event == "cancel"}
        assert cancels == dict.fromkeys(["pending", "queued", "starting"], "a:b")

    def test_versions_stand_side_by_side(self, tmp_path: Path) -> None:
        wire = '[wire]\ntable = "t"\nfunction = "f"\n'
        (tmp_path / "a.toml").write_text(PORTRAIT + wire)
        (tmp_path / "b.toml").write_text(PORTRAIT.replace("version = 1", "version = 2") + wire)
        types = load_tools(tmp_path)
        assert [t.version for t in types] == [1, 2]
        engine = Engine(MemoryStore(), Catalog(types), blobs=MemoryBlobs(), run_loops=False)
        table = Tables(engine).get("t")
        assert table is not None
        assert [tool.job_type for tool in table.tools] == ["portrait"]

    @pytest.mark.parametrize(
        ("files", "sentence"),
        [
            ({}, "extends: no file here declares 'other@1'; there is base@1 (tool.toml:4)"),
            ({"other": "portrait@1"}, "extends: portrait@1 > other@1 > portrait@1 goes in a circle"),
            ({"other": "third@1"}, "extends: other.toml cannot be used; repair it first (tool.toml:4)"),
        ],
    )
    def test_what_cannot_be_extended_is_told(
        self, tmp_path: Path, files: dict[str, str], sentence: str
    ) -> None:
        for name, base in files.items():
            text = HEAD.replace('"portrait"', f'"{name}"').replace("base@1", base)
            (tmp_path / f"{name}.toml").write_text(f"{text}inputs = {{}}\n")
        text = HEAD.replace("base@1", "other@1")
        assert any(sentence in problem for problem in told(tmp_path, f"{text}inputs = {{}}\n"))

    def test_a_type_may_not_extend_itself(self, tmp_path: Path) -> None:
        [problem] = told(tmp_path, PORTRAIT.replace("base@1", "portrait@1"))
        assert "portrait@1 > portrait@1 goes in a circle" in problem


MISTAKES = {
    "unknown state": (
        'to = "failed"',
        'to = "faild"',
        "MG101 event 'decline': there is no state 'faild'",
        25,
    ),
    "credits kept": (
        'money = "release"',
        'money = "none"',
        "MG201 credits still held in 'failed' after accept > dispatch > begin > deliver > decline",
        25,
    ),
    "no deadline": ("deadline_seconds = 172_800", "", "MG111 state 'in_review' is not final and has no", 13),
    "unknown public": (
        'label = "a person',
        'public = "done"\nlabel = "a person',
        "MG117 state 'in_review': there is no",
        13,
    ),
    "unreachable": (
        'from = "running"\nto = "in_review"',
        'from = "running"\nto = "queued"',
        "MG108 state 'in_review' cannot be reached",
        13,
    ),
    "dropped edge": (
        "\n[inputs",
        "drop = [{ event = 'accpt', from = 'pending' }]\n\n[inputs",
        "MG114 drop: ",
        8,
    ),
    "unknown guard": (
        "[events.deliver]",
        '[events.deliver]\nguards = ["attempt_left"]',
        "MG103 events.deliver.guards: there is no guard 'attempt_left'; did you mean 'attempts_left'?",
        18,
    ),
    "both ways": (
        "[events.deliver]",
        "[events.deliver]\nedges = [{ from = 'running', to = 'queued' }]",
        "MG502 events.deliver: `edges` stands beside `from` and `to`; use one of the ways",
        17,
    ),
    "no destination": ('to = "in_review"\n', "", "MG502 events.deliver.to: is missing; add it", 17),
    "nothing to add to": (
        'from = ["in_review"]\nto = "failed"',
        "",
        "MG502 events.decline: there is no event 'decline' to add to; give `edges`, or",
        25,
    ),
    "unknown key": (
        "deadline_seconds",
        "deadline",
        "MG502 states.in_review.deadline: there is no key 'deadline' here; did you mean 'deadline_seconds'?",
        14,
    ),
    "unknown key of an edge": (
        "edges = [{ from",
        "edges = [{ form",
        "MG502 events.approve.edges #1.form: there is no key 'form' here; did you mean 'from'?",
        23,
    ),
    "unknown money": ('"release"', '"refund"', "MG502 events.decline.money: must be 'none', 'hold'", 28),
    "an expression": (
        'money = "release"',
        'guards = "job.price > 0"',
        "MG502 events.decline.guards: must be a list in [ ], not 'job.price > 0'",
        28,
    ),
    "name of a method": (
        "in_review",
        "price_of",
        "MG502 states.price_of: 'price_of' has another meaning",
        13,
    ),
    "state called as an event": (
        "in_review",
        "cancel",
        "MG502 states.cancel: 'cancel' has another meaning",
        13,
    ),
    "bad name": (
        "[states.in_review]",
        "[states.In-Review]",
        "MG502 states.In-Review: a name is small letters",
        13,
    ),
    "payload without edges": (
        "[events.deliver]",
        "[events.cancel]\npayload = 'failure'\n[events.deliver]",
        "MG502 events.cancel.payload: the payload belongs to an event that says its edges",
        18,
    ),
    "limit told twice": (
        "[events.deliver]",
        "[states.running]\ndeadline_seconds = 1\n[limits]\nrunning_seconds = 1\n[events.deliver]",
        "MG502 states.running.deadline_seconds: limits.running_seconds says it already; remove one",
        18,
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_machine_is_told_with_its_line(tmp_path: Path, mistake: str) -> None:
    old, new, sentence, line = MISTAKES[mistake]
    assert old in PORTRAIT
    text = PORTRAIT.replace(old, new) if old == "in_review" else PORTRAIT.replace(old, new, 1)
    found = told(tmp_path, text)
    assert any(sentence in p and p.endswith(f"(tool.toml:{line})") for p in found), found


class TestGuards:
    def test_a_guard_of_the_registry_holds_an_event_back(self, tmp_path: Path) -> None:
        text = PORTRAIT.replace("[events.approve]", '[events.approve]\nguards = ["is_paid"]')
        (tmp_path / "tool.toml").write_text(text)
        [portrait] = load_tools(tmp_path, guards={"is_paid": is_paid})
        assert portrait.events()["approve"].guards == (is_paid,)

    def test_a_guard_that_cannot_decide_is_told(self, tmp_path: Path) -> None:
        text = PORTRAIT.replace("[events.approve]", '[events.approve]\nguards = ["never_asked"]')
        with pytest.raises(DeclarationError) as refused:
            make(tmp_path, text, guards={"never_asked": never_asked})  # type: ignore[dict-item]  # the mistake
        [problem] = refused.value.problems
        assert isinstance(problem, Problem)
        assert problem.code == "MG118"
