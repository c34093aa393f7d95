"""What a result is, told by its own bytes: the kind that it is stored as, or that it is none."""

import codecs
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from makegood.endings import Ending
from makegood.errors import ProviderUnavailable, ResultTooLarge

#: How much of a file is looked at from its beginning, and how much of its end is remembered, in bytes.
HEAD_BYTES: Final = 4096
_TAIL_BYTES: Final = 1024


class Family(StrEnum):
    """What a file is good for; a result of another family than was promised is no result."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    MODEL = "model"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file, what stands at which places of its first bytes, and its `others` names."""

    kind: str
    family: Family
    marks: tuple[tuple[int, bytes], ...]
    others: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """Every extension that a file of this format may bear."""
        return self.others | {self.kind}

    def fits(self, head: bytes) -> bool:
        """Whether *head* is the beginning of such a file."""
        return all(head.startswith(mark, offset) for offset, mark in self.marks)


def _row(kind: str, family: Family, *marks: tuple[int, bytes], others: str = "") -> Format:
    return Format(kind, family, marks, frozenset(others.split()))


_BOX: Final = 4  # ISO base media: a box has its length in front of its name
#: In order: the first that fits counts. From the formats' own specifications.
FORMATS: Final = (
    _row("png", Family.IMAGE, (0, b"\x89PNG\r\n\x1a\n"), others="apng"),
    _row("jpg", Family.IMAGE, (0, b"\xff\xd8\xff"), others="jpeg jpe jfif"),
    _row("gif", Family.IMAGE, (0, b"GIF87a")),
    _row("gif", Family.IMAGE, (0, b"GIF89a")),
    _row("webp", Family.IMAGE, (0, b"RIFF"), (8, b"WEBP")),
    _row("bmp", Family.IMAGE, (0, b"BM"), (6, bytes(4))),
    _row("tiff", Family.IMAGE, (0, b"II*\x00"), others="tif"),
    _row("tiff", Family.IMAGE, (0, b"MM\x00*"), others="tif"),
    _row("tiff", Family.IMAGE, (0, b"II+\x00"), others="tif"),  # BigTIFF
    _row("tiff", Family.IMAGE, (0, b"MM\x00+"), others="tif"),
    _row("avif", Family.IMAGE, (_BOX, b"ftypavif")),
    _row("avif", Family.IMAGE, (_BOX, b"ftypavis")),
    _row("heic", Family.IMAGE, (_BOX, b"ftyphei"), others="heif"),
    _row("heic", Family.IMAGE, (_BOX, b"ftyphevc"), others="heif"),
    _row("heic", Family.IMAGE, (_BOX, b"ftypmif1"), others="heif avif"),
    _row("heic", Family.IMAGE, (_BOX, b"ftypmsf1"), others="heif avif"),
    _row("m4a", Family.AUDIO, (_BOX, b"ftypM4A"), others="mp4"),
    _row("mov", Family.VIDEO, (_BOX, b"ftypqt"), others="qt"),
    _row("mp4", Family.VIDEO, (_BOX, b"ftyp"), others="m4v m4a"),
    _row("mov", Family.VIDEO, (_BOX, b"moov"), others="qt"),
    _row("mov", Family.VIDEO, (_BOX, b"mdat"), others="qt"),
    _row("mov", Family.VIDEO, (_BOX, b"wide"), others="qt"),
    _row("avi", Family.VIDEO, (0, b"RIFF"), (8, b"AVI ")),
    _row("wav", Family.AUDIO, (0, b"RIFF"), (8, b"WAVE")),
    _row("flac", Family.AUDIO, (0, b"fLaC")),
    _row("mp3", Family.AUDIO, (0, b"ID3")),
    _row("ogg", Family.AUDIO, (0, b"OggS"), others="oga opus ogv"),
    _row("glb", Family.MODEL, (0, b"glTF")),
    _row("zip", Family.ARCHIVE, (0, b"PK\x03\x04")),
)
# Two that are not told by fixed places.
_WEBM: Final = _row("webm", Family.VIDEO, others="weba")
_MKV: Final = _row("mkv", Family.VIDEO, others="mka")
_MP3: Final = _row("mp3", Family.AUDIO)

#: Kinds that are text: any valid UTF-8 is one.
TEXTS: Final = frozenset(
    {"txt", "json", "jsonl", "srt", "vtt", "ass", "lrc", "csv", "tsv", "md", "xml", "svg", "html", "htm"}
    | {"yaml", "yml", "log", "gltf"}
)
#: Texts in which a page of a web server is nothing strange.
_MAY_BE_PAGES: Final = frozenset({"txt", "md", "html", "htm", "xml"})


def _families() -> dict[str, Family]:
    rows = (*FORMATS, _WEBM, _MKV)
    found = {row.kind: row.family for row in rows}
    for row in rows:
        found |= {name: row.family for name in row.others if name not in found}
    return found


_FAMILIES: Final = _families()


def format_of(head: bytes) -> Format | None:
    """Return the format whose files begin like *head*, None for one that is not known."""
    if head.startswith(b"\x1aE\xdf\xa3"):  # EBML, whose document type stands in its header
        return _WEBM if b"webm" in head[:64] else _MKV
    for row in FORMATS:
        if row.fits(head):
            return row
    # An MPEG frame of layer III without a tag in front: eleven set bits, then version and layer.
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:
        return _MP3
    return None


def kind_of(head: bytes, declared: str) -> str:
    """Return what a file is that begins with *head* and was promised as *declared*, an extension.

    Raises ProviderUnavailable for what is no such result: nothing at all, an error page, another family.
    """
    declared = declared.lower().lstrip(".")
    if not head:
        raise ProviderUnavailable("The result is empty.")
    page = _page(head)
    if declared in TEXTS:
        unfit = page is not None and declared not in _MAY_BE_PAGES
        if unfit or (declared == "svg" and b"<svg" not in head):
            raise _instead(page or "something else", declared)
        return declared
    found, family = format_of(head), _FAMILIES.get(declared)
    if found is None:
        if family or page or (not declared and head.lstrip()[:1] in (b"{", b"[")):
            raise _instead(page or _text_or_bytes(head), declared)
        return declared or "bin"
    if declared in found.names:
        return declared
    if family is None:  # many formats nobody promised us to know are archives inside, as docx and npz are
        return declared if declared and found.family is Family.ARCHIVE else found.kind
    if family is not found.family:
        raise _instead(f"a {found.kind} file", declared)
    return found.kind


def _instead(what: str, declared: str) -> ProviderUnavailable:
    return ProviderUnavailable(f"The provider sent {what} in place of a {declared or 'result'} file.")


def _page(head: bytes) -> str | None:
    """Name the kind of error page that *head* begins, None if it is none."""
    start = head.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return "an HTML page"
    # The storage services of all clouds answer so.
    return "an XML error" if start.startswith((b"<?xml", b"<error")) and b"<error>" in start else None


def _text_or_bytes(head: bytes) -> str:
    if head.lstrip()[:1] in (b"{", b"["):
        return "JSON"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "unknown bytes"
    return "a text"


class Incoming:
    """The pieces of one result on their way in: looked at, counted and hashed, never gathered.

    `kind` is what its first bytes say. `size` in bytes and `sha256` hold once the last piece has passed.
    Iterating raises ResultTooLarge, and ProviderUnavailable at the end of what was cut off.
    """

    def __init__(self, pieces: AsyncIterator[bytes], size_max: int) -> None:
        self._pieces, self._size_max = pieces, size_max
        self._digest = hashlib.sha256()
        self._head, self._tail = b"", b""
        self._ending = Ending("")
        self._text: codecs.IncrementalDecoder | None = None
        self._begun = False
        self.kind, self.size = "", 0

    @classmethod
    async def begin(cls, pieces: AsyncIterator[bytes], declared: str, size_max: int) -> Self:
        """Read as much as tells what it is. Raises as `kind_of` does, and what the pieces raise."""
        new = cls(pieces, size_max)
        gathered = bytearray()
        async for piece in pieces:
            gathered += new._counted(piece)
            if len(gathered) >= HEAD_BYTES:
                break
        new._head = bytes(gathered)
        new.kind = kind_of(new._head[:HEAD_BYTES], declared)
        found = format_of(new._head[:HEAD_BYTES])
        new._ending = Ending(found.kind if found else "")
        if new.kind in TEXTS:
            new._text = codecs.getincrementaldecoder("utf-8")()
        return new

    @property
    def sha256(self) -> str:
        """SHA-256 of the whole content, in hexadecimal."""
        return self._digest.hexdigest()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._begun:
            self._begun = True
            return self._passed(self._head)
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._ended()
            raise
        return self._passed(self._counted(piece))

    def _counted(self, piece: bytes) -> bytes:
        self.size += len(piece)
        if self.size > self._size_max:
            raise ResultTooLarge(self._size_max)
        return piece

    def _passed(self, piece: bytes) -> bytes:
        self._digest.update(piece)
        self._ending.feed(piece)
        self._tail = (self._tail + piece[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        self._decoded(piece)
        return piece

    def _ended(self) -> None:
        self._decoded(b"", final=True)
        if self._is_cut_off():
            raise ProviderUnavailable(f"The {self.kind} file is cut off after {self.size} bytes.")

    def _is_cut_off(self) -> bool:
        """Whether the mark is missing that ends every file of this kind; what follows it is let be."""
        if not self._ending.lost:
            return not self._ending.reached
        match format_of(self._head):
            case Format(kind="jpg"):  # inside an image these two bytes never stand together
                return b"\xff\xd9" not in self._tail
            case Format(kind="gif"):
                return not self._tail.rstrip(b"\0").endswith(b";")
            case Format(kind="webp"):
                return self.size < 8 + int.from_bytes(self._head[4:8], "little")
            case _:
                return False

    def _decoded(self, piece: bytes, *, final: bool = False) -> None:
        if self._text is None:
            return
        try:
            text = self._text.decode(piece, final)
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise ProviderUnavailable(
                f"The provider sent bytes that are no text in place of a {self.kind} file."
            )
