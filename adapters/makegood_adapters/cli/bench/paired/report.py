"""Pairs as people and as programs read them."""

import statistics
import textwrap

from makegood_adapters.cli.bench.paired.pair import Pair, percentile
from makegood_adapters.cli.bench.paired.run import PairedFigures


def to_json(figures: PairedFigures) -> dict[str, object]:
    """Return one flat object with a list of pairs; `kept` is null where nothing is owed."""
    return {
        "bench": figures.plan.name,
        "seconds": figures.plan.seconds,
        "pairs": [_pair(pair) for pair in figures.pairs],
        "server_version": figures.server,
        "durable": not figures.lax,
        "event_loop": figures.loop,
    }


def _pair(pair: Pair) -> dict[str, object]:
    return {
        "name": pair.name,
        "unit": pair.unit,
        "rounds": len(pair.ours),
        "ours": _side(pair.ours),
        "other": {"name": pair.other, **_side(pair.others)},
        "ratio": round(pair.ratio, 3),
        "owed": pair.owed,
        "kept": pair.kept,
    }


def _side(values: tuple[float, ...]) -> dict[str, object]:
    return {
        "p50": round(statistics.median(values), 3),
        "p99": round(percentile(values, 0.99), 3),
    }


def to_text(figures: PairedFigures) -> str:
    """Return the figures for a terminal of 80 columns."""
    head = f"makegood bench {figures.plan.name}\nPostgreSQL {figures.server}, {figures.loop}\n"
    told = ["No invariant is broken."]
    if figures.lax:
        off = " and ".join(figures.lax)
        told.append(
            f"Not durable: this server has {off} off, so these figures compare with no other server's."
        )
    sentences = [line for sentence in told for line in textwrap.wrap(sentence, 80)]
    return "\n".join([head, *map(_block, figures.pairs), *sentences]) + "\n"


def _block(pair: Pair) -> str:
    lines = [pair.name, _line("ours", pair.ours, pair.unit), _line(pair.other, pair.others, pair.unit)]
    bound = "" if pair.owed is None else f" ({'at most' if pair.unit == 'ms' else 'at least'} {pair.owed:g})"
    return "\n".join([*lines, f"  {'ratio':<42}{pair.ratio:>9.2f}{bound}"]) + "\n"


def _line(name: str, values: tuple[float, ...], unit: str) -> str:
    if unit != "ms":
        return f"  {name:<42}{statistics.median(values):>9,.0f} {unit}"
    p50, p99 = statistics.median(values), percentile(values, 0.99)
    return f"  {name:<42}{p50:>9,.2f} ms p50, {p99:,.2f} ms p99"


def header() -> str:
    """Return the head of the table that `rows` continues; it has 80 columns."""
    return f"\n{'two ways, turn by turn':<38}{'ours':>9}{'other':>9}{'ratio':>8}{'owed':>7}{'p99 ms':>9}\n"


def rows(figures: PairedFigures) -> str:
    """Return a line for each pair."""
    return "".join(
        f"{pair.name:<38}{statistics.median(pair.ours):>9,.2f}{statistics.median(pair.others):>9,.2f}"
        f"{pair.ratio:>8.2f}{'-' if pair.owed is None else f'{pair.owed:g}':>7}"
        f"{f'{percentile(pair.ours, 0.99):,.2f}' if pair.unit == 'ms' else '-':>9}\n"
        for pair in figures.pairs
    )
