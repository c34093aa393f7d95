"""A first SIGTERM or SIGINT ends in order, a second one at once."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable

log = logging.getLogger("makegood.serve")


def obey_signals(stopping: asyncio.Event, first_of_all: Callable[[], None] = lambda: None) -> None:
    """Let the first signal set *stopping*; the next one, also while that goes on, calls *first_of_all* and
    ends this process with the status that shells give to a signal's number, 128 + number."""
    asked: list[signal.Signals] = []

    def heard(number: signal.Signals) -> None:
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
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heard, number)
