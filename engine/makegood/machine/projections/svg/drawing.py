"""A placed scene as SVG text: what is under something else is written first."""

from collections.abc import Iterator, Set
from xml.sax.saxutils import escape, quoteattr

from makegood.machine.projections.svg.place import (
    LABEL_HEIGHT,
    LABEL_SIZE,
    NOTE_SIZE,
    STUB,
    Line,
    Scene,
    note_of,
)
from makegood.machine.projections.svg.style import UNVISITED, style
from makegood.machine.projections.svg.text import width_of
from makegood.machine.projections.wording import MONEY_MEANS, pascal
from makegood.machine.spec import Edge, Money, Spec, StateSpec

Unvisited = Set[tuple[str, str]]

_EDGE = 20.0
_HEADING, _HEADING_SIZE = 34.0, 15.0
#: How far above the initial state its arrow begins.
_START = 30.0
_HEAD_LENGTH, _HEAD_HALF = 9.0, 4.5
_SLOT, _SLOT_WIDTH = "slot", 32.0
_KEY_HEIGHT = 20.0
_KEY_SPACE = 12.0


def draw(scene: Scene, unvisited: Unvisited) -> str:
    """Return the document; edges (event, source) that are *unvisited* are red."""
    spec, heading = scene.spec, f"{scene.spec.name}@{scene.spec.version}"
    entries = _entries(spec, bool(unvisited))
    inner = max([scene.width, width_of(heading, _HEADING_SIZE, bold=True), *(room for _, _, room in entries)])
    keys, rows = _keys(entries, inner)
    width = round(inner + 2 * _EDGE, 1)
    left = _EDGE + (inner - scene.width) / 2
    top = _EDGE + _HEADING + _START
    foot = top + scene.height + 26.0
    height = round(foot + rows * _KEY_HEIGHT + _EDGE - 6.0, 1)
    name = f"{pascal(spec.name)}-{spec.version}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" aria-labelledby="{name}-title {name}-desc">',
        f'<title id="{name}-title">{escape(_title(spec))}</title>',
        f'<desc id="{name}-desc">{escape(_told(spec))}</desc>',
        f"<style>\n{style()}\n</style>",
        f'<rect class="ground" width="{width:g}" height="{height:g}" rx="8"/>',
        f'<text class="heading" x="{_EDGE:g}" y="{_EDGE + 12:g}">{escape(heading)}</text>',
        f'<g transform="translate({_n(left)} {_n(top)})">',
        *_initial(scene),
    ]
    for line in scene.lines:
        parts += _line(line, unvisited)
    for state in spec.states:
        parts += _state(scene, state)
    for line in scene.lines:
        parts += _label(line, unvisited)
    parts += ["</g>", f'<g transform="translate({_n(_EDGE)} {_n(foot)})">']
    return "\n".join([*parts, *keys, "</g>", "</svg>"]) + "\n"


def _title(spec: Spec) -> str:
    return f"The states of {spec.name}, version {spec.version}"


def _told(spec: Spec) -> str:
    """Tell the whole picture in sentences, for those who do not see it."""
    sentences = [f"A job begins in {spec.initial} and ends in one of {', '.join(sorted(spec.terminal))}."]
    for state in spec.states:
        ways = [
            f"{e.event} leads to {e.dest}" + ("" if e.money is Money.NONE else f" ({e.money.value})")
            for e in spec.leaving(state.name)
        ]
        if ways:
            sentences.append(f"From {state.name}, {note_of(state)}: {'; '.join(ways)}.")
    return " ".join(sentences)


def _initial(scene: Scene) -> Iterator[str]:
    box = scene.states[scene.spec.initial]
    yield f'<circle class="start" cx="{_n(box.middle)}" cy="{_n(box.y - _START)}" r="5"/>'
    yield f'<path class="line" d="M{_n(box.middle)} {_n(box.y - _START)}V{_n(box.y - _HEAD_LENGTH)}"/>'
    yield f'<path class="head" d="{_head(box.middle, box.y, up=False)}"/>'


def curve_of(line: Line) -> str:
    """Return the path of the curve, interrupted where its label stands."""
    (above_x, above_y), (below_x, below_y) = line.port_above, line.port_below
    climbs = line.track.climbs
    first = above_y + (_HEAD_LENGTH if climbs else 0.0)
    last = below_y - (0.0 if climbs else _HEAD_LENGTH)
    return (
        f"M{_n(above_x)} {_n(first)}"
        + _curve(above_x, above_y + STUB, line.x, line.bend_above)
        + f"V{_n(line.label.y)}"
        + f"M{_n(line.x)} {_n(line.label.bottom)}"
        + _curve(line.x, line.bend_below, below_x, below_y - STUB)
        + f"V{_n(last)}"
    )


def gap_of(line: Line) -> str:
    """Return the path of what `curve_of` leaves out."""
    return f"M{_n(line.x)} {_n(line.label.y)}V{_n(line.label.bottom)}"


def head_of(line: Line) -> str:
    """Return the path of the arrow head."""
    if line.track.climbs:
        return _head(*line.port_above, up=True)
    return _head(*line.port_below, up=False)


def baseline_of(line: Line, number: int) -> float:
    """Return the height on which the name of the event of this number stands, from 0."""
    return line.label.y + number * LABEL_HEIGHT + LABEL_HEIGHT / 2 + LABEL_SIZE * 0.36


def _line(line: Line, unvisited: Unvisited) -> Iterator[str]:
    kind = _kind(line, unvisited)
    yield f'<path class="line{kind}" d="{curve_of(line)}"/>'
    yield f'<path class="head{kind}" d="{head_of(line)}"/>'


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    if abs(x1 - x2) < 0.05:
        return f"V{_n(y2)}"
    half = (y1 + y2) / 2
    return f"V{_n(y1)}C{_n(x1)} {_n(half)} {_n(x2)} {_n(half)} {_n(x2)} {_n(y2)}"


def _head(x: float, y: float, *, up: bool) -> str:
    base = y + _HEAD_LENGTH if up else y - _HEAD_LENGTH
    return f"M{_n(x)} {_n(y)}L{_n(x - _HEAD_HALF)} {_n(base)}H{_n(x + _HEAD_HALF)}Z"


def _kind(line: Line, unvisited: Unvisited) -> str:
    if any((e.event, e.source) in unvisited for e in line.track.edges):
        return f" {UNVISITED}"
    kinds = {e.money for e in line.track.edges}
    return "" if kinds == {Money.NONE} or len(kinds) > 1 else f" {kinds.pop().value}"


def _state(scene: Scene, state: StateSpec) -> Iterator[str]:
    box, inset = scene.states[state.name], 3.5
    kind = " final" if state.terminal else ""
    yield f'<g class="state{kind}" data-state={quoteattr(state.name)}>'
    yield f"<title>{escape(state.label or state.name)}</title>"
    size = f'width="{_n(box.width)}" height="{_n(box.height)}"'
    yield f'<rect class="box" x="{_n(box.x)}" y="{_n(box.y)}" {size} rx="9"/>'
    if state.terminal:
        size = f'width="{_n(box.width - 2 * inset)}" height="{_n(box.height - 2 * inset)}"'
        yield f'<rect class="box inner" x="{_n(box.x + inset)}" y="{_n(box.y + inset)}" {size} rx="6"/>'
    yield f'<text class="name" x="{_n(box.middle)}" y="{_n(box.y + 21)}">{escape(state.name)}</text>'
    note, at, middle = note_of(state), box.y + 37, box.middle
    if state.slot:
        left = box.middle - (_SLOT_WIDTH + 6 + width_of(note, NOTE_SIZE)) / 2
        middle = left + _SLOT_WIDTH + 6 + width_of(note, NOTE_SIZE) / 2
        yield from _slot_mark(left, at)
    yield f'<text class="note" x="{_n(middle)}" y="{_n(at)}">{escape(note)}</text>'
    yield "</g>"


def _slot_mark(x: float, baseline: float) -> Iterator[str]:
    yield '<g class="mark">'
    yield f'<rect x="{_n(x)}" y="{_n(baseline - 10.5)}" width="{_SLOT_WIDTH:g}" height="14" rx="7"/>'
    yield f'<text x="{_n(x + _SLOT_WIDTH / 2)}" y="{_n(baseline)}">{_SLOT}</text></g>'


def _label(line: Line, unvisited: Unvisited) -> Iterator[str]:
    for n, edge in enumerate(line.track.edges):
        yield _event(edge, line.label.middle, baseline_of(line, n), (edge.event, edge.source) in unvisited)


def _event(edge: Edge, x: float, y: float, missed: bool) -> str:
    kind = f" {UNVISITED}" if missed else ""
    where = f"data-event={quoteattr(edge.event)} data-source={quoteattr(edge.source)}"
    text = escape(edge.event)
    if edge.money is not Money.NONE:
        colour = UNVISITED if missed else edge.money.value
        text += f' <tspan class="money {colour}">· {edge.money.value}</tspan>'
    return f'<text class="label{kind}" {where} x="{_n(x)}" y="{_n(y)}">{text}</text>'


def _entries(spec: Spec, red: bool) -> list[tuple[str, str, float]]:
    """Return the signs in use: (word, meaning, room that both need)."""
    used = {e.money for e in spec.edges}
    entries = [(money.value, meaning) for money, meaning in MONEY_MEANS.items() if money in used]
    if any(s.slot for s in spec.states):
        entries.append((_SLOT, "has an attempt at the provider"))
    if red:
        entries.append((UNVISITED, "no test has taken it"))
    return [(word, meaning, width_of(f"{word} {meaning}", LABEL_SIZE) + 12.0) for word, meaning in entries]


def _keys(entries: list[tuple[str, str, float]], width: float) -> tuple[list[str], int]:
    """Say what the signs mean, in as many rows as it takes; return the marks and the number of rows."""
    marks: list[str] = []
    row, x = 0, 0.0
    for word, meaning, room in entries:
        if x and x + room > width:
            row, x = row + 1, 0.0
        y = row * _KEY_HEIGHT + 12
        if word == _SLOT:
            marks += _slot_mark(x, y)
            marks.append(f'<text class="key" x="{_n(x + _SLOT_WIDTH + 6)}" y="{_n(y)}">{meaning}</text>')
        else:
            term = f'<tspan class="money {word}">{word}</tspan>'
            marks.append(f'<text class="key" x="{_n(x)}" y="{_n(y)}">{term} {meaning}</text>')
        x += room + _KEY_SPACE
    return marks, row + 1 if entries else 0


def _n(value: float) -> str:
    """Write a coordinate with one digit behind the point, and without what says nothing."""
    return f"{round(value, 1) + 0.0:g}"
