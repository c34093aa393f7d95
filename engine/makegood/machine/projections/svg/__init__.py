"""The diagram of a Spec as SVG: our own layout, no program needed."""

from collections.abc import Set

from makegood.machine.projections.svg.drawing import draw
from makegood.machine.projections.svg.graph import graph_of
from makegood.machine.projections.svg.layout import Arrow, Layout, Node, layout
from makegood.machine.projections.svg.place import place
from makegood.machine.spec import Spec

__all__ = ["Arrow", "Layout", "Node", "layout", "svg"]


def svg(spec: Spec, unvisited: Set[tuple[str, str]] = frozenset()) -> str:
    """Return the diagram, light or dark as the reader prefers; the same Spec gives the same text.

    The edges in *unvisited*, pairs of event and source, are drawn in red.
    """
    return draw(place(graph_of(spec)), unvisited)
