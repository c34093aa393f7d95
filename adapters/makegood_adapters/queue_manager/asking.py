"""A page asks how its job is: the provider is asked soon, for each job at most once a minute."""

from makegood.engine import Engine
from makegood.job import Job
from makegood_adapters.queue_manager.reports import SOURCE

_EVERY_SECONDS = 60


async def ask_soon(engine: Engine, job: Job) -> None:
    """Have the provider asked about a job that it may know.

    The same words are kept once, and of others the inbox takes only so many: nobody can make us ask at will.
    """
    if job.finished_at is None and job.submitted:
        minute = int((await engine.now()).timestamp()) // _EVERY_SECONDS
        await engine.hint(job.id, f"The page asks how the job is (minute {minute}).", source=SOURCE)
