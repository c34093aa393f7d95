"""Run a benchmark of two ways: make its databases, measure, check the books."""

from dataclasses import dataclass

from makegood_adapters.cli.bench.paired import claim, handover, hooks, stream, wakeup
from makegood_adapters.cli.bench.paired.pair import Pair
from makegood_adapters.cli.bench.plan import BooksDisagree, Plan
from makegood_adapters.cli.bench.server import Databases, Meter, copy_product, databases_on
from makegood_adapters.postgres.audit import examine
from makegood_adapters.postgres.store import connect


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedFigures:
    """One benchmark's pairs, and where they were measured."""

    plan: Plan
    server: str
    loop: str
    lax: tuple[str, ...]
    pairs: tuple[Pair, ...]


async def measure(plan: Plan, dsn: str, loop: str) -> PairedFigures:
    """Measure on the server at *dsn*; BooksDisagree when an invariant is broken at the end."""
    async with databases_on(dsn) as databases:
        pairs = await _pairs(plan, dsn, databases)
        async with Meter.open(databases.product) as meter:
            server, lax = await meter.version(), await meter.lax()
        connection = await connect(databases.product)
        try:
            audit = await examine(connection)
        finally:
            await connection.close()
    if audit.broken:
        raise BooksDisagree(
            f"The books do not agree, so nothing that was measured counts: {audit.broken} violations, "
            f"the first is: {audit.violations[0]}."
        )
    return PairedFigures(plan=plan, server=server, loop=loop, lax=tuple(lax), pairs=tuple(pairs))


async def _pairs(plan: Plan, dsn: str, databases: Databases) -> list[Pair]:
    match plan.name:
        case "wakeup":
            return await wakeup.measure(plan, databases.product)
        case "handover":
            return await handover.measure(plan, databases.product)
        case "stream":
            return await stream.measure(plan, databases.product)
        case "hooks":
            return await hooks.measure(plan, databases.product)
        case _:
            await copy_product(dsn, databases)
            return await claim.measure(plan, databases)
