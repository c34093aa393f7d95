"""Prices of tool files: fixed, by a table, per unit of an input; whole credits, never a binary fraction."""

from pathlib import Path

import pytest

from makegood import DeclarationError, InvalidInput
from makegood_adapters.toolfiles import ToolJob, load_tool

HEAD = """name = "film"
version = 1
label = "Film"
extends = "base@1"
pool = "studio"
request = "inputs"

[inputs.seconds]
kind = "integer"
min = 2
max = 12
required = true

[inputs.exact]
kind = "number"
min = 0
max = 100
default = 1

[inputs.quality]
kind = "choice"
choices = ["480p", "720p"]
default = "480p"

[inputs.kind]
kind = "choice"
choices = ["fast", "image", "text"]

[price]
"""

# Rates per second of a video, by quality and kind, as a provider sells them.
RATES = """per_unit.input = "seconds"
per_unit.credits = 300
per_unit.rules = [
    { credits = 100, when = { quality = "480p", kind = "fast" } },
    { credits = 250, when = { quality = "720p", kind = "fast" } },
    { credits = 130, when = { quality = "480p", kind = "image" } },
    { credits = 270, when = { quality = "720p", kind = "image" } },
    { credits = 150, when = { quality = "480p", kind = "text" } },
]
"""


def make(folder: Path, price: str, head: str = HEAD) -> type[ToolJob]:
    (folder / "film.toml").write_text(head + price)
    return load_tool(folder / "film.toml")


def cost(job_type: type[ToolJob], **raw: object) -> int:
    return job_type.price_of(job_type.parse({"seconds": 2, **raw}))


@pytest.mark.parametrize(
    ("quality", "kind", "seconds", "credits"),
    [
        ("480p", "fast", 5, 500),
        ("720p", "fast", 5, 1250),
        ("480p", "image", 10, 1300),
        ("720p", "image", 3, 810),
        ("480p", "text", 12, 1800),
        ("720p", "text", 12, 3600),
        ("480p", None, 2, 600),
        (None, "fast", 2, 200),
        (None, None, 11, 3300),
    ],
)
def test_the_rate_is_that_of_quality_and_kind(
    tmp_path: Path, quality: str | None, kind: str | None, seconds: int, credits: int
) -> None:
    assert cost(make(tmp_path, RATES), quality=quality, kind=kind, seconds=seconds) == credits


@pytest.mark.parametrize(
    ("rate", "quantity", "credits"),
    [
        ("0.1", 3, 1),  # 0.30000000000000004 in binary: would still be 1
        ("0.1", 30, 3),  # 3.0000000000000004 would be 4
        ("0.7", 10, 7),
        ("1.1", 100, 110),  # 110.00000000000001 would be 111
        ("2.5", 3, 8),
        ("2.5", 4, 10),
        ("33.333", 3, 100),
        ("0.2", 0.5, 1),
        ("10", 0.05, 1),
        ("10", 1.25, 13),
        ("0", 100, 0),
        ("7", 0, 0),
    ],
)
def test_what_is_not_whole_is_rounded_up_once(
    tmp_path: Path, rate: str, quantity: float, credits: int
) -> None:
    film = make(tmp_path, f'per_unit = {{ input = "exact", credits = {rate} }}\n')
    assert cost(film, exact=quantity) == credits
    assert type(cost(film, exact=quantity)) is int


@pytest.mark.parametrize(("seconds", "credits"), [(2, 450), (4, 450), (5, 500), (12, 1200)])
def test_a_price_per_unit_has_a_floor(tmp_path: Path, seconds: int, credits: int) -> None:
    film = make(tmp_path, 'per_unit = { input = "seconds", credits = 100, at_least = 450 }\n')
    assert cost(film, seconds=seconds) == credits


def test_a_fixed_rule_goes_before_the_rate(tmp_path: Path) -> None:
    rule = '{ credits = 90, when = { kind = "fast" } }'
    film = make(tmp_path, f'rules = [{rule}]\nper_unit = {{ input = "seconds", credits = 100 }}\n')
    assert (cost(film, kind="fast", seconds=12), cost(film, kind="text", seconds=12)) == (90, 1200)


def test_a_default_quantity_is_charged_and_more_than_the_max_is_refused(tmp_path: Path) -> None:
    film = make(tmp_path, 'per_unit = { input = "exact", credits = 8 }\n')
    assert cost(film) == 8
    with pytest.raises(InvalidInput):
        cost(film, exact=101)


MISTAKES = {
    "no such input": ('input = "second"', "MG504 price.per_unit: there is no input 'second'; did you mean"),
    "no number": ('input = "quality"', "MG512 price.per_unit: 'quality' is no number, so it has no units"),
    "negative rate": ("credits = -1", "MG502 price.per_unit.credits: must be greater than or equal to 0"),
    "rate as text": ('credits = "a lot"', "MG502 price.per_unit.credits: must be a number, not 'a lot'"),
    "infinite rate": ("credits = inf", "MG502 price.per_unit.credits: must be"),
    "too much": ("credits = 100_000", "12 of 'seconds' cost 1,200,000 credits, more than 1,000,000"),
    "unknown key": ("at_most = 3", "MG502 price.per_unit.at_most: there is no key 'at_most' here"),
    "rule never chosen": (
        'rules = [{ credits = 1, when = { quality = ["480p", "720p"] } },'
        ' { credits = 2, when = { kind = "fast" } }]',
        "MG507 price.per_unit.rules #2: can never be chosen",
    ),
    "rule of no input": (
        'rules = [{ credits = 1, when = { qualty = "480p" } }]',
        "MG504 price.per_unit.rules #1: there is no input 'qualty'; did you mean 'quality'?",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_price_that_cannot_be_told_is_refused_when_the_file_is_read(tmp_path: Path, mistake: str) -> None:
    key, sentence = MISTAKES[mistake]
    keys = {"input": 'input = "seconds"', "credits": "credits = 100", key.split(" = ")[0]: key}
    with pytest.raises(DeclarationError) as refused:
        make(tmp_path, f"per_unit = {{ {', '.join(keys.values())} }}\n")
    told = [str(problem) for problem in refused.value.problems]
    assert any(sentence in problem and "(film.toml:30)" in problem for problem in told), told


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "required = true",
            "",
            "MG512 price.per_unit: 'seconds' may be missing; write required = true there",
        ),
        ("max = 12\n", "", "MG502 inputs.seconds.max: is missing; add it"),
        ("min = 2", "min = -2", "MG512 price.per_unit: 'seconds' may be below 0, its min is -2; raise it"),
    ],
)
def test_the_input_must_give_the_price_a_bound(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        make(tmp_path, 'per_unit = { input = "seconds", credits = 1 }\n', HEAD.replace(old, new, 1))
    assert any(sentence in str(problem) for problem in refused.value.problems)


@pytest.mark.parametrize(
    ("price", "found"),
    [("rules = []\n", "neither"), ('default = 1\nper_unit = { input = "seconds", credits = 1 }\n', "both")],
)
def test_one_way_to_the_price_is_wanted(tmp_path: Path, price: str, found: str) -> None:
    with pytest.raises(DeclarationError, match=f"one of default and per_unit, here is {found}"):
        make(tmp_path, price)
