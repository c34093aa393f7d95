"""The AI apps of the simulator: no AI, but real images in and real images out."""

import importlib.util
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_PIXELS_MAX = 40_000_000

UPSCALERS = (
    "2037188547966406658",
    "2037184937371115522",
    "2018913880214343681",
    "2015855359243587585",
    "2019239272464785409",
    "2019234965992509442",
    "2017030861371219969",
)
POSE_CHANGER = "2018451429635133442"


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """What a worker gets: input files and other values, by node id, in the order of the request."""

    app: str
    files: Mapping[str, bytes]
    values: Mapping[str, str]


#: Makes one PNG of an order, in a thread of its own; what it raises becomes the task's failure.
Worker = Callable[[WorkOrder], bytes]


def default_apps() -> dict[str, Worker]:
    """Return the workers of the shipped job types by webapp id: upscalers and the pose changer."""
    return {**dict.fromkeys(UPSCALERS, upscale), POSE_CHANGER: change_pose}


def pillow_is_missing() -> bool:
    """Tell whether the default workers cannot run."""
    return importlib.util.find_spec("PIL") is None


def upscale(order: WorkOrder) -> bytes:
    """Return the first image with twice the width and height."""
    image = _images(order, 1)[0]
    return _png(image.resize((image.width * 2, image.height * 2)))


def change_pose(order: WorkOrder) -> bytes:
    """Return the first image mirrored, with the second one small in its lower right corner."""
    from PIL import ImageOps

    person, reference = _images(order, 2)
    picture = ImageOps.mirror(person).convert("RGB")
    inset = reference.convert("RGB")
    inset.thumbnail((max(1, picture.width // 3), max(1, picture.height // 3)))
    picture.paste(inset, (picture.width - inset.width, picture.height - inset.height))
    return _png(picture)


def _images(order: WorkOrder, count: int) -> list["Image"]:
    from PIL import Image

    if len(order.files) < count:
        raise ValueError(f"The app needs {count} image(s) and got {len(order.files)}.")
    images = []
    for data in list(order.files.values())[:count]:
        image = Image.open(io.BytesIO(data))
        # Before load(): a small file may unfold to more than there is memory.
        if image.width * image.height > _PIXELS_MAX:
            raise ValueError(f"The image has more than {_PIXELS_MAX} pixels.")
        images.append(image if image.mode in ("RGB", "RGBA", "L") else image.convert("RGB"))
    return images


def _png(image: "Image") -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()
