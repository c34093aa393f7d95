"""Where pictures end: none that a real library writes is refused, and none that is cut off is taken."""

import io
import random
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from makegood import ProviderUnavailable
from makegood.endings import Ending
from tests.engine.test_media import come

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16", "CMYK", "YCbCr", "F")


def noise(mode: str = "RGB", size: tuple[int, int] = (93, 71)) -> Image.Image:
    grey = Image.effect_noise(size, 90)
    return grey.convert(mode) if mode in ("I", "F", "I;16") else grey.convert("RGB").convert(mode)


def written(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def pictures() -> Iterator[tuple[str, str, bytes]]:
    """Yield every kind in every mode that Pillow writes, and what else is to be had of each kind."""
    for format in FORMATS:
        kind = "jpg" if format == "JPEG" else format.lower()
        for mode in MODES:
            try:
                yield f"{kind} {mode}", kind, written(noise(mode), format)
            except (OSError, ValueError):
                continue  # Pillow has no such kind in this mode
    frames, wide = [noise() for _ in range(5)], noise(size=(600, 400))
    moving: dict[str, Any] = {"save_all": True, "append_images": frames[1:]}
    told = PngImagePlugin.PngInfo()
    told.add_text("workflow", "x" * 300_000)
    yield "png with a workflow", "png", written(wide, "PNG", pnginfo=told)
    yield "png that moves", "png", written(frames[0], "PNG", **moving)
    yield "gif that moves", "gif", written(frames[0], "GIF", comment=b"hello;" * 900, **moving)
    yield "webp that moves", "webp", written(frames[0], "WEBP", **moving)
    yield "jpg in steps", "jpg", written(wide, "JPEG", progressive=True, quality=100)
    yield "jpg with restarts", "jpg", written(wide, "JPEG", restart_marker_rows=1)
    yield "jpg of several", "jpg", written(frames[0], "MPO", **moving)
    extras: dict[str, Any] = {"exif": b"Exif\0\0" + THUMBNAIL, "icc_profile": b"i" * 200_000}
    yield "jpg with a thumbnail", "jpg", written(wide, "JPEG", comment=b"c" * 5_000, **extras)
    yield "tiff above 4 GB", "tiff", written(wide, "TIFF", big_tiff=True)


THUMBNAIL = written(noise(size=(160, 120)), "JPEG", quality=50)
PICTURES = {name: (kind, content) for name, kind, content in pictures()}
ENDING = [name for name, (kind, _) in PICTURES.items() if kind in ("png", "jpg", "gif", "webp")]


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("piece", [13, 70_000])
async def test_no_picture_of_a_real_library_is_refused(name: str, piece: int) -> None:
    kind, content = PICTURES[name]
    assert (await come(content, kind, piece=piece)).kind == kind


@pytest.mark.parametrize("name", ENDING)
@pytest.mark.parametrize("behind", [b"made with care", bytes(5_000), b"PK\x03\x04" + b"z" * 30_000])
async def test_whatever_stands_behind_a_picture_is_let_be(name: str, behind: bytes) -> None:
    kind, content = PICTURES[name]
    assert (await come(content + behind, kind)).kind == kind


@pytest.mark.parametrize("name", [name for name in ENDING if name != "jpg of several"])
async def test_no_picture_that_is_cut_off_is_taken(name: str) -> None:
    kind, content = PICTURES[name]
    for end in random.Random(name).sample(range(30, len(content) - 12), 30):
        with pytest.raises(ProviderUnavailable, match="is cut off"):
            await come(content[:end], kind, piece=70_000)


async def test_the_end_of_a_thumbnail_is_not_the_end_of_its_picture() -> None:
    _, content = PICTURES["jpg with a thumbnail"]
    end = content.index(THUMBNAIL) + len(THUMBNAIL)
    with pytest.raises(ProviderUnavailable, match="is cut off"):
        await come(content[:end], "jpg", piece=70_000)


@pytest.mark.parametrize("kind", ["png", "jpg", "gif"])
def test_bytes_that_are_built_otherwise_are_followed_no_further(kind: str) -> None:
    ending = Ending(kind)
    for _ in range(50):
        ending.feed(bytes(range(256)))
    assert not ending.reached
    assert ending.lost or kind == "png"
    assert len(ending._held) < 1_000
