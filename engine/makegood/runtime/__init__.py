"""The loops that keep jobs moving; each file is one of them."""

from makegood.runtime.collector import Collector
from makegood.runtime.context import Context
from makegood.runtime.courier import Courier
from makegood.runtime.crew import Crew
from makegood.runtime.dispatcher import Dispatcher
from makegood.runtime.estimator import Estimator
from makegood.runtime.health import Health
from makegood.runtime.herald import Herald
from makegood.runtime.lifetime import Lifetime
from makegood.runtime.loop import Loop, run_all
from makegood.runtime.openness import read_openness
from makegood.runtime.poller import Poller
from makegood.runtime.relay import Relay
from makegood.runtime.sequencer import Sequencer
from makegood.runtime.submitter import Submitter
from makegood.runtime.surveyor import Surveyor
from makegood.runtime.wakeups import LocalWakeups
from makegood.runtime.watchdog import Watchdog

__all__ = [
    "Collector",
    "Context",
    "Courier",
    "Crew",
    "Dispatcher",
    "Estimator",
    "Health",
    "Herald",
    "Lifetime",
    "LocalWakeups",
    "Loop",
    "Poller",
    "Relay",
    "Sequencer",
    "Submitter",
    "Surveyor",
    "Watchdog",
    "read_openness",
    "run_all",
]
