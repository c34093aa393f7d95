"""What each shipped tool that makes pictures or videos out of words asks for, and what it costs."""

from typing import Any

from tests.adapters.catalogue_case import Case, Raw


def drawn(count: int = 0, **more: Any) -> Raw:
    return {"prompt": "a kite", **({"references": [f"r{i}" for i in range(count)]} if count else {}), **more}


def slots(*nodes: int, filled: int = 0, empty: str) -> str:
    return "\n".join(
        f"{node} image {f'@references.{i}' if i < filled else empty}" for i, node in enumerate(nodes)
    )


STANDARD, CINEMA = (58, 147, 148, 149, 62, 150), (58, 150, 151, 152, 153, 154, 155, 147, 148, 149, 62)
FLUX, GPT = (186, 187, 122, 123, 129), (11, 12, 23, 24)
IMAGES = [
    *(
        Case(
            "image_generator",
            drawn(2, aspect_ratio="9:16", source=source),
            price,
            "2036803905421582337",
            "151 aspectRatio 9:16\n152 text a kite\n" + slots(*STANDARD, filled=2, empty="example.png"),
        )
        for source, price in (
            ("standard", 100),
            ("legacy_proxy", 100),
            ("arcano_cloner_refine", 100),
            ("flyer_maker_refine", 50),
            ("unknown", 100),
        )
    ),
    Case(
        "image_generator",
        drawn(),
        100,
        "2036803905421582337",
        "151 aspectRatio 4:3\n152 text a kite\n" + slots(*STANDARD, empty="example.png"),
        (drawn(aspect_ratio="1:8", source="somebody else"), drawn(references=[])),
    ),
    Case(
        "image_generator",
        drawn(6),
        100,
        "2036803905421582337",
        "151 aspectRatio 4:3\n152 text a kite\n" + slots(*STANDARD, filled=6, empty=""),
    ),
    Case(
        "image_generator",
        drawn(source="cinema_studio_photo"),
        100,
        "2041980127348789250",
        "145 aspectRatio 4:3\n135 text a kite\n" + slots(*CINEMA, empty="example.png"),
    ),
    Case(
        "image_generator",
        drawn(11, source="cinema_studio_photo", aspect_ratio="21:9"),
        100,
        "2041980127348789250",
        "145 aspectRatio 21:9\n135 text a kite\n" + slots(*CINEMA, filled=11, empty=""),
    ),
    *(
        Case(
            "flux2_klein",
            drawn(3, aspect_ratio=ratio),
            50,
            "2042246288288260097",
            f"128 text a kite\n177 width {width}\n177 height {height}\n"
            + slots(*FLUX, filled=3, empty="example.png"),
        )
        for ratio, width, height in (
            ("1:1", 1080, 1080),
            ("3:4", 1080, 1440),
            ("16:9", 1920, 1080),
            ("9:16", 1080, 1920),
            ("4:5", 1080, 1080),
        )
    ),
    *(
        Case(
            "gpt_image_2",
            drawn(1, aspect_ratio=ratio),
            80,
            "2047032440589393921",
            f"3 text a kite\n26 size {size}\n" + slots(*GPT, filled=1, empty="None"),
        )
        for ratio, size in (
            ("1:1", "1024x1024"),
            ("3:4", "1024x1536"),
            ("16:9", "1536x1024"),
            ("9:16", "auto"),
            (None, "auto"),
        )
    ),
    Case(
        "gpt_image_evolink",
        drawn(),
        80,
        "gpt-image-2-beta",
        {"prompt": "a kite", "size": "auto"},
        (drawn(aspect_ratio="8:1"),),
    ),
    Case(
        "gpt_image_evolink",
        drawn(2, aspect_ratio="3:4"),
        80,
        "gpt-image-2-beta",
        {
            "prompt": "a kite",
            "size": "3:4",
            "image_urls": [{"file": "references.0"}, {"file": "references.1"}],
        },
    ),
]


def veo(*frames: str, ratio: str = "16:9", sound: bool = False) -> Raw:
    images: Raw = {"generation_type": "TEXT"}
    if frames:
        images = {"generation_type": "FIRST&LAST", "image_urls": [{"file": frame} for frame in frames]}
    fixed = {"prompt": "a kite", "duration": 8, "quality": "1080p"}
    return {**fixed, "aspect_ratio": ratio, "generate_audio": sound, **images}


FAST, PRO = "veo-3.1-fast-generate-preview", "veo-3.1-generate-preview"
BOTH: Raw = {"start_frame": "s", "end_frame": "e"}
LED: Raw = {"reference": "r", "text": "JANE"}
VIDEOS = [
    Case(
        "video_generator",
        drawn(**BOTH),
        400,
        "2037260767040380929",
        "37 image @start_frame\n16 image @end_frame\n9 text a kite",
    ),
    Case(
        "video_generator",
        drawn(),
        400,
        "2037277392862973953",
        "15 text a kite",
        (drawn(start_frame="s"), drawn(end_frame="e", aspect_ratio="9:16")),
    ),
    Case("video_generator_veo", drawn(), 1500, FAST, veo(), (drawn(model="veo2", aspect_ratio="1:1"),)),
    Case(
        "video_generator_veo",
        drawn(generate_audio=True, aspect_ratio="9:16"),
        2500,
        FAST,
        veo(ratio="9:16", sound=True),
    ),
    Case("video_generator_veo", drawn(**BOTH), 1500, FAST, veo("start_frame", "end_frame")),
    Case("video_generator_veo", drawn(model="veo3.1-pro"), 2800, PRO, veo()),
    Case(
        "video_generator_veo",
        drawn(model="veo3.1-pro", generate_audio=True, start_frame="s"),
        5000,
        PRO,
        veo("start_frame", sound=True),
    ),
    Case(
        "video_generator_veo",
        drawn(model="veo3.1-pro", end_frame="e"),
        2800,
        PRO,
        veo("end_frame"),
    ),
    Case(
        "movieled_maker",
        {"engine": "wan2.2", **LED},
        500,
        "2038686081360596993",
        "68 image @reference\n72 text JANE",
        ({"engine": "wan2.2", "content_mode": "name", **LED},),
    ),
    Case(
        "movieled_maker",
        {"engine": "kling2.5", **LED},
        900,
        "2047044202881617921",
        "68 image @reference\n72 text JANE",
    ),
    Case(
        "movieled_maker",
        {"engine": "wan2.2", "content_mode": "logo", "reference": "r", "logo": "l"},
        500,
        "2048069532694093826",
        "135 image @reference\n139 image @logo",
    ),
    Case(
        "movieled_maker",
        {"engine": "kling2.5", "content_mode": "logo", "reference": "r", "logo": "l"},
        900,
        "2047822588453326850",
        "155 image @reference\n160 image @logo",
    ),
    Case(
        "movieled_maker_veo",
        LED,
        1500,
        FAST,
        {
            "prompt": "The LED screen of the first frame comes alive and shows, large and readable, "
            "the text: JANE. The camera holds still, the scene around the screen stays as it is.",
            "duration": 6,
            "quality": "1080p",
            "aspect_ratio": "16:9",
            "generate_audio": False,
            "generation_type": "FIRST&LAST",
            "image_urls": [{"file": "reference"}],
        },
    ),
]


def seedance(model: str, quality: str, seconds: int, rate: int, **files: int) -> Case:
    said = {"prompt": "a kite", "duration": seconds, "quality": quality}
    lists = {f"{kind}s": [f"{kind} {i}" for i in range(count)] for kind, count in files.items()}
    urls = {f"{kind}_urls": [{"file": f"{kind}s.{i}"} for i in range(count)] for kind, count in files.items()}
    return Case(
        "seedance",
        {**said, "model": f"seedance-2.0-{model}", **lists},
        rate * seconds,
        f"seedance-2.0-{model}",
        {**said, "aspect_ratio": "16:9", "generate_audio": True, **urls},
    )


SEEDANCE = [
    seedance("fast-text-to-video", "480p", 5, 100),
    seedance("fast-text-to-video", "720p", 4, 250),
    seedance("fast-image-to-video", "480p", 15, 100, image=1),
    seedance("fast-image-to-video", "720p", 5, 250, image=2),
    seedance("image-to-video", "480p", 5, 130, image=1),
    seedance("image-to-video", "720p", 5, 270, image=2),
    seedance("text-to-video", "480p", 5, 150),
    seedance("text-to-video", "720p", 5, 300),
    seedance("reference-to-video", "480p", 5, 300, image=9, video=3, audio=1),
    seedance("fast-reference-to-video", "720p", 5, 300, image=1, video=1, audio=3),
]
