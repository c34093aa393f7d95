"""Bodies that have files in them and are in memory whole: so many at a time, of each owner and in all."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from makegood_adapters.http.application import BODY_BYTES_MAX

#: A page sends one at a time; whoever sends many slowly would hold all of the memory.
_OF_OWNER_MAX, _MAX = 3, 12


class NoRoom(Exception):
    """Too many large bodies are under way; this one may be sent again."""


class LargeBodies:
    """Counts the bodies of one process, each from before it is read until its call is answered."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()

    @contextmanager
    def room(self, request: web.Request, owner: str) -> Iterator[None]:
        """Keep room for the body of *request*, which is *owner*'s; small ones take none. Raises NoRoom."""
        size = request.content_length
        if size is not None and size <= BODY_BYTES_MAX:
            yield
            return
        if self._of[owner] >= _OF_OWNER_MAX or self._of.total() >= _MAX:
            raise NoRoom("Too many files are being sent at the moment. Please send this one again.")
        self._of[owner] += 1
        try:
            yield
        finally:
            self._of[owner] -= 1
            if not self._of[owner]:
                del self._of[owner]
