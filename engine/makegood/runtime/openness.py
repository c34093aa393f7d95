"""Which job types take new jobs: those that nobody closed and whose pool a provider account serves."""

import logging

from makegood.runtime.context import Context

log = logging.getLogger("makegood.openness")


async def read_openness(context: Context) -> None:
    """Learn which job types are closed and, where it matters, of which nobody could run a job.

    A pool is served by an account that this process has, or that some other had within the last hour: who
    is only started again, or lost for a while, loses no orders.
    """
    catalog, store = context.catalog, context.store
    look = catalog.look()
    catalog.learn(await store.rules.closed(), look)
    if not context.served_only:
        return
    served = await store.attempts.served_pools() | set(context.pools)
    before, pools = catalog.unserved, {t.name: t.pool for name in catalog.names if (t := catalog.get(name))}
    catalog.unserved = {name: pool for name, pool in pools.items() if pool not in served}
    for pool in sorted(set(catalog.unserved.values()) - set(before.values())):
        names = ", ".join(sorted(name for name, its in catalog.unserved.items() if its == pool))
        log.warning(
            "no new jobs of %s are taken: no process has a provider account of their pool %r; add one to "
            "[[accounts]]",
            names,
            pool,
        )
    for pool in sorted(set(before.values()) - set(catalog.unserved.values())):
        log.info("jobs of the pool %r are taken: a provider account serves it", pool)
