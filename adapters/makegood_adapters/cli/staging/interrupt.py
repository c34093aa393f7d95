"""Wait for the end that a person asks for."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruption() -> Iterator[asyncio.Event]:
    """Yield what a SIGINT, SIGTERM or SIGHUP sets from now on; behind it, they end the program as any other.

    It is entered before a person is told that Ctrl-C ends: who is quick is heard, too.
    """
    interrupted, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupted.set)
    try:
        yield interrupted
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
