"""Where everything stands, in pixels: no two things touch, and lines bend only between the rows.

All curves of one gap rise by the same law, so two of them meet only if their ends change sides.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from makegood.machine.projections.svg.graph import Graph, Track
from makegood.machine.projections.svg.order import Bend, Item, bends_of, order
from makegood.machine.projections.svg.spread import settle, spread
from makegood.machine.projections.svg.text import width_of
from makegood.machine.projections.wording import duration, with_money
from makegood.machine.spec import Spec, StateSpec

NAME_SIZE, NOTE_SIZE, LABEL_SIZE = 14.0, 11.0, 12.0
LABEL_HEIGHT = 17.0
STATE_HEIGHT = 48.0
SLOT_MARK = 42.0

_LINE_ROOM = 18.0
_LABEL_MARGIN = 7.0
_STATE_MARGIN = 14.0
_PORT_ROOM = 16.0
_PORT_INSET = 14.0
#: How much stronger the spine is pulled straight than other lines are.
_STRAIGHT = 60.0
_GAP_MIN, _GAP_MAX = 32.0, 76.0
#: Pixels at both ends of a gap in which lines are straight: room for an arrow head.
STUB = 9.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; `x` and `y` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """The horizontal middle."""
        return self.x + self.width / 2

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y + self.height

    def overlaps(self, other: "Box") -> bool:
        """Whether the two have more than an edge in common."""
        apart = self.right <= other.x or other.right <= self.x
        return not (apart or self.bottom <= other.y or other.bottom <= self.y)

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies inside."""
        return self.x < x < self.right and self.y < y < self.bottom


@dataclass(frozen=True, slots=True)
class Line:
    """A drawn track: from one port it bends to `x`, is straight between two heights, and bends again."""

    track: Track
    x: float
    port_above: tuple[float, float]
    bend_above: float
    bend_below: float
    port_below: tuple[float, float]
    label: Box


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything with its place, from (0, 0) to (`width`, `height`)."""

    spec: Spec
    states: Mapping[str, Box]
    lines: tuple[Line, ...]
    width: float
    height: float


def note_of(state: StateSpec) -> str:
    """Return what is written under a state's name."""
    return f"at most {duration(state.deadline_seconds)}" if state.deadline_seconds else "final"


def place(graph: Graph) -> Scene:
    """Lay *graph* out; the same machine always gives the same scene."""
    room = _rooms(graph)
    items = order(graph, room)
    bends = bends_of(graph)
    apart: dict[tuple[Item, Item], float] = {}
    for row in room:
        present = [item for item in items if item in row]
        for left, right in pairwise(present):
            needed = (row[left] + row[right]) / 2
            apart[left, right] = max(apart.get((left, right), 0.0), needed)
    pulls = [(b.state, b.track, _STRAIGHT if b.weight > 1 else 1.0) for b in bends]
    x = settle(len(items), pulls, apart, items)
    _straighten(x, graph, bends, apart)
    first = min(x[item] - row[item] / 2 for row in room for item in row)
    x = [round(at - first, 1) for at in x]
    width = max(x[item] + row[item] / 2 for row in room for item in row)
    return _draw(graph, x, bends, width)


def _straighten(
    x: list[float], graph: Graph, bends: Sequence[Bend], apart: Mapping[tuple[Item, Item], float]
) -> None:
    """Move tracks, where there is room, to stand right below and above the ports of their states."""
    states = graph.spec.states
    half = [_state_width(graph, s) / 2 - _PORT_INSET for s in states]
    for item in range(len(states), len(x)):
        low = max([x[left] + d for (left, right), d in apart.items() if right == item], default=x[item])
        high = min([x[right] - d for (left, right), d in apart.items() if left == item], default=x[item])
        ends = [b.state for b in bends if b.track == item]
        # Each end of the two ranges of ports, nearest first: the least bent of them is taken.
        edges = sorted(
            (x[s] + sign * half[s] for s in ends for sign in (-1, 1)), key=lambda at: abs(at - x[item])
        )
        places = [min(max(at, low), high) for at in (x[item], *edges)]

        def bent(at: float, ends: Sequence[Item] = ends) -> float:
            return sum(max(0.0, abs(at - x[s]) - half[s]) for s in ends)

        x[item] = min(places, key=lambda at: round(bent(at), 3))


def _rooms(graph: Graph) -> list[dict[Item, float]]:
    """Return what each item needs from left to right, in each row."""
    rows: list[dict[Item, float]] = [{} for _ in range(graph.rows)]
    for i, state in enumerate(graph.spec.states):
        rows[graph.row(state.name)][i] = _state_width(graph, state) + 2 * _STATE_MARGIN
    for i, track in enumerate(graph.tracks, len(graph.spec.states)):
        for row in track.rows:
            rows[row][i] = _LINE_ROOM
        rows[track.label_row][i] = _label_width(track) + 2 * _LABEL_MARGIN
    return rows


def _state_width(graph: Graph, state: StateSpec) -> float:
    ports = max(
        sum(t.upper == state.name for t in graph.tracks), sum(t.lower == state.name for t in graph.tracks)
    )
    note = width_of(note_of(state), NOTE_SIZE) + (SLOT_MARK if state.slot else 0.0)
    text = max(width_of(state.name, NAME_SIZE, bold=True), note)
    return max(96.0, text + 28.0, (ports - 1) * _PORT_ROOM + 2 * _PORT_INSET)


def _label_width(track: Track) -> float:
    return max(width_of(with_money(edge.event, edge), LABEL_SIZE) for edge in track.edges)


def _draw(graph: Graph, x: Sequence[float], bends: Sequence[Bend], width: float) -> Scene:
    widths = [_state_width(graph, s) for s in graph.spec.states]
    ports = _ports(x, widths, bends)
    heights = _row_heights(graph)
    tops = _row_tops(heights, x, ports, bends)
    states = {}
    for i, state in enumerate(graph.spec.states):
        row = graph.row(state.name)
        states[state.name] = Box(x[i] - widths[i] / 2, tops[row], widths[i], STATE_HEIGHT)
    lines = []
    for i, track in enumerate(graph.tracks, len(graph.spec.states)):
        upper, lower = ((n, b) for n, b in enumerate(bends) if b.track == i)
        row, label_width, label_height = track.label_row, _label_width(track), LABEL_HEIGHT * len(track.edges)
        label_top = tops[row] + (heights[row] - label_height) / 2
        line = Line(
            track=track,
            x=x[i],
            port_above=(ports[upper[0]], tops[track.top] + heights[track.top]),
            bend_above=tops[track.top + 1],
            bend_below=tops[track.bottom - 1] + heights[track.bottom - 1],
            port_below=(ports[lower[0]], tops[track.bottom]),
            label=Box(x[i] - label_width / 2, label_top, label_width, label_height),
        )
        lines.append(line)
    return Scene(graph.spec, states, tuple(lines), width, tops[-1] + heights[-1])


def _ports(x: Sequence[float], widths: Sequence[float], bends: Sequence[Bend]) -> list[float]:
    """Return where each bend meets its state: straight below or above its track if it can."""
    sides: dict[tuple[Item, int], list[int]] = defaultdict(list)
    for n, bend in enumerate(bends):
        sides[bend.state, bend.gap].append(n)
    ports = [0.0] * len(bends)
    for (state, _), found in sides.items():
        found.sort(key=lambda n: x[bends[n].track])
        half = widths[state] / 2 - _PORT_INSET
        wanted = [x[bends[n].track] for n in found]
        for n, at in zip(found, spread(wanted, _PORT_ROOM, x[state] - half, x[state] + half), strict=True):
            ports[n] = round(at, 1)
    return ports


def _row_heights(graph: Graph) -> list[float]:
    heights = [0.0 if row % 2 else STATE_HEIGHT for row in range(graph.rows)]
    for track in graph.tracks:
        heights[track.label_row] = max(heights[track.label_row], LABEL_HEIGHT * len(track.edges))
    return heights


def _row_tops(
    heights: Sequence[float], x: Sequence[float], ports: Collection[float], bends: Sequence[Bend]
) -> list[float]:
    """Stack the rows; a gap is the higher, the farther the lines in it have to go."""
    far = [0.0] * len(heights)
    for port, bend in zip(ports, bends, strict=True):
        far[bend.gap] = max(far[bend.gap], abs(port - x[bend.track]))
    tops = [0.0]
    for height, distance in zip(heights, far, strict=True):
        tops.append(tops[-1] + height + round(min(_GAP_MAX, max(_GAP_MIN, 24.0 + distance / 6)), 1))
    return tops[:-1]
