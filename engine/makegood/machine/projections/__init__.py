"""What is generated from a Spec."""

from makegood.machine.projections.interchange import from_json, to_json
from makegood.machine.projections.mermaid import mermaid
from makegood.machine.projections.openapi import openapi
from makegood.machine.projections.paths import terminal_paths, tours
from makegood.machine.projections.sql import sql
from makegood.machine.projections.svg import Arrow, Layout, Node, layout, svg
from makegood.machine.projections.tables import event_table, state_table
from makegood.machine.projections.typescript import typescript
from makegood.machine.projections.xstate import xstate

__all__ = [
    "Arrow",
    "Layout",
    "Node",
    "event_table",
    "from_json",
    "layout",
    "mermaid",
    "openapi",
    "sql",
    "state_table",
    "svg",
    "terminal_paths",
    "to_json",
    "tours",
    "typescript",
    "xstate",
]
