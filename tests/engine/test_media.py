"""What a result is, told by its bytes: kinds, families, error pages, cut-off files, texts, limits."""

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image

from makegood import ProviderUnavailable
from makegood.errors import ResultTooLarge
from makegood.media import HEAD_BYTES, Incoming, format_of, kind_of

MANY = 1_000_000


def picture(format: str, **options: Any) -> bytes:
    """Return a picture as a real library writes it."""
    file = io.BytesIO()
    image = Image.effect_noise((64, 48), 90).convert("RGB")
    image.save(file, format, **options)
    return file.getvalue()


def archive(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name in names:
            made.writestr(name, "content")
    return file.getvalue()


def box(brand: bytes) -> bytes:
    return (24).to_bytes(4, "big") + b"ftyp" + brand + bytes(4) + b"isomavc1" + bytes(500)


def ebml(doctype: bytes) -> bytes:
    return b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\x82" + bytes([0x80 + len(doctype)]) + doctype


IMAGES = {
    "png": picture("PNG"),
    "jpg": picture("JPEG"),
    "gif": picture("GIF"),
    "webp": picture("WEBP"),
    "bmp": picture("BMP"),
    "tiff": picture("TIFF"),
}
OTHERS = {
    "mp4": box(b"isom"),
    "mov": box(b"qt  "),
    "m4a": box(b"M4A "),
    "webm": ebml(b"webm") + bytes(100),
    "mkv": ebml(b"matroska") + bytes(100),
    "avi": b"RIFF\x24\0\0\0AVI LIST" + bytes(100),
    "wav": b"RIFF\x24\0\0\0WAVEfmt " + bytes(100),
    "mp3": b"ID3\x04\0\0\0\0\0\x23TSSE" + bytes(100),
    "flac": b"fLaC\0\0\0\x22" + bytes(100),
    "ogg": b"OggS\0\x02" + bytes(100),
    "glb": b"glTF\x02\0\0\0" + bytes(100),
    "zip": archive("a.png"),
}
FILES = IMAGES | OTHERS

HTML = b"\xef\xbb\xbf\n<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>"
XML = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>'
JSON = b'{"code": 807, "msg": "APIKEY_TASK_NOT_FOUND"}'


async def come(content: bytes, declared: str, size_max: int = MANY, piece: int = 1_000) -> Incoming:
    """Let *content* come in pieces and return what is then known about it."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), piece):
            yield content[start : start + piece]

    incoming = await Incoming.begin(pieces(), declared, size_max)
    passed = b"".join([part async for part in incoming])
    assert passed == content
    return incoming


@pytest.mark.parametrize("kind", FILES)
async def test_a_file_is_what_it_was_promised_as(kind: str) -> None:
    incoming = await come(FILES[kind], kind)
    assert (incoming.kind, incoming.size) == (kind, len(FILES[kind]))
    assert incoming.sha256 == hashlib.sha256(FILES[kind]).hexdigest()


@pytest.mark.parametrize("kind", FILES)
async def test_it_is_told_by_its_first_bytes_however_they_come(kind: str) -> None:
    assert (await come(FILES[kind], "", piece=1)).kind == kind


@pytest.mark.parametrize("brand", [b"isom", b"iso5", b"iso6", b"avc1", b"mp41", b"mp42", b"M4V ", b"dash"])
def test_every_brand_of_mp4_is_one(brand: bytes) -> None:
    assert kind_of(box(brand), "mp4") == "mp4"


@pytest.mark.parametrize("head", [b"\xff\xfb\x90\x64", b"\xff\xf3\x40\xc0", b"\xff\xfa\x90\x64"])
def test_sound_without_a_tag_is_told_by_its_first_frame(head: bytes) -> None:
    assert kind_of(head + bytes(100), "mp3") == "mp3"


def test_two_bytes_that_look_like_a_frame_are_none() -> None:
    assert format_of(b"\xff\xfeT\0e\0x\0t\0") is None  # a text in UTF-16
    assert format_of(b"\xff\xf1\x50\x80") is None  # AAC


@pytest.mark.parametrize(
    ("declared", "content", "kind"),
    [
        ("png", "webp", "webp"),
        ("png", "jpg", "jpg"),
        ("PNG", "png", "png"),
        (".png", "png", "png"),
        ("jpeg", "jpg", "jpeg"),
        ("tif", "tiff", "tif"),
        ("gif", "webp", "webp"),
        ("mp4", "webm", "webm"),
        ("mov", "mp4", "mp4"),
        ("m4a", "mp4", "m4a"),
        ("mp3", "wav", "wav"),
        ("docx", "zip", "docx"),
        ("npz", "zip", "npz"),
        ("", "zip", "zip"),
        ("latent", "png", "png"),
    ],
)
def test_what_is_stored_is_what_the_bytes_are(declared: str, content: str, kind: str) -> None:
    assert kind_of(FILES[content], declared) == kind


@pytest.mark.parametrize(
    ("declared", "content"),
    [
        ("png", "mp4"),
        ("mp4", "png"),
        ("mp4", "wav"),
        ("mp3", "mp4"),
        ("glb", "png"),
        ("zip", "jpg"),
        ("png", "zip"),
    ],
)
def test_another_family_is_no_result(declared: str, content: str) -> None:
    with pytest.raises(ProviderUnavailable, match=rf"a {content} file in place of a {declared} file"):
        kind_of(FILES[content], declared)


@pytest.mark.parametrize(
    "declared", ["png", "jpg", "mp4", "mp3", "glb", "zip", "safetensors", "json", "srt", "svg", ""]
)
@pytest.mark.parametrize(("page", "named"), [(HTML, "an HTML page"), (XML, "an XML error")])
def test_an_error_page_is_no_result(declared: str, page: bytes, named: str) -> None:
    with pytest.raises(ProviderUnavailable, match=f"sent {named} in place of a {declared or 'result'} file"):
        kind_of(page, declared)


@pytest.mark.parametrize("declared", ["png", "mp4", "flac", "zip", "glb", ""])
def test_json_in_place_of_a_file_is_no_result(declared: str) -> None:
    with pytest.raises(ProviderUnavailable, match="sent JSON in place of"):
        kind_of(JSON, declared)


@pytest.mark.parametrize(
    ("content", "named"), [(b"Not Found", "a text"), (b"\x01\x02\xfe\xfd", "unknown bytes")]
)
def test_what_nobody_knows_is_no_picture(content: bytes, named: str) -> None:
    with pytest.raises(ProviderUnavailable, match=f"sent {named} in place of a png file"):
        kind_of(content, "png")


@pytest.mark.parametrize(("declared", "kind"), [("safetensors", "safetensors"), ("7z", "7z"), ("", "bin")])
def test_what_nobody_knows_keeps_the_name_that_nobody_knows(declared: str, kind: str) -> None:
    assert kind_of(b"\x01\x02\xfe\xfd", declared) == kind


@pytest.mark.parametrize("declared", ["png", "txt", ""])
async def test_nothing_is_no_result(declared: str) -> None:
    with pytest.raises(ProviderUnavailable, match="is empty"):
        await come(b"", declared)


@pytest.mark.parametrize(
    ("declared", "content"),
    [
        ("txt", "Ein Löwe, 一只狮子".encode()),
        ("txt", b"BM is not a bitmap here, ID3 no tag, GIF89a no picture"),
        ("txt", b"ID3 is what this text begins with"),
        ("txt", HTML),
        ("html", HTML),
        ("json", JSON),
        ("srt", b"1\r\n00:00:01,000 --> 00:00:02,000\r\nHello\r\n"),
        ("svg", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'),
    ],
)
async def test_a_text_is_a_text(declared: str, content: bytes) -> None:
    assert (await come(content, declared, piece=3)).kind == declared


@pytest.mark.parametrize(
    "content",
    [
        IMAGES["png"],
        "Löwe".encode("latin-1"),
        b"so far \0 so good",
        b"a" * (3 * HEAD_BYTES) + b"\xff",
        "Löwe".encode()[:2],
    ],
)
async def test_bytes_that_are_no_text_are_none(content: bytes) -> None:
    with pytest.raises(ProviderUnavailable, match="no text in place of a txt file"):
        await come(content, "txt")


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "webp"])
@pytest.mark.parametrize("lost", [12, 1_500, 0.5])
async def test_a_picture_that_is_cut_off_is_no_result(kind: str, lost: float) -> None:
    content = IMAGES[kind]
    left = content[: -lost if isinstance(lost, int) else int(len(content) * lost)]
    assert len(left) > 100
    with pytest.raises(ProviderUnavailable, match=f"The {kind} file is cut off after {len(left)} bytes"):
        await come(left, kind)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
async def test_what_stands_behind_a_whole_picture_is_let_be(kind: str) -> None:
    assert (await come(IMAGES[kind] + b"made with care", kind)).kind == kind


@pytest.mark.parametrize("quality", [5, 60, 95])
async def test_every_picture_of_a_real_library_is_whole(quality: int) -> None:
    for options in ({"progressive": True}, {"optimize": True}, {"subsampling": 0}):
        await come(picture("JPEG", quality=quality, **options), "jpg")
    await come(picture("WEBP", quality=quality), "webp")
    await come(picture("WEBP", lossless=True), "webp")
    frames = [Image.effect_noise((20, 20), quality) for _ in range(4)]
    for kind in ("GIF", "WEBP", "PNG"):
        file = io.BytesIO()
        frames[0].save(file, kind, save_all=True, append_images=frames[1:])
        await come(file.getvalue(), kind.lower())


@pytest.mark.parametrize("size", [10, HEAD_BYTES, HEAD_BYTES + 1, 20_000])
async def test_no_more_is_let_through_than_may_be(size: int) -> None:
    content = FILES["mp4"][:10].ljust(size, b"\0")
    assert (await come(content, "mp4", size_max=size)).size == size
    with pytest.raises(ResultTooLarge, match=f"larger than {size - 1:,} bytes") as refused:
        await come(content, "mp4", size_max=size - 1)
    assert refused.value.size_max == size - 1


async def test_a_provider_that_never_ends_is_left_at_the_limit() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield FILES["mp4"]
        while True:
            yield bytes(1_000)

    incoming = await Incoming.begin(endless(), "mp4", 50_000)
    passed = 0

    async def all_of_it() -> None:
        nonlocal passed
        async for piece in incoming:
            passed += len(piece)

    with pytest.raises(ResultTooLarge):
        await all_of_it()
    assert 40_000 < passed <= 50_000
