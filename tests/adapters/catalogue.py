"""What each shipped tool asks its provider for and what it costs, written out by hand, case by case.

A line of a request is `node field value`: `@x` is the uploaded file of input x, `&x` its address there.
"""

from typing import Any

from tests.adapters.catalogue_case import Case, Raw
from tests.adapters.catalogue_makers import IMAGES, LED, SEEDANCE, VIDEOS, drawn


def people(**more: Any) -> Raw:
    return {"image": "a", **more}


UPSCALER = [
    Case(
        "upscaler",
        people(),
        60,
        "2037188547966406658",
        "1 image @image\n548 value 2048",
        (people(detail_denoise=0), people(category="pessoas_longe", resolution=8192, editing_level=0.5)),
    ),
    Case(
        "upscaler",
        people(version="pro", detail_denoise=0.15, resolution=512),
        80,
        "2037184937371115522",
        "1 image @image\n102 value 0.15\n547 value 512",
        (people(category="pessoas_longe", version="pro", detail_denoise=0.15, resolution=512),),
    ),
    # The text "undefined" was sent in the place of what is left out here.
    Case(
        "upscaler",
        people(category="paisagem", resolution=4096),
        60,
        "2037184937371115522",
        "1 image @image\n547 value 2048",
    ),
    Case("upscaler", people(category="fotoAntiga"), 60, "2018913880214343681", "139 image @image"),
    Case("upscaler", people(category="comida"), 60, "2015855359243587585", "50 image @image"),
    Case(
        "upscaler",
        people(category="comida", detail_denoise=1, version="pro"),
        80,
        "2015855359243587585",
        "50 image @image\n48 value 1",
    ),
    Case(
        "upscaler",
        people(category="logo", detail_denoise=0.5),
        50,
        "2019239272464785409",
        "39 image @image",
        (people(category="logo"), people(category="logo", version="pro")),
    ),
    Case(
        "upscaler",
        people(category="logo", version="pro", detail_denoise=0.5),
        50,
        "2019239272464785409",
        "39 image @image\n33 value 0.5",
    ),
    Case(
        "upscaler",
        people(category="render3d", detail_denoise=0.5),
        60,
        "2019234965992509442",
        "301 image @image",
    ),
    Case(
        "upscaler",
        people(category="render3d", version="pro", detail_denoise=0.5),
        80,
        "2019234965992509442",
        "301 image @image\n300 value 0.5",
    ),
]

#: The second try of the upscaler, once people who are far away have failed: inputs and what is asked then.
SECOND_TRIES = [
    (
        people(category="pessoas_longe"),
        "2017030861371219969",
        "26 image @image\n25 value 0.15\n75 value 2048",
    ),
    (
        people(category="pessoas_longe", detail_denoise=0.4, resolution=1024, prompt="a pier"),
        "2017030861371219969",
        "26 image @image\n25 value 0.4\n75 value 1024\n128 text a pier",
    ),
]

PICTURES = [
    Case(
        "pose_changer",
        {"person": "a", "reference": "b"},
        60,
        "2018451429635133442",
        "27 image @person\n60 image @reference",
    ),
    Case(
        "veste_ai",
        {"person": "a", "clothing": "b"},
        60,
        "2018755100210106369",
        "41 image @person\n43 image @clothing",
    ),
    Case("bg_remover", {"image": "a"}, 5, "2031815099811368962", "1 image @image"),
    Case("video_upscaler", {"video": "a"}, 150, "2018810750139109378", "3 video &video"),
    Case(
        "arcano_cloner",
        {"photo": "a", "reference": "b"},
        100,
        "2019877042115842050",
        "58 image @photo\n62 image @reference\n133 value 0\n150 text \n148 aspectRatio 4:3",
        ({"photo": "a", "reference": "b", "aspect_ratio": "2:1", "custom_prompt": " "},),
    ),
    Case(
        "arcano_cloner",
        {
            "photo": "a",
            "reference": "b",
            "creativity": 80,
            "custom_prompt": "at sea",
            "aspect_ratio": "1:8",
        },
        100,
        "2019877042115842050",
        "58 image @photo\n62 image @reference\n133 value 80\n150 text at sea\n148 aspectRatio 1:8",
    ),
]

FACES: Raw = {"front": "a", "profile": "b", "semi_profile": "c", "low_angle": "d"}
CHARACTERS = [
    Case(
        "character_generator",
        FACES,
        75,
        "2020943778751713282",
        "41 image @front\n39 image @profile\n40 image @semi_profile\n42 image @low_angle",
    ),
    Case(
        "character_generator_refine",
        {**FACES, "result": "e", "selected_numbers": "1, 3"},
        50,
        "2021009449481150465",
        "39 image @front\n41 image @profile\n40 image @semi_profile\n42 image @low_angle\n"
        "45 image @result\n47 text 1, 3",
    ),
]


def flyer(subtype: str | None, artists: int = 1, **more: Any) -> Raw:
    named = {"subtype": subtype} if subtype else {}
    people = {"artists": [f"artist {i}" for i in range(artists)]} if artists else {}
    return {"reference": "r", **named, **people, **more}


WORDS: Raw = {
    "title": "GALA",
    "artist_names": "ANA",
    "date_time_location": "MAY 1",
    "footer_promo": "FREE",
    "address": "RUA 1",
}
FLYERS = [
    Case(
        "flyer_maker",
        flyer(None, 2, logo="l"),
        100,
        "2025656642724962305",
        "11 image @artists.0\n12 image @artists.1\n1 image @reference\n28 image @logo\n6 text \n10 text \n"
        "7 text \n9 text \n103 text \n153 aspectRatio 9:16\n111 value 0",
        (flyer("evento", 2, logo="l", image_size="8:1"),),
    ),
    Case(
        "flyer_maker",
        flyer("evento", 5, logo="l", image_size="3:4", creativity=7, **WORDS),
        100,
        "2025656642724962305",
        "11 image @artists.0\n12 image @artists.1\n13 image @artists.2\n14 image @artists.3\n"
        "15 image @artists.4\n1 image @reference\n28 image @logo\n6 text MAY 1\n10 text ANA\n7 text GALA\n"
        "9 text FREE\n103 text RUA 1\n153 aspectRatio 3:4\n111 value 7",
    ),
    Case(
        "flyer_maker",
        flyer("agenda", **WORDS),
        100,
        "2044904569490120705",
        "1 image @reference\n11 image @artists.0\n7 text GALA\n10 text ANA\n140 text MAY 1\n9 text FREE\n"
        "107 value 4\n190 aspectRatio 9:16",
    ),
    Case(
        "flyer_maker",
        flyer("agenda", 2, creativity=0),
        100,
        "2044904569490120705",
        "1 image @reference\n11 image @artists.0\n7 text TITULO:\n10 text ARTISTAS:\n140 text \n"
        "9 text RODAPE:\n107 value 0\n190 aspectRatio 9:16",
    ),
    Case(
        "flyer_maker",
        flyer("contrate", image_size="1:1", **WORDS),
        100,
        "2045273255975591938",
        "1 image @reference\n11 image @artists.0\n7 text GALA\n10 text ANA\n140 text MAY 1\n9 text FREE\n"
        "107 value 4\n190 aspectRatio 1:1",
    ),
    Case(
        "flyer_maker",
        flyer("contrate"),
        100,
        "2045273255975591938",
        "1 image @reference\n11 image @artists.0\n7 text TITULO:\n10 text ARTISTAS:\n140 text CONTATO:\n"
        "9 text RODAPE:\n107 value 4\n190 aspectRatio 9:16",
    ),
    Case(
        "flyer_maker",
        flyer("outro", 0),
        100,
        "2046326522990043138",
        "1 image @reference\n7 text TITULO:\n10 text SUBTITULO:\n140 text CHAMADA:\n9 text RODAPE:\n"
        "107 value 2\n190 aspectRatio 9:16 [choices]",
    ),
    Case(
        "flyer_maker",
        flyer("outro", logo="l", **WORDS),
        100,
        "2046326522990043138",
        "1 image @reference\n11 image @artists.0\n7 text GALA\n10 text RUA 1\n140 text MAY 1\n9 text FREE\n"
        "107 value 2\n190 aspectRatio 9:16 [choices]\n195 image @logo",
    ),
]


CASES = [
    *UPSCALER,
    *PICTURES,
    *CHARACTERS,
    *FLYERS,
    *IMAGES,
    *VIDEOS,
    *SEEDANCE,
]

#: Inputs that are refused before anything is charged, and the input that is named.
REFUSED = [
    ("upscaler", people(category="comidas"), "category"),
    ("video_upscaler", {}, "video"),
    ("arcano_cloner", {"photo": "a", "reference": "b", "creativity": 101}, "creativity"),
    ("character_generator_refine", {**FACES, "result": "e", "selected_numbers": " "}, "selected_numbers"),
    ("flyer_maker", flyer("evento"), "logo"),
    ("flyer_maker", flyer(None, 0, logo="l"), "artists"),
    ("flyer_maker", flyer("agenda", 0), "artists"),
    ("flyer_maker", flyer("contrate", 0), "artists"),
    ("flyer_maker", flyer("evento", 6, logo="l"), "artists"),
    ("flyer_maker", {**flyer("outro"), "artists": ["a", ""]}, "artists.1"),
    ("image_generator", drawn(7), "references"),
    ("image_generator", drawn(12, source="cinema_studio_photo"), "references"),
    ("image_generator", {"prompt": "  "}, "prompt"),
    ("video_generator_veo", drawn(generate_audio="yes"), "generate_audio"),
    ("movieled_maker", {"engine": "wan2.2", "reference": "r"}, "text"),
    ("movieled_maker", {"engine": "wan2.2", "content_mode": "logo", "reference": "r", "text": "x"}, "logo"),
    ("movieled_maker", LED, "engine"),
    ("movieled_maker_veo", {**LED, "content_mode": "logo"}, "content_mode"),
    ("seedance", drawn(model="seedance-2.0-image-to-video"), "images"),
    ("seedance", drawn(model="seedance-9"), "model"),
    ("seedance", drawn(model="seedance-2.0-text-to-video", duration=16), "duration"),
]
