"""Wait for the end that a person asks for."""

import asyncio
import signal

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def until_interrupted() -> None:
    """Return at the first SIGINT, SIGTERM or SIGHUP; the next one ends the program as it would any other."""
    interrupted, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupted.set)
    try:
        await interrupted.wait()
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
