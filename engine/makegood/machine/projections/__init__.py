"""What is generated from a Spec."""

from makegood.machine.projections.mermaid import mermaid

__all__ = ["mermaid"]
