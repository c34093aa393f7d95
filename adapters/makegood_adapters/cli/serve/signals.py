"""A first SIGTERM, SIGINT or SIGHUP ends in order, a second SIGTERM or SIGINT at once."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable

log = logging.getLogger("makegood.serve")


def obey_signals(stopping: asyncio.Event, first_of_all: Callable[[], None] = lambda: None) -> None:
    """Let the first signal set *stopping*; the next one, also while that goes on, calls *first_of_all* and
    ends this process with the status that shells give to a signal's number, 128 + number.

    A terminal that is closed sends SIGHUP, often twice, so that one is only ever a first one; under `nohup`
    it stays ignored."""
    asked: list[signal.Signals] = []

    def heard(number: signal.Signals) -> None:
        if number is signal.SIGHUP and asked:
            return
        asked.append(number)
        if len(asked) == 1:
            log.info("%s: what is under way is brought to its end; once more ends it at once", number.name)
            stopping.set()
            return
        log.warning("%s again: this is the end; others go on with what was under way", number.name)
        first_of_all()
        logging.shutdown()
        os._exit(128 + number)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue
        loop.add_signal_handler(number, heard, number)
