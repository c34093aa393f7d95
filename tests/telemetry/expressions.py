"""What the dashboard and the alerts ask Prometheus for, read by a parser of its language."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import yaml  # type: ignore[import-untyped]  # it ships no types

HOUSE = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((HOUSE / "config" / "grafana" / "makegood.json").read_text("utf-8"))
ALERTS = yaml.safe_load((HOUSE / "config" / "alerts" / "makegood.yml").read_text("utf-8"))
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
_VARIABLE = re.compile(r"\$(\w+)")


def expressions() -> list[str]:
    """Return every expression; what Grafana puts in is put in."""
    found = [rule["expr"] for rule in RULES]
    for panel in PANELS:
        for target in panel["targets"]:
            found.append(_VARIABLE.sub(lambda m: "5m" if m[1] == "__rate_interval" else ".*", target["expr"]))
    return found


@dataclass(frozen=True)
class Asked:
    """A series that is asked for, and the labels by which it is chosen, in one expression."""

    name: str
    labels: frozenset[str]


def asked(expression: str) -> tuple[list[Asked], set[str]]:
    """Return the series of an expression, and the labels by which it groups. Raises ValueError."""
    series: list[Asked] = []
    grouped: set[str] = set()
    for node in _nodes(promql_parser.parse(expression)):
        if isinstance(node, promql_parser.VectorSelector):
            chosen = frozenset(matcher.name for matcher in node.matchers.matchers)
            series.append(Asked(str(node.name), chosen))
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            grouped |= set(node.modifier.labels)
    return series, grouped


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for name in ("lhs", "rhs", "expr", "vector_selector", "vs"):
        if (inner := getattr(node, name, None)) is not None:
            yield from _nodes(inner)
    for argument in getattr(node, "args", None) or ():
        yield from _nodes(argument)
