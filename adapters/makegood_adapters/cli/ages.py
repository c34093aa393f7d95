"""How long something lasted or lies back, as people write and read it."""

import re
from datetime import datetime, timedelta

from makegood.telling import lasted

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def read_duration(text: str) -> timedelta | None:
    """Return the time that a text such as 90s, 20m, 12h or 7d says, None if it says none."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    return None if found is None else timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def ago(moment: datetime | None, now: datetime | None, units: int = 2) -> str:
    """Return how long before *now* a moment was."""
    return "-" if moment is None or now is None else lasted((now - moment).total_seconds(), units)
