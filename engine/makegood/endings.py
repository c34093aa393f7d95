"""Where a picture ends, found while it passes: one that is cut off is told from one with something behind."""

import re
from collections.abc import Callable, Generator
from typing import Final

#: What a walk wants next: so many bytes, or all up to the end of the next match. It gets the bytes.
_Walk = Generator[int | re.Pattern[bytes], bytes, None]

_PNG_END: Final = re.compile(rb"IEND\xaeB`\x82")
#: Inside a scan 0xFF stands before 0 or a restart, and may be repeated; anything else is the next marker.
_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
#: How much of a match may stand in the piece before.
_OVERLAP: Final = 7


def _png() -> _Walk:
    yield _PNG_END


def _jpeg() -> _Walk:
    yield 2
    marker = yield 2
    while marker != b"\xff\xd9":
        if marker[0] != 0xFF or marker[1] == 0:
            raise ValueError("no marker")
        if marker[1] == 0xFF:  # fill bytes may stand before a marker
            marker = marker[1:] + (yield 1)
        elif 0xD0 <= marker[1] <= 0xD8 or marker[1] == 1:  # these have no length
            marker = yield 2
        else:
            length = int.from_bytes((yield 2), "big")
            if length < 2:
                raise ValueError("no length")
            yield length - 2
            marker = yield _JPEG_MARKER if marker[1] == 0xDA else 2


def _gif() -> _Walk:
    yield from _colours((yield 13)[10])
    while (block := (yield 1)) != b";":
        if block == b"!":
            yield 1
        elif block == b",":
            yield from _colours((yield 9)[8])
            yield 1
        else:
            raise ValueError("no block")
        while size := (yield 1)[0]:
            yield size


def _colours(flags: int) -> _Walk:
    if flags & 0x80:
        yield 3 << ((flags & 7) + 1)


_WALKS: Final[dict[str, Callable[[], _Walk]]] = {"png": _png, "jpg": _jpeg, "gif": _gif}


class Ending:
    """Follows a picture of *kind*, a key of `media.FORMATS`, piece by piece to the mark that ends it.

    `reached` tells whether the mark has come. `lost` tells that the bytes are not built as such a picture
    is, which some decoders forgive, or that the kind has no such mark: then nothing is known.
    """

    def __init__(self, kind: str) -> None:
        self.reached, self.lost = False, kind not in _WALKS
        self._held = b""
        if not self.lost:
            self._walk = _WALKS[kind]()
            self._want = next(self._walk)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes; at most a segment of 64 KiB is held."""
        if self.reached or self.lost:
            return
        data, at = self._held + piece, 0
        try:
            while (until := self._end_of_want(data, at)) is not None:
                got, at = data[at:until], until
                # of a match only itself matters, not what it was found behind
                self._want = self._walk.send(got if isinstance(self._want, int) else got[-2:])
        except StopIteration:
            self.reached = True
        except ValueError:
            self.lost = True
        keep = at if isinstance(self._want, int) else max(at, len(data) - _OVERLAP)
        self._held = data[keep:]

    def _end_of_want(self, data: bytes, at: int) -> int | None:
        if isinstance(self._want, int):
            return at + self._want if len(data) - at >= self._want else None
        found = self._want.search(data, at)
        return found.end() if found else None
