"""The machine of a job type as a picture for a page, which writes the counts into it."""

import asyncio
import html
import re
from urllib.parse import urlencode

from makegood.machine import Spec
from makegood.machine.projections import Arrow, Layout, Node, layout
from makegood.machine.spec import Money
from makegood.ports import ENDED_SECONDS
from makegood_adapters.http.operation import Call
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.overview import look
from makegood_adapters.http.v1.views import View

_ENDED = f"last {ENDED_SECONDS / 3_600:g} h"
#: Of the pill that a count is written into, in pixels: it has room for "10,000+".
_PILL_WIDTH, _PILL_HEIGHT = 66.5, 20.0
#: Where it begins, left of the right edge of its state.
_PILL_OVER = 8.0
#: Around everything, and what is left free right of it.
_MARGIN, _ROOM = 4.0, 26.0
#: What XML has no place for, however it is escaped.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class MachineView(View):
    """A job type's newest version; `svg` is its diagram for a page that writes the counts into it."""

    name: str
    version: int
    label: str
    svg: str


async def get_machine(api: Api, call: Call, name: str) -> MachineView:
    """The newest version of a job type's machine, drawn: its states, and the moves between them."""
    spec = await api.engine.machine(name)
    label = api.engine.catalog.label(name)
    svg = await asyncio.to_thread(picture_of, spec, label)
    return MachineView(name=spec.name, version=spec.version, label=label, svg=svg)


def picture_of(spec: Spec, label: str) -> str:
    """Return the diagram of *spec* as SVG to be part of a page, with the places of `makegood graph`.

    It has no look of its own: the page's style sheet gives it one by its classes. A state leads to its jobs;
    the text of its `count`, and its name for who does not see it, are the page's to write. A move is found by
    its `data-step`: event, a space, and the state that it leaves.
    """
    drawn = layout(spec)
    at = {node.state: node.y for node in drawn.nodes}
    name = _told(f"States of {label}; choose one to list its jobs")
    return "".join(
        (
            f'<svg class="machine" role="group" viewBox="{_view(drawn)}" aria-label="{name}">',
            *(_edge(arrow, up=at[arrow.dest] < at[arrow.source]) for arrow in drawn.arrows),
            *(_node(spec, node) for node in drawn.nodes),
            "</svg>",
        )
    )


def _view(drawn: Layout) -> str:
    pills = max(node.x + node.width for node in drawn.nodes) - _PILL_OVER + _PILL_WIDTH
    width = max(drawn.width + _ROOM, pills + _MARGIN) + _MARGIN
    return f"{-_MARGIN:g} {-2 * _MARGIN:g} {width:g} {drawn.height + 3 * _MARGIN:g}"


def _edge(arrow: Arrow, *, up: bool) -> str:
    moves = arrow.money is not Money.NONE
    kind = f"edge {arrow.money.value}" if moves else "edge"
    way = ' data-up="1"' if up else ""
    money = f"<tspan> · {arrow.money.value}</tspan>" if moves else ""
    return (
        f'<g class="{kind}" data-step="{_told(f"{arrow.event} {arrow.source}")}"{way}>'
        f'<path d="{arrow.curve}"/><path class="gap" d="{arrow.gap}"/>'
        f'<path class="head" d="{arrow.head}"/><circle r="5"/>'
        f'<text x="{arrow.x:g}" y="{arrow.y:g}">{_told(arrow.event)}{money}</text></g>'
    )


def _node(spec: Spec, node: Node) -> str:
    width, height, middle = node.width, node.height, f"{node.width / 2:g}"
    note = _told(_ENDED if node.terminal else node.note)
    jobs = _told("?" + urlencode({"type": spec.name, "state": node.state}))
    inner = f'<rect class="inner" x="3.5" y="3.5" width="{width - 7:g}" height="{height - 7:g}" rx="6"/>'
    return (
        f'<a class="node {_told(node.status)}" data-state="{_told(node.state)}" data-note="{note}" '
        f'href="{jobs}" transform="translate({node.x:g} {node.y:g})"><title>{_told(node.label)}</title>'
        f'<rect width="{width:g}" height="{height:g}" rx="9"/>{inner if node.terminal else ""}'
        f'<text x="{middle}" y="21">{_told(node.state)}</text>'
        f'<text class="note" x="{middle}" y="37">{note}</text>{_count(node)}</a>'
    )


def _count(node: Node) -> str:
    return (
        f'<g class="count" transform="translate({node.width - _PILL_OVER:g} {node.height / 2:g})">'
        f'<rect y="{-_PILL_HEIGHT / 2:g}" width="{_PILL_WIDTH:g}" height="{_PILL_HEIGHT:g}" '
        f'rx="{_PILL_HEIGHT / 2:g}"/><text x="{_PILL_WIDTH / 2:g}" y="4.5"></text></g>'
    )


def _told(text: str) -> str:
    return html.escape(_ILLEGAL.sub("\ufffd", text))


OPERATIONS = (look("/machines/{name}", get_machine, "A job type's machine as a picture", MachineView),)
