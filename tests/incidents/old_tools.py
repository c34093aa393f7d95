"""The tools as their existing pages know them: table, function, and which fields of a run take files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PageTool:
    """`files` are the fields of /run that take a file, `lists` those that take several; `body` goes along.

    With `makes_row` the page inserts no row. `video`: the file is a film.
    """

    name: str
    files: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    row: Mapping[str, Any] = field(default_factory=dict)
    endpoint: str = "run"
    own_table: str = ""
    own_function: str = ""
    makes_row: bool = False
    video: bool = False
    elsewhere: bool = False

    @property
    def table(self) -> str:
        return self.own_table or f"{self.name}_jobs"

    @property
    def function(self) -> str:
        return self.own_function or f"runninghub-{self.name.replace('_', '-')}"


UPSCALER = PageTool("upscaler", ("imageUrl",))
POSE = PageTool("pose_changer", ("personImageUrl", "referenceImageUrl"))
DRESS = PageTool("veste_ai", ("personImageUrl", "clothingImageUrl"))
CLONER = PageTool("arcano_cloner", ("userImageUrl", "referenceImageUrl"))
VIDEO_UPSCALER = PageTool("video_upscaler", ("videoUrl",), video=True)
GENERATE_VIDEO = PageTool(
    "video_generator",
    body={"prompt": "a sea", "model": "wan2.2"},
    own_function="generate-video",
    makes_row=True,
)
_VIEWS = ("frontImageUrl", "profileImageUrl", "semiProfileImageUrl", "lowAngleImageUrl")
_PROMPT = {"prompt": "a sea"}
_AVATAR = "runninghub-character-generator"
#: Every tool on offer; `elsewhere` are those of another provider, which has no account in these tests.
EVERY_TOOL: tuple[PageTool, ...] = (
    UPSCALER,
    POSE,
    DRESS,
    CLONER,
    VIDEO_UPSCALER,
    GENERATE_VIDEO,
    PageTool("bg_remover", ("inputImageUrl",)),
    PageTool("character_generator", _VIEWS),
    PageTool(
        "character_generator_refine",
        (*_VIEWS, "resultImageUrl"),
        body={"selectedNumbers": "1, 3"},
        endpoint="refine",
        own_table="character_generator_jobs",
        own_function=_AVATAR,
    ),
    PageTool("flyer_maker", ("referenceImageUrl", "logoUrl"), ("artistPhotoUrls",)),
    PageTool("image_generator", body=_PROMPT),
    PageTool("flux2_klein", body=_PROMPT, row={"engine": "flux2_klein"}, own_table="image_generator_jobs"),
    PageTool(
        "gpt_image_2",
        body=_PROMPT,
        row={"engine": "gpt_image_2"},
        own_table="image_generator_jobs",
        own_function="runninghub-gpt-image",
    ),
    PageTool(
        "gpt_image_evolink",
        body=_PROMPT,
        row={"engine": "gpt_image_evolink"},
        own_table="image_generator_jobs",
        own_function="evolink-gpt-image",
        elsewhere=True,
    ),
    PageTool("seedance", body={**_PROMPT, "model": "seedance-2.0-text-to-video"}, elsewhere=True),
    PageTool(
        "movieled_maker",
        ("imageUrl",),
        body={"engine": "wan2.2", "inputText": "ADA"},
        makes_row=True,
    ),
    PageTool(
        "movieled_maker_veo",
        ("imageUrl",),
        body={"engine": "veo3.1", "inputText": "ADA"},
        own_table="movieled_maker_jobs",
        own_function="runninghub-movieled-maker",
        makes_row=True,
        elsewhere=True,
    ),
    PageTool(
        "video_generator_veo",
        body={"prompt": "a sea", "model": "veo3.1-fast"},
        own_table="video_generator_jobs",
        own_function="generate-video",
        makes_row=True,
        elsewhere=True,
    ),
)
#: Those whose pages insert rows, one for each table.
INSERTING = {
    tool.table: tool for tool in reversed(EVERY_TOOL) if not tool.makes_row and tool.endpoint == "run"
}
