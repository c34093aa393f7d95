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
    return [rule["expr"] for rule in RULES] + [each for panel in PANELS for each in panel_expressions(panel)]


def panel_expressions(panel: dict[str, Any]) -> list[str]:
    """Return those of one panel; what Grafana puts in is put in."""
    return [
        _VARIABLE.sub(lambda m: "5m" if m[1] == "__rate_interval" else ".*", target["expr"])
        for target in panel["targets"]
    ]


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


def gathered(expression: str) -> Iterator[tuple[str, list[tuple[str, frozenset[str]]]]]:
    """Yield each series of an expression with what is around it, from the outside: a function by its name, an
    aggregation by its own with the labels that it keeps. Raises ValueError."""
    yield from _gathered(promql_parser.parse(expression), [])


def _gathered(
    node: Any, around: list[tuple[str, frozenset[str]]]
) -> Iterator[tuple[str, list[tuple[str, frozenset[str]]]]]:
    if isinstance(node, promql_parser.VectorSelector):
        yield str(node.name), around
    elif isinstance(node, promql_parser.AggregateExpr):
        kept = frozenset(node.modifier.labels) if node.modifier else frozenset()
        yield from _gathered(node.expr, [*around, (str(node.op), kept)])
    elif isinstance(node, promql_parser.Call):
        for argument in node.args:
            yield from _gathered(argument, [*around, (node.func.name, frozenset())])
    else:
        for name in ("lhs", "rhs", "expr", "vector_selector", "vs"):
            if (inner := getattr(node, name, None)) is not None:
                yield from _gathered(inner, around)
