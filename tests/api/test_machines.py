"""The machine of a job type as a picture for a page: what is declared, all of it, and nothing that runs."""

import re
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import pytest

from makegood.machine import Edge, Money, Spec, StateSpec
from makegood.machine.projections import layout, svg
from makegood_adapters.http.v1.machines import picture_of
from tests.api.scene import Scene
from tests.engine.machines import LONG, made_up
from tests.shipped import shipped

DRAWN = {spec.name: spec for spec in (*(tool.spec for tool in shipped()), LONG, made_up(7))}
HOSTILE = "\"'><script>alert(1)</script>&amp;\x00"
_LOOKS = {"id", "style", "fill", "stroke", "font-size"}
#: As it is shown: what has no place in XML is replaced.
SHOWN = HOSTILE.replace("\x00", "\ufffd")


def parsed(spec: Spec, label: str = "A tool") -> ET.Element:
    return ET.fromstring(picture_of(spec, label))


def parts(picture: ET.Element, kind: str) -> list[ET.Element]:
    return [part for part in picture.iter() if kind in part.get("class", "").split()]


def texts(part: ET.Element) -> list[str]:
    return ["".join(text.itertext()) for text in part.findall("text")]


@pytest.mark.parametrize("name", DRAWN)
def test_every_state_leads_to_its_jobs_and_has_room_for_their_number(name: str) -> None:
    spec = DRAWN[name]
    picture = parsed(spec)
    right = sum(float(picture.get("viewBox", "").split()[n]) for n in (0, 2))
    nodes = {node.get("data-state", ""): node for node in parts(picture, "node")}
    assert nodes.keys() == set(spec.state)
    for state in spec.states:
        node = nodes[state.name]
        assert node.get("class") == f"node {state.public or state.name}"
        assert parse_qs(node.get("href", "?")[1:]) == {"type": [name], "state": [state.name]}
        assert node.findtext("title") == (state.label or state.name)
        assert texts(node) == [state.name, node.get("data-note")]
        assert len(parts(node, "inner")) == state.terminal
        assert (node.get("data-note") == "last 24 h") == state.terminal
        [count] = parts(node, "count")
        pill, written = count.find("rect"), count.find("text")
        assert pill is not None
        assert written is not None
        assert written.text is None
        left = sum(float(re.findall(r"[-\d.]+", part.get("transform", ""))[0]) for part in (node, count))
        assert left + float(pill.get("width", "")) < right


@pytest.mark.parametrize("name", DRAWN)
def test_every_move_is_found_by_what_the_stream_tells_of_a_step(name: str) -> None:
    spec = DRAWN[name]
    picture, graph, at = parsed(spec), svg(spec), {node.state: node.y for node in layout(spec).nodes}
    edges = {edge.get("data-step", ""): edge for edge in parts(picture, "edge")}
    assert len(edges) == len(parts(picture, "edge")) == len(spec.edges)
    for edge in spec.edges:
        part = edges[f"{edge.event} {edge.source}"]
        money = "" if edge.money is Money.NONE else edge.money.value
        assert part.get("class") == f"edge {money}".rstrip()
        assert texts(part) == [edge.event + (f" · {money}" if money else "")]
        assert (part.get("data-up") == "1") == (at[edge.dest] < at[edge.source])
        line, gap, head = part.findall("path")
        assert f'd="{line.get("d")}"' in graph
        assert gap.get("class") == "gap"
        assert f'd="{head.get("d")}"' in graph
        assert head.get("class") == "head"
        assert [circle.get("r") for circle in part.findall("circle")] == ["5"]


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_has_no_look_of_its_own_and_nothing_that_another_has(name: str) -> None:
    for part in parsed(DRAWN[name]).iter():
        assert part.tag in {"svg", "g", "a", "title", "path", "circle", "rect", "text", "tspan"}
        assert not [key for key in part.attrib if key in _LOOKS or key.startswith("on")]


def test_whatever_is_called_by_a_name_that_is_markup_stays_a_name() -> None:
    states = (
        StateSpec(name=HOSTILE, initial=True, label=HOSTILE, public=HOSTILE, deadline_seconds=60),
        StateSpec(name="over", terminal=True, label=HOSTILE),
    )
    picture = parsed(Spec(HOSTILE, 1, states, (Edge(HOSTILE, HOSTILE, "over", Money.NONE),)), HOSTILE)
    assert picture.get("aria-label") == f"States of {SHOWN}; choose one to list its jobs"
    first, over = parts(picture, "node")
    assert (first.get("data-state"), first.findtext("title"), texts(first)[0]) == (SHOWN,) * 3
    assert (first.get("class"), over.findtext("title")) == (f"node {SHOWN}", SHOWN)
    assert parse_qs(first.get("href", "?")[1:]) == {"type": [HOSTILE], "state": [HOSTILE]}
    [edge] = parts(picture, "edge")
    assert (edge.get("data-step"), texts(edge)) == (f"{SHOWN} {SHOWN}", [SHOWN])
    assert not list(picture.iter("script"))


async def test_a_page_gets_the_picture_of_a_job_type(scene: Scene) -> None:
    operator = scene.client.as_("service:observe")
    spec = scene.engine.catalog.get("upscaler").spec
    label = scene.engine.catalog.label("upscaler")
    assert (await operator.get("/operations/machines/upscaler")).body == {
        "name": "upscaler",
        "version": spec.version,
        "label": label,
        "svg": picture_of(spec, label),
    }
    missing = await operator.get("/operations/machines/nothing")
    assert (missing.status, missing.body["code"]) == (404, "not_found")
