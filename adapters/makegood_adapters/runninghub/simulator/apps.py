"""The AI apps of the simulator: no AI, but real images in and real images out."""

import hashlib
import importlib.util
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
#: All other apps of the shipped tool files.
OTHERS = (
    "2018755100210106369",
    "2018810750139109378",
    "2019877042115842050",
    "2020943778751713282",
    "2021009449481150465",
    "2025656642724962305",
    "2044904569490120705",
    "2045273255975591938",
    "2046326522990043138",
    "2031815099811368962",
    "2036803905421582337",
    "2041980127348789250",
    "2042246288288260097",
    "2047032440589393921",
    "2037260767040380929",
    "2037277392862973953",
    "2038686081360596993",
    "2047044202881617921",
    "2048069532694093826",
    "2047822588453326850",
)
UPSCALE_WORKFLOW = "1904136902449209346"


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """What a worker gets: input files and other values, by node id, in the order of the request."""

    app: str
    files: Mapping[str, bytes]
    values: Mapping[str, str]


#: Makes one PNG of an order, in a thread of its own; what it raises becomes the task's failure.
Worker = Callable[[WorkOrder], bytes]


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow: its worker, and its graph in ComfyUI's API format, by node id.

    The graph's values are what a run has that does not change them. A run that names a node or
    field which the graph lacks is refused, as is one of a workflow that is not `saved`.
    """

    worker: Worker
    graph: Mapping[str, Any] = field(default_factory=dict)
    saved: bool = True


def default_workflows() -> dict[str, Workflow]:
    """Return one workflow, an upscaler whose titles some clients take for names of parameters."""
    graph = {
        "1": {
            "class_type": "LoadImage",
            "inputs": {"image": "example.png"},
            "_meta": {"title": "$image.~image"},
        },
        "2": {
            "class_type": "ImageScaleBy",
            "inputs": {"image": ["1", 0], "upscale_method": "bicubic", "scale_by": 2, "seed": 7},
            "_meta": {"title": "$seed.seed"},
        },
        "9": {
            "class_type": "SaveImage",
            "inputs": {"images": ["2", 0], "filename_prefix": "ComfyUI"},
            "_meta": {"title": "Save Image"},
        },
    }
    return {UPSCALE_WORKFLOW: Workflow(upscale, graph)}


def default_models() -> dict[str, Worker]:
    """Return one standard model by its endpoint."""
    return {"simulated-image/upscale": upscale}


#: The inputs of the shipped apps as apiCallDemo tells them: node id, name, field, type, value.
APP_INPUTS: Mapping[str, tuple[tuple[str, str, str, str, str], ...]] = {
    **dict.fromkeys(UPSCALERS, (("1", "LoadImage", "image", "IMAGE", "example.png"),)),
    POSE_CHANGER: (
        ("27", "LoadImage", "image", "IMAGE", "person.png"),
        ("60", "LoadImage", "image", "IMAGE", "pose.png"),
    ),
}


def default_apps() -> dict[str, Worker]:
    """Return the workers of the shipped job types by webapp id: upscalers, the pose changer, and for all
    others one that paints."""
    return {**dict.fromkeys(OTHERS, paint), **dict.fromkeys(UPSCALERS, upscale), POSE_CHANGER: change_pose}


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


def paint(order: WorkOrder) -> bytes:
    """Return a small picture whose colour tells the order: the same one for the same values and files."""
    from PIL import Image

    digest = hashlib.sha256(repr((order.app, sorted(order.values.items()))).encode())
    for data in order.files.values():
        digest.update(data)
    return _png(Image.new("RGB", (64, 64), tuple(digest.digest()[:3])))


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
