"""Where everything of a diagram stands, for who draws it in another look."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from makegood.machine.projections.svg.drawing import baseline_of, curve_of, gap_of, head_of
from makegood.machine.projections.svg.graph import graph_of
from makegood.machine.projections.svg.place import Line, Scene, note_of, place
from makegood.machine.spec import Money, Spec

#: Machines whose layout is remembered: it takes longer to make than a page may wait each time.
_REMEMBERED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A state and its box in pixels; `note` is written under its name."""

    state: str
    label: str
    note: str
    status: str
    terminal: bool
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """An edge: `curve` and `head` are paths of SVG, which events between the same two states share; its
    event is written around `x`, on the baseline `y`. `gap` is what the curve leaves out for that."""

    event: str
    source: str
    dest: str
    money: Money
    curve: str
    gap: str
    head: str
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What `svg` draws of a machine, without heading, key, margins, and the arrow that leads to the initial
    state: from (0, 0) to (`width`, `height`)."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]


@lru_cache(maxsize=_REMEMBERED)
def layout(spec: Spec) -> Layout:
    """Return the places of everything; they are those of `svg`."""
    scene = place(graph_of(spec))
    return Layout(
        width=round(scene.width, 1),
        height=round(scene.height, 1),
        nodes=tuple(_nodes(scene)),
        arrows=tuple(arrow for line in scene.lines for arrow in _arrows(line)),
    )


def _nodes(scene: Scene) -> Iterator[Node]:
    for state in scene.spec.states:
        box = scene.states[state.name]
        yield Node(
            state=state.name,
            label=state.label or state.name,
            note=note_of(state),
            status=state.public or state.name,
            terminal=state.terminal,
            x=round(box.x, 1),
            y=round(box.y, 1),
            width=round(box.width, 1),
            height=round(box.height, 1),
        )


def _arrows(line: Line) -> Iterator[Arrow]:
    curve, head = curve_of(line), head_of(line)
    for number, edge in enumerate(line.track.edges):
        yield Arrow(
            event=edge.event,
            source=edge.source,
            dest=edge.dest,
            money=edge.money,
            curve=curve,
            gap=gap_of(line),
            head=head,
            x=round(line.label.middle, 1),
            y=round(baseline_of(line, number), 1),
        )
