"""A Mermaid state diagram of a Spec, with what each edge does to the credits."""

from makegood.machine.spec import Money, Spec


def mermaid(spec: Spec) -> str:
    """Return the diagram as text that GitHub renders; the same Spec gives the same text."""
    lines = ["stateDiagram-v2", f"    [*] --> {spec.initial}"]
    for e in spec.edges:
        money = "" if e.money is Money.NONE else f" / {e.money.value}"
        lines.append(f"    {e.source} --> {e.dest}: {e.event}{money}")
    lines += [f"    {s.name} --> [*]" for s in spec.states if s.terminal]
    return "\n".join(lines)
