"""The diagram: everything once, in its place, and nothing on top of anything else."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from xml.etree.ElementTree import Element, fromstring

import pytest

from makegood import BaseJob
from makegood.machine import Money, Spec
from makegood.machine.projections import svg as draw
from makegood.machine.projections.svg.graph import graph_of
from makegood.machine.projections.svg.place import Box, Scene, place
from makegood.machine.projections.svg.style import UNVISITED, style
from makegood.machine.projections.svg.text import width_of
from tests.engine.machines import LONG, SPECS

SVG = "{http://www.w3.org/2000/svg}"
SIZES = {"name": 14.0, "note": 11.0, "label": 12.0, "key": 12.0, "heading": 15.0}
Point = tuple[float, float]

of_all = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


@cache
def svg(spec: Spec, unvisited: frozenset[tuple[str, str]] = frozenset()) -> str:
    return draw(spec, unvisited)


@cache
def scene_of(spec: Spec) -> Scene:
    return place(graph_of(spec))


@dataclass(frozen=True)
class Drawn:
    """An element with the shift of the groups around it."""

    element: Element
    x: float
    y: float
    parent: Element

    @property
    def classes(self) -> list[str]:
        return self.element.get("class", "").split()

    def number(self, name: str) -> float:
        return float(self.element.get(name, "0"))

    @property
    def text(self) -> str:
        return "".join(self.element.itertext())

    @property
    def extent(self) -> Box:
        """Where a rectangle or a text lies, on the whole page."""
        x, y = self.number("x") + self.x, self.number("y") + self.y
        if self.element.tag == f"{SVG}rect":
            return Box(x, y, self.number("width"), self.number("height"))
        bold = bool({"name", "heading"} & set(self.classes))
        size = next((SIZES[c] for c in self.classes if c in SIZES), 11.0)
        width = width_of(self.text, size, bold=bold)
        begins = x if {"key", "heading"} & set(self.classes) else x - width / 2
        return Box(begins, y - size, width, size * 1.25)

    def points(self) -> list[list[Point]]:
        """Follow a path: a list of points for every stroke of it."""
        strokes: list[list[Point]] = []
        for command, numbers in re.findall(r"([MLHVCZ])([^MLHVCZ]*)", self.element.get("d", "")):
            given = [float(number) for number in numbers.split()]
            here = strokes[-1][-1] if strokes else (0.0, 0.0)
            match command:
                case "M":
                    strokes.append([(given[0] + self.x, given[1] + self.y)])
                case "L":
                    strokes[-1].append((given[0] + self.x, given[1] + self.y))
                case "H":
                    strokes[-1].append((given[0] + self.x, here[1]))
                case "V":
                    strokes[-1].append((here[0], given[0] + self.y))
                case "C":
                    controls = [(given[i] + self.x, given[i + 1] + self.y) for i in (0, 2, 4)]
                    strokes[-1] += bezier(here, *controls)
        return strokes


def bezier(a: Point, b: Point, c: Point, d: Point) -> Iterator[Point]:
    for i in range(1, 25):
        t = i / 24
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        yield (
            sum(w * p[0] for w, p in zip(weights, (a, b, c, d), strict=True)),
            sum(w * p[1] for w, p in zip(weights, (a, b, c, d), strict=True)),
        )


def everything(text: str) -> list[Drawn]:
    root = fromstring(text)
    found: list[Drawn] = []

    def walk(element: Element, x: float, y: float) -> None:
        if moved := re.match(r"translate\(([-\d.]+) ([-\d.]+)\)", element.get("transform", "")):
            x, y = x + float(moved[1]), y + float(moved[2])
        for child in element:
            found.append(Drawn(child, x, y, element))
            walk(child, x, y)

    walk(root, 0.0, 0.0)
    return found


def of_class(text: str, name: str) -> list[Drawn]:
    return [drawn for drawn in everything(text) if name in drawn.classes]


@cache
def lines(text: str) -> list[list[Point]]:
    """Return the strokes of all tracks, finely divided; the first is the arrow to the initial state."""
    strokes = [stroke for drawn in of_class(text, "line") for stroke in drawn.points()]
    return [[point for a, b in pairwise(stroke) for point in between(a, b)] for stroke in strokes]


def between(a: Point, b: Point) -> Iterator[Point]:
    steps = max(1, int(max(abs(a[0] - b[0]), abs(a[1] - b[1])) // 3))
    for i in range(steps + 1):
        yield a[0] + (b[0] - a[0]) * i / steps, a[1] + (b[1] - a[1]) * i / steps


@of_all
def test_every_state_is_written_once_inside_its_box(spec: Spec) -> None:
    drawn = of_class(svg(spec), "name")
    assert [d.text for d in drawn] == [s.name for s in spec.states]
    for d in drawn:
        [box] = [c for c in d.parent if c.get("class") == "box"]
        outer = Box(*(float(box.get(k, "0")) for k in ("x", "y", "width", "height")))
        own = d.extent
        assert outer.x + d.x <= own.x
        assert own.right <= outer.right + d.x
        assert outer.y + d.y <= own.y
        assert own.bottom <= outer.bottom + d.y


@of_all
def test_every_event_is_written_once_with_its_money(spec: Spec) -> None:
    drawn = of_class(svg(spec), "label")
    told = [(d.element.get("data-source"), d.text) for d in drawn]
    expected = [(e.source, e.event + ("" if e.money is Money.NONE else f" · {e.money}")) for e in spec.edges]
    assert sorted(map(str, told)) == sorted(map(str, expected))


@of_all
def test_a_label_stands_on_the_line_from_its_state_to_its_destination(spec: Spec) -> None:
    scene = scene_of(spec)
    assert sorted(str(e) for line in scene.lines for e in line.track.edges) == sorted(map(str, spec.edges))
    for line in scene.lines:
        assert {(e.source, e.dest) for e in line.track.edges} == {(line.track.source, line.track.dest)}
        for (x, y), name in ((line.port_above, line.track.upper), (line.port_below, line.track.lower)):
            box = scene.states[name]
            assert box.x < x < box.right
            assert y in (box.y, box.bottom)
        assert line.label.middle == pytest.approx(line.x)


@of_all
def test_no_label_overlaps_a_label_or_a_state(spec: Spec) -> None:
    scene = scene_of(spec)
    boxes = [*scene.states.values(), *(line.label for line in scene.lines)]
    assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]
    text = svg(spec)
    texts = [d.extent for name in ("label", "name", "note") for d in of_class(text, name)]
    assert not [(a, b) for a, b in combinations(texts, 2) if a.overlaps(b)]


@of_all
def test_no_line_runs_through_a_label_or_a_state(spec: Spec) -> None:
    text = svg(spec)
    boxes = [d.extent for d in of_class(text, "box")] + [d.extent for d in of_class(text, "label")]
    points = [point for line in lines(text) for point in line]
    assert not [(box, x, y) for box in boxes for x, y in points if box.holds(x, y)]


@of_all
def test_everything_is_inside_the_picture(spec: Spec) -> None:
    text = svg(spec, frozenset({(spec.edges[0].event, spec.edges[0].source)}))
    width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)[0])
    shapes = [d for d in everything(text) if d.element.tag in (f"{SVG}rect", f"{SVG}text")]
    assert len(shapes) > len(spec.states) * 3
    for d in shapes:
        box = d.extent
        assert (box.x >= 0, box.y >= 0, box.right <= width, box.bottom <= height) == (True,) * 4, d.text
    for line in lines(text):
        assert all(0 < x < width and 0 < y < height for x, y in line)


def test_initial_comes_first_and_final_states_come_last() -> None:
    scene = scene_of(LONG)
    heights = {name: box.y for name, box in scene.states.items()}
    lowest = max(heights.values())
    assert {name for name, y in heights.items() if y == lowest} == LONG.terminal
    assert min(heights, key=lambda name: heights[name]) == "pending"
    drawn = {d.element.get("data-state"): d for d in of_class(svg(LONG), "state")}
    assert {name for name, d in drawn.items() if "final" in d.classes} == LONG.terminal
    marked = {name for name, d in drawn.items() if any(c.get("class") == "mark" for c in d.element)}
    assert marked == {s.name for s in LONG.states if s.slot}


def test_two_events_between_the_same_states_share_a_line() -> None:
    [line] = [n for n in scene_of(LONG).lines if n.track.dest == "published"]
    assert [e.event for e in line.track.edges] == ["approve", "approve_unseen"]


def test_the_lines_of_the_base_cross_but_twice() -> None:
    crossings = 0
    strokes = [stroke for drawn in of_class(svg(BaseJob.spec), "line") for stroke in drawn.points()]
    for a, b in combinations(strokes, 2):
        crossings += any(crosses(*one, *two) for one in pairwise(a) for two in pairwise(b))
    assert crossings == 2


def crosses(a: Point, b: Point, c: Point, d: Point) -> bool:
    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def test_only_what_was_not_visited_is_red() -> None:
    text = svg(BaseJob.spec, frozenset({("rerun", "running"), ("fail", "queued")}))
    red = of_class(text, UNVISITED)
    labels = {
        (d.element.get("data-event"), d.element.get("data-source")) for d in red if "label" in d.classes
    }
    assert labels == {("rerun", "running"), ("fail", "queued")}
    assert len([d for d in red if "line" in d.classes]) == 2
    assert UNVISITED not in "".join(svg(BaseJob.spec).split("</style>")[1:])


def test_the_picture_is_told_to_those_who_do_not_see_it() -> None:
    root = fromstring(svg(LONG))
    ids = {element.get("id"): element for element in root.iter() if element.get("id")}
    title, told = (ids[name] for name in root.get("aria-labelledby", "").split())
    assert (root.get("role"), title.text) == ("img", "The states of long_video, version 1")
    for edge in LONG.edges:
        assert f"{edge.event} leads to {edge.dest}" in str(told.text)
    assert 'a person looks | "at it" <soon>' in [e.text for e in root.iter(f"{SVG}title")]


def test_texts_are_legible_in_the_light_and_in_the_dark() -> None:
    light, dark = style().split("@media (prefers-color-scheme: dark)")
    for dress in (light, dark):
        [ground] = re.findall(r"^\.ground \{ fill: (#\w+)", dress, re.MULTILINE)
        inks = re.findall(r"^(?:text|\.note|\.head\.\w+)\b.*\{ fill: (#\w+)", dress, re.MULTILINE)
        assert len(inks) == 7
        assert [ink for ink in inks if contrast(ink, ground) < 4.5] == []


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, relative luminance."""
    values = []
    for colour in (one, other):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        values.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(values) + 0.05) / (min(values) + 0.05)


def test_another_process_draws_the_same() -> None:
    code = (
        "from tests.engine.machines import SPECS; from makegood.machine.projections import svg; "
        "import hashlib; print(hashlib.sha256(''.join(map(svg, SPECS[:5])).encode()).hexdigest())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


def test_wide_letters_get_more_room() -> None:
    assert width_of("映像", 12) > width_of("mm", 12) > width_of("ii", 12)
    assert width_of("name", 12, bold=True) > width_of("name", 12)
