"""A Mermaid diagram of a Spec, with what each edge does to the credits."""

from collections.abc import Set

from makegood.machine.spec import Edge, Money, Spec


def mermaid(spec: Spec, unvisited: Set[tuple[str, str]] = frozenset()) -> str:
    """Return the diagram as text that GitHub renders; the same Spec gives the same text.

    The edges in *unvisited*, pairs of event and source, are drawn in red. The diagram is a flowchart
    then: Mermaid cannot colour the transitions of a state diagram.
    """
    return _flowchart(spec, unvisited) if unvisited else _state_diagram(spec)


def _state_diagram(spec: Spec) -> str:
    lines = ["stateDiagram-v2", f"    [*] --> {spec.initial}"]
    lines += [f"    {e.source} --> {e.dest}: {_label(e)}" for e in spec.edges]
    lines += [f"    {s.name} --> [*]" for s in spec.states if s.terminal]
    return "\n".join(lines)


def _flowchart(spec: Spec, unvisited: Set[tuple[str, str]]) -> str:
    # Numbered, because `end` and a few other words may not be the name of a node.
    node = {s.name: f"s{i}" for i, s in enumerate(spec.states)}
    lines = ["flowchart TD", f"    start(( )) --> {node[spec.initial]}"]
    for s in spec.states:
        shape = f'(["{s.name}"])' if s.terminal else f'("{s.name}")'
        lines.append(f"    {node[s.name]}{shape}")
    lines += [f'    {node[e.source]} -->|"{_label(e)}"| {node[e.dest]}' for e in spec.edges]
    missed = [str(i) for i, e in enumerate(spec.edges, 1) if (e.event, e.source) in unvisited]
    if missed:
        lines.append(f"    linkStyle {','.join(missed)} stroke:#d1242f,color:#d1242f,stroke-width:2px")
    return "\n".join(lines)


def _label(edge: Edge) -> str:
    return edge.event if edge.money is Money.NONE else f"{edge.event} / {edge.money.value}"
