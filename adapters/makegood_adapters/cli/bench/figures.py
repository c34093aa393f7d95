"""Alternate between the product and pgbench on one server, and keep the medians."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from makegood_adapters.cli.bench.baseline import Baseline
from makegood_adapters.cli.bench.plan import Plan
from makegood_adapters.cli.bench.server import Meter, Usage
from makegood_adapters.cli.bench.workloads import Slice, Workload
from makegood_adapters.postgres.commit import Batches


@dataclass(frozen=True, slots=True)
class Against:
    """What pgbench reached, in transitions, with its best number of clients; `missing`: why nothing."""

    name: str
    rate: float | None
    clients: int | None
    postgres_us: float | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One benchmark's results; rates are medians of the slices, latencies are of all slices together."""

    plan: Plan
    unit: str
    server: str
    loop: str
    lax: tuple[str, ...]
    slices: tuple[Slice, ...]
    jobs: int
    transitions: int
    usage: Usage
    against: Against
    batches: Mapping[str, Batches] = field(default_factory=dict)
    plain_rate: float | None = None

    @property
    def rate(self) -> float:
        """Units per second."""
        return statistics.median(part.rate for part in self.slices)

    @property
    def ratio(self) -> float | None:
        """The rate as a multiple of pgbench's transitions per second."""
        return None if self.against.rate is None else self.rate / self.against.rate

    @property
    def ratio_to_plain(self) -> float | None:
        """The rate of refunds as a multiple of that of plain transitions."""
        return None if self.plain_rate is None else self.rate / self.plain_rate

    def percentile(self, share: float) -> float:
        """Return the latency in milliseconds that *share* of all units did not exceed."""
        ordered = sorted(latency for part in self.slices for latency in part.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(slots=True)
class Run:
    """What was counted so far; warm-ups are in `counted`, which the books are checked against."""

    slices: list[Slice]
    plain: list[Slice]
    baseline: list[float]
    usage: Usage
    counted: int = 0


async def alternate(
    plan: Plan, workload: Workload, plain: Workload | None, baseline: Baseline | None, meter: Meter
) -> Run:
    """Run slices in turn: product, plain transitions where they are compared with, pgbench.

    Which of them begins changes from round to round, so that a machine that slows down slows all of them.
    """
    run = Run([], [], [], Usage(0.0, 0.0, 0))

    async def product(seconds: float, *, counts: bool = True) -> None:
        await workload.prepare(seconds)
        before = await meter.read()
        part = await workload.run(seconds)
        used = (await meter.read()).since(before)
        run.counted += transitions_of(workload, part)
        if counts:
            run.slices.append(part)
            run.usage = run.usage.plus(used)

    async def plainly(seconds: float, *, counts: bool = True) -> None:
        if plain is not None:
            await plain.prepare(seconds)
            part = await plain.run(seconds)
            run.counted += transitions_of(plain, part)
            run.plain += [part] if counts else []

    async def against(seconds: float) -> None:
        if baseline is not None:
            run.baseline.append(await baseline.measure(seconds))

    warm_up = product if plain is None else plainly  # the same engine, over the same connections
    for seconds in (plan.warm_up_seconds / 4, plan.warm_up_seconds):
        await warm_up(seconds, counts=False)
    if baseline is not None:
        await baseline.choose(plan.clients, plan.warm_up_seconds)
    sides = [product, plainly, against]
    for number in range(plan.slices):
        for side in sides if number % 2 == 0 else reversed(sides):
            await side(plan.slice_seconds)
    return run


def transitions_of(workload: Workload, part: Slice) -> int:
    """Return how many rows of history a slice has written."""
    return len(part.latencies) // workload.units_per_job * workload.transitions_per_job
