"""Ports that a test names before somebody listens there, and that nobody else is given meanwhile."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from makegood_adapters.cli.stage import keep_port


@contextmanager
def kept_port(wanted: int = 0) -> Iterator[int]:
    """Yield a port, a free one unless one is *wanted*, on which only who names it can listen: it is given to
    nobody who asks for any port. Until somebody listens, connections are refused. Raises OSError."""
    with keep_port(wanted) as keeper:
        yield keeper.getsockname()[1]


@contextmanager
def kept_neighbours() -> Iterator[tuple[int, int]]:
    """Yield two such ports, one behind the other."""
    with ExitStack() as stack:
        first, second = stack.enter_context(kept_port()), None
        while second is None:
            try:
                second = stack.enter_context(kept_port(first + 1))
            except OSError:  # it is taken
                first = stack.enter_context(kept_port())
        yield first, second
