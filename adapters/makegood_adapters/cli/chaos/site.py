"""The simulated RunningHub of a chaos run: every fault on at once, drawn from the seed."""

from makegood_adapters.cli.chaos.plan import Plan
from makegood_adapters.cli.stage import API_KEY
from makegood_adapters.runninghub.simulator import Pace, Simulator

#: Seconds; hours of a real site in seconds, in the same proportions as the engines' times.
_PACE = Pace(
    queued_seconds=0.1,
    running_seconds=0.6,
    spread=0.8,
    cancel_seconds=0.1,
    webhook_retry_seconds=0.5,
    webhook_timeout_seconds=3,
)
#: The site takes more than our slots, so that only the engine keeps to them.
_ROOMIER = 4


def simulator_of(plan: Plan) -> Simulator:
    """Return the site, not yet open."""
    return Simulator(keys={API_KEY: _ROOMIER * plan.slots}, pace=_PACE, seed=plan.seed)
