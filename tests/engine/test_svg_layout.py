"""Who draws a machine by its layout draws what `svg` does."""

import re

from makegood.machine.projections import layout, svg
from makegood.testing.drive import SPECS


def test_a_layout_has_every_place_that_the_diagram_has() -> None:
    for spec in SPECS:
        drawn, found = svg(spec), layout(spec)
        boxes = set(re.findall(r'class="box" x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"', drawn))
        assert {tuple(f"{v:g}" for v in (n.x, n.y, n.width, n.height)) for n in found.nodes} == boxes
        labels = re.findall(r'data-event="(\w+)" data-source="(\w+)" x="(\S+)" y="(\S+)"', drawn)
        assert {(a.event, a.source, f"{a.x:g}", f"{a.y:g}") for a in found.arrows} == set(labels)
        for kind, paths in (
            ("line", [a.curve for a in found.arrows]),
            ("head", [a.head for a in found.arrows]),
        ):
            shown = set(re.findall(rf'class="{kind}[ \w]*" d="([^"]+)"', drawn))
            # The diagram also draws the arrow that leads to the initial state.
            assert set(paths) < shown
            assert len(shown - set(paths)) == 1
        assert {(a.source, a.dest) for a in found.arrows} == {(e.source, e.dest) for e in spec.edges}
        assert all(n.x >= 0 and n.x + n.width <= found.width for n in found.nodes)
        assert all(n.y >= 0 and n.y + n.height <= found.height for n in found.nodes)
