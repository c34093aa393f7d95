"""Tables, Mermaid, OpenAPI, JSON and ways: each says what the machine says, no more and no less."""

import json
import re
from typing import Any

import pytest

from makegood import BaseJob, DeclarationError
from makegood.machine import Edge, Money, ObligationSpec, Spec, StateSpec
from makegood.machine.projections import (
    event_table,
    from_json,
    mermaid,
    openapi,
    state_table,
    terminal_paths,
    to_json,
    tours,
)
from tests.engine.machines import LONG, SPECS

BASE = BaseJob.spec
PLAIN_MONEY = "What a move does to the credits"

of_all = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


def cells(table: str) -> list[list[str]]:
    """Read a Markdown table without its rule."""
    rows = [line for line in table.splitlines() if line.startswith("|")]
    read = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    return [row for row in read if row[0] != "---"]


class TestTables:
    @of_all
    def test_the_event_table_holds_every_edge_and_nothing_else(self, spec: Spec) -> None:
        head, *body = cells(event_table(spec))
        found = set()
        for event, *row in body:
            for column, cell in zip(head[1:], row, strict=True):
                if cell:
                    dest, _, money = cell.partition(" · ")
                    found.add(
                        (event.strip("`"), column.removeprefix("in ").strip("`"), dest, money or "none")
                    )
        assert found == {(e.event, e.source, e.dest, e.money.value) for e in spec.edges}

    def test_the_legend_tells_the_words_in_use_and_who_may(self) -> None:
        text = event_table(LONG)
        assert "**capture** spends it" in text
        assert "A person needs `jobs:withdraw` for `withdraw` in `awaiting_review`." in text
        moneyless = Spec("x", 1, (StateSpec("a", initial=True),), (Edge("go", "a", "a"),))
        assert PLAIN_MONEY not in event_table(moneyless)

    def test_the_states_are_told_with_status_deadline_and_slot(self) -> None:
        rows = {row[0].strip("`"): row[1:] for row in cells(state_table(LONG))[1:]}
        assert list(rows) == [s.name for s in LONG.states]
        assert rows["pending"] == ["`pending`", "3 min", "", "initial; being prepared"]
        assert rows["transcoding"] == ["`running`", "1 h 30 min", "yes", ""]
        assert rows["published"] == ["`completed`", "final", "", ""]
        assert rows["awaiting_review"][3] == r'a person looks \| "at it" <soon>'


class TestMermaid:
    def test_nothing_to_colour_leaves_the_state_diagram(self) -> None:
        assert mermaid(BASE, set()) == mermaid(BASE)
        assert mermaid(BASE).startswith("stateDiagram-v2\n    [*] --> pending\n")

    @of_all
    def test_the_coloured_links_are_the_unvisited_edges(self, spec: Spec) -> None:
        missed = {(e.event, e.source) for e in spec.edges[::3]}
        text = mermaid(spec, missed)
        nodes = dict(re.findall(r'^    (s\d+)\(+\[?"(\w+)"', text, re.MULTILINE))
        # A link is styled by its number; the one from the beginning has the number 0.
        links = re.findall(r'^    (\w+)(?:\(\( \)\))? -->(?:\|"(.*)"\|)? (\w+)$', text, re.MULTILINE)
        assert links[0] == ("start", "", "s0")
        drawn = [(label.split(" / ")[0], nodes[a], nodes[b]) for a, label, b in links[1:]]
        assert drawn == [(e.event, e.source, e.dest) for e in spec.edges]
        [numbers] = re.findall(r"^    linkStyle ([\d,]+) stroke:#", text, re.MULTILINE)
        assert {drawn[int(n) - 1][:2] for n in numbers.split(",")} == missed


def a_job(schema: dict[str, Any]) -> dict[str, Any]:
    """Return an instance of one state's schema."""
    samples = {
        "id": "0197b0a5-5f0e-7cc0-8000-000000000000",
        "version": 3,
        "price": 60,
        "settled": 0,
        "allowed": [],
        "created_at": "2026-01-01T00:00:00Z",
        "entered_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:00Z",
        "deadline_at": "2026-01-01T00:00:00Z",
    }
    return {k: schema["properties"][k].get("const", samples.get(k)) for k in schema["required"]}


class TestOpenApi:
    @of_all
    def test_the_union_has_one_job_for_each_state_and_every_reference_leads_somewhere(
        self, spec: Spec
    ) -> None:
        document = openapi(spec)
        schemas = document["components"]["schemas"]
        [union] = [s for s in schemas.values() if "oneOf" in s]
        mapping = union["discriminator"]["mapping"]
        assert union["discriminator"]["propertyName"] == "state"
        assert list(mapping) == [s.name for s in spec.states]
        assert [o["$ref"] for o in union["oneOf"]] == list(mapping.values())
        for state, reference in mapping.items():
            job = schemas[reference.removeprefix("#/components/schemas/")]
            assert job["properties"]["state"] == {"const": state}
            assert set(job["required"]) <= set(job["properties"])
            events = job["properties"]["allowed"].get("items", {"enum": []})["enum"]
            assert events == [e.event for e in spec.leaving(state)]
            assert ("finished_at" in job["required"]) is (state in spec.terminal)
            assert ("deadline_at" in job["required"]) is (state not in spec.terminal)
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+", key) for key in schemas)
        [states] = [s["enum"] for name, s in schemas.items() if name.endswith("State")]
        assert states == list(mapping)
        assert json.loads(json.dumps(document)) == document

    def test_names_that_are_not_ascii_get_keys_that_are(self) -> None:
        spec = Spec("größe", 1, (StateSpec("früh", initial=True), StateSpec("spät", terminal=True)), ())
        assert {"JobState", "Job_0", "Job_1"} < set(openapi(spec)["components"]["schemas"])

    def test_a_validator_takes_a_job_for_exactly_the_state_it_is_in(self) -> None:
        jsonschema = pytest.importorskip("jsonschema")
        for document in map(openapi, SPECS):
            schemas = document["components"]["schemas"]
            [name] = [name for name, s in schemas.items() if "oneOf" in s]
            for schema in schemas.values():
                jsonschema.Draft202012Validator.check_schema(schema)
            validator = jsonschema.Draft202012Validator({**document, "$ref": f"#/components/schemas/{name}"})
            for reference in schemas[name]["discriminator"]["mapping"].values():
                job = a_job(schemas[reference.removeprefix("#/components/schemas/")])
                assert validator.is_valid(job)
                assert not validator.is_valid({**job, "state": "no_such_state"})
                assert not validator.is_valid({**job, "allowed": ["no_such_event"]})
                assert not validator.is_valid({k: v for k, v in job.items() if k != "price"})


class TestJson:
    @of_all
    def test_a_machine_comes_back_as_it_went(self, spec: Spec) -> None:
        again = from_json(to_json(spec))
        assert again == spec
        assert again.digest == spec.digest
        assert to_json(again) == to_json(spec)

    def test_every_field_travels(self) -> None:
        spec = Spec(
            "whole",
            3,
            (
                StateSpec("a", True, False, True, 1.5, "label", "running", "Data", where="a.py:1"),
                StateSpec("b", terminal=True),
            ),
            (Edge("go", "a", "b", Money.RELEASE, "may:go", where="a.py:2"),),
            (ObligationSpec("lease", (("go", None),), (("go", "a"),)),),
        )
        assert from_json(to_json(spec)) == spec
        assert "a.py" not in to_json(spec)

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            ('"dest": "queued"', '"dest": "queue"', "there is no state 'queue'"),
            ('"event": "refuse"', '"event": "refused"', "the text was changed by hand"),
            ('"initial": true,', "", "exactly one initial state"),
            ('"money": "hold"', '"money": "gift"', "edges.0.money"),
            ('"money": "hold"', '"monye": "hold"', "edges.0.monye"),
            ('"name": "queued"', '"name": "pending"', "'pending' stands twice"),
            ('"makegood": "machine",', "", "makegood: Field required"),
            ("{", "", "text: Invalid JSON"),
        ],
    )
    def test_what_is_wrong_with_a_text_is_said(self, old: str, new: str, told: str) -> None:
        text = to_json(BASE).replace(old, new, 1)
        with pytest.raises(DeclarationError, match=re.escape(told)):
            from_json(text)


def tours_min(spec: Spec) -> int:
    """Return how few tours can take every edge: Dilworth, by a greatest matching of what may follow what."""
    reach = {state: {state} for state in spec.state}
    for _ in spec.states:
        for e in spec.edges:
            for met in reach.values():
                if e.source in met:
                    met.add(e.dest)
    # The edges of a circle are taken in one tour together; one stands for all of them.
    circles = {e: frozenset(s for s in reach[e.dest] if e.source in reach[s]) or e for e in spec.edges}
    edges = list({stands_for: e for e, stands_for in circles.items()}.values())
    follower: dict[Edge, Edge] = {}

    def match(edge: Edge, tried: set[Edge]) -> bool:
        for other in edges:
            if other != edge and other.source in reach[edge.dest] and other not in tried:
                tried.add(other)
                if other not in follower or match(follower[other], tried):
                    follower[other] = edge
                    return True
        return False

    return len(edges) - sum(match(edge, set()) for edge in edges)


class TestWays:
    def test_the_simple_ways_of_the_base_are_these(self) -> None:
        found = {" > ".join(e.event for e in path) for path in terminal_paths(BASE)}
        start = "accept > dispatch"
        assert found == {
            "refuse",
            "cancel",
            "accept > fail",
            "accept > cancel",
            *(f"{start} > {end}" for end in ("complete", "fail", "cancel")),
            *(f"{start} > begin > {end}" for end in ("complete", "fail", "cancel")),
        }

    @of_all
    def test_a_simple_way_meets_no_state_twice_and_ends(self, spec: Spec) -> None:
        paths = list(terminal_paths(spec))
        assert len(set(paths)) == len(paths) > 0
        for path in paths:
            states = [spec.initial, *(e.dest for e in path)]
            assert len(set(states)) == len(states)
            assert [e.source for e in path] == states[:-1]
            assert states[-1] in spec.terminal

    @of_all
    def test_tours_take_every_edge_and_are_few(self, spec: Spec) -> None:
        found = tours(spec)
        assert {edge for tour in found for edge in tour} == set(spec.edges)
        for tour in found:
            assert [e.source for e in tour] == [spec.initial, *(e.dest for e in tour[:-1])]
        assert len(found) <= tours_min(spec) + 1

    def test_as_many_tours_as_edges_into_final_states_are_enough_for_ours(self) -> None:
        for spec in (BASE, LONG):
            assert len(tours(spec)) == sum(e.dest in spec.terminal for e in spec.edges)

    def test_an_edge_that_cannot_be_reached_is_named(self) -> None:
        states = (StateSpec("a", initial=True), StateSpec("b"), StateSpec("c", terminal=True))
        spec = Spec("torn", 1, states, (Edge("go", "a", "c"), Edge("lost", "b", "c")))
        with pytest.raises(ValueError, match=r"1 edges cannot be reached, the first is .*lost"):
            tours(spec)

    def test_a_machine_that_begins_at_its_end_has_one_way(self) -> None:
        spec = Spec("over", 1, (StateSpec("a", initial=True, terminal=True),), ())
        assert list(terminal_paths(spec)) == [()]
