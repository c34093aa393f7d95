"""How often a process that serves looks for garbage: seldom, since nearly all is freed without a look."""

import gc

#: Objects more than were freed. Some forty belong to a request while it is answered, so that Python's own 700
#: is reached by twenty callers at once, and what is looked at then is still in use.
_YOUNG_MAX = 10_000


def collect_seldom() -> None:
    """Let this process look less often for objects that only refer to each other, and never again at those
    that it has now: its modules. For the process of a command alone, since it holds for all of it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_MAX)
