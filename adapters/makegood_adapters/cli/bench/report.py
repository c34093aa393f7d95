"""Figures as people and as programs read them."""

import textwrap

from makegood_adapters.cli.bench.figures import Figures

_MICRO = 1_000_000


def to_json(figures: Figures) -> dict[str, object]:
    """Return one flat object; seconds of CPU and bytes are those of the product's slices alone."""
    plan, usage, against = figures.plan, figures.usage, figures.against
    return {
        "bench": plan.name,
        "unit": figures.unit,
        "rate_per_second": round(figures.rate, 1),
        "p50_ms": round(figures.percentile(0.50), 3),
        "p99_ms": round(figures.percentile(0.99), 3),
        "ratio": _rounded(figures.ratio, 3),
        "baseline": {
            "name": against.name,
            "rate_per_second": _rounded(against.rate, 1),
            "clients": against.clients,
            "postgres_cpu_us_per_transition": _rounded(against.postgres_us, 1),
            "missing": against.missing,
        },
        "ratio_to_transitions": _rounded(figures.ratio_to_plain, 3),
        "transitions_per_second": _rounded(figures.plain_rate, 1),
        "seconds": plan.seconds,
        "slices": [round(part.rate, 1) for part in figures.slices],
        "concurrency": plan.concurrency,
        "owners": plan.owners,
        "jobs": figures.jobs,
        "transitions": figures.transitions,
        "python_cpu_seconds": round(usage.python, 3),
        "postgres_cpu_seconds": _rounded(usage.postgres, 3),
        "python_cpu_us_per_transition": round(_MICRO * usage.python / figures.transitions, 1),
        "postgres_cpu_us_per_transition": _rounded(_postgres_us(figures), 1),
        "wal_bytes_per_job": round(usage.wal / figures.jobs),
        "batches": {
            kind: {
                "batches": seen.batches,
                "mean": round(seen.items / seen.batches, 1) if seen.batches else None,
                "largest": seen.largest,
                "alone": seen.alone,
            }
            for kind, seen in figures.batches.items()
        },
        "server_version": figures.server,
        "durable": not figures.lax,
        "event_loop": figures.loop,
    }


def to_text(figures: Figures) -> str:
    """Return the figures for a terminal of 80 columns."""
    plan, usage, against = figures.plan, figures.usage, figures.against
    callers = f"{plan.concurrency:,} caller{'s'[: plan.concurrency > 1]}"
    owners = f"{plan.owners:,} owner{'s'[: plan.owners > 1]}"
    lines = [
        f"makegood bench {plan.name}",
        f"PostgreSQL {figures.server}, {callers}, {owners}, {figures.jobs:,} jobs, {figures.loop}",
        "",
        _line(figures.unit + " per second", f"{figures.rate:,.0f}"),
    ]
    if against.rate is None:
        lines.append(_line("ratio", "none"))
    else:
        clients = f"{against.clients} client{'s'[: against.clients != 1]}"
        lines += [
            _line("pgbench, transitions per second", f"{against.rate:,.0f} ({clients})"),
            _line("ratio", f"{figures.ratio:.2f}"),
        ]
    if figures.plain_rate is not None:
        lines += [
            _line("plain transitions per second", f"{figures.plain_rate:,.0f}"),
            _line("ratio to plain transitions", f"{figures.ratio_to_plain:.2f}"),
        ]
    postgres = _postgres_us(figures)
    told = "unknown (the server runs elsewhere)" if postgres is None else f"{postgres:,.0f} µs Postgres"
    lines += [
        _line("latency", f"{figures.percentile(0.5):,.1f} ms p50, {figures.percentile(0.99):,.1f} ms p99"),
        _line("CPU per transition", f"{_MICRO * usage.python / figures.transitions:,.0f} µs Python, {told}"),
        *(
            []
            if against.postgres_us is None
            else [_line("by pgbench", f"{against.postgres_us:,.0f} µs Postgres")]
        ),
        _line("WAL per job", f"{usage.wal / figures.jobs:,.0f} bytes"),
    ]
    return "\n".join([*lines, "", *_sentences(figures)]) + "\n"


def _sentences(figures: Figures) -> list[str]:
    """Return what must be known beside the figures, folded."""
    both = ", in both databases" if figures.against.rate is not None else ""
    told = [f"The books agree: every credit and every transition is there{both}."]
    if figures.against.missing:
        told.append(f"There is no ratio because {figures.against.missing}.")
    if figures.lax:
        off = " and ".join(figures.lax)
        told.append(
            f"Not durable: this server has {off} off, so these figures compare with no other server's."
        )
    return [line for sentence in told for line in textwrap.wrap(sentence, 80)]


def header() -> str:
    """Return the head of the table that `row` continues; it has 80 columns."""
    return (
        f"{'benchmark':<13}{'callers':>8}{'rate/s':>9}{'pgbench/s':>11}{'ratio':>7}"
        f"{'p50 ms':>9}{'p99 ms':>9}{'py+pg µs':>14}\n"
    )


def row(figures: Figures) -> str:
    """Return the line of one benchmark; the last column is CPU time per transition, Python + Postgres."""
    against, postgres = figures.against.rate, _postgres_us(figures)
    server = "?" if postgres is None else f"{postgres:,.0f}"
    cpu = f"{_MICRO * figures.usage.python / figures.transitions:,.0f}+{server}"
    return (
        f"{figures.plan.name:<13}{figures.plan.concurrency:>8,}{figures.rate:>9,.0f}"
        f"{'-' if against is None else f'{against:,.0f}':>11}"
        f"{'-' if figures.ratio is None else f'{figures.ratio:.2f}':>7}"
        f"{figures.percentile(0.5):>9,.1f}{figures.percentile(0.99):>9,.1f}{cpu:>14}\n"
    )


def _postgres_us(figures: Figures) -> float | None:
    seconds = figures.usage.postgres
    return None if seconds is None else _MICRO * seconds / figures.transitions


def _line(name: str, value: str) -> str:
    return f"  {name:<33}{value}"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
