"""Job types as data: the shipped tools ask the provider rightly, and a new tool is one new file."""

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from makegood.catalog import Catalog
from makegood.errors import DeclarationError, InvalidInput
from makegood.job import Transition
from makegood.jobtype import MEGABYTE, File
from makegood.lifecycle import BaseJob
from makegood_adapters.toolfiles import ToolJob, default_tools_folder, load, load_tool, load_tools, to_toml
from makegood_adapters.toolfiles.conditions import as_text

SHIPPED = default_tools_folder()
PEOPLE = ("pessoas_perto", "pessoas_longe")

TOOL = Path(__file__).with_name("background_remover.toml").read_text()


def shipped(name: str) -> type[ToolJob]:
    return load_tool(SHIPPED / f"{name}.toml")


def make(folder: Path, text: str, name: str = "tool.toml") -> type[ToolJob]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return load_tool(path)


def ask(job_type: type[ToolJob], **raw: Any) -> tuple[str, dict[tuple[str, str], Any]]:
    """Return the app and what is set in it."""
    request = job_type.request(job_type.parse(raw))
    return request["app"], {(n["node"], n["field"]): n["value"] for n in request["nodes"]}


# The shipped tools


def test_the_shipped_tools_make_a_catalog() -> None:
    catalog = Catalog(load_tools(SHIPPED))
    assert {"upscaler", "pose_changer"} <= {job_type.name for job_type in catalog}
    for job_type in catalog:
        assert issubclass(job_type, ToolJob)
        assert job_type.pool in ("runninghub", "evolink")
        assert job_type.exclusive_by == "tool"
        assert set(job_type.columns.values()) <= set(job_type.Input.model_fields)


def test_the_wire_names_are_on_the_class() -> None:
    upscaler, pose_changer = shipped("upscaler"), shipped("pose_changer")
    assert (upscaler.table, upscaler.function) == ("upscaler_jobs", "runninghub-upscaler")
    assert upscaler.columns["input_url"] == "image"
    assert (pose_changer.table, pose_changer.function) == ("pose_changer_jobs", "runninghub-pose-changer")
    assert pose_changer.wire is not None
    assert pose_changer.wire.run == {"personImageUrl": "person", "referenceImageUrl": "reference"}
    assert pose_changer.columns == {"person_image_url": "person", "reference_image_url": "reference"}


def test_files_are_marked_with_what_is_accepted() -> None:
    assert shipped("upscaler").file_fields() == {"image": File(("png", "jpeg", "webp"), 30 * MEGABYTE)}
    assert set(shipped("pose_changer").file_fields()) == {"person", "reference"}


def combinations() -> Iterator[dict[str, Any]]:
    spec = shipped("upscaler").tool.inputs
    options: Mapping[str, list[Any]] = {
        "category": [None, *spec["category"].choices],  # type: ignore[union-attr]  # it is a choice
        "version": [None, "standard", "pro"],
        "framing_mode": [None, "perto", "longe"],
        "resolution": [None, 512, 2048, 2049, 8192],
        "detail_denoise": [None, 0, 0.0, 0.15, 1],
        "prompt": [None, "", "  ", "a red kite"],
    }
    for values in itertools.product(*options.values()):
        yield {"image": "key", **dict(zip(options, values, strict=True))}


def test_f4_every_accepted_input_of_the_upscaler_makes_a_request_without_empty_values() -> None:
    upscaler = shipped("upscaler")
    for raw in combinations():
        for sent in (raw, {name: value for name, value in raw.items() if value is not None}):
            app, nodes = ask(upscaler, **sent)
            assert app.isdecimal(), raw
            assert list(nodes.values()).count({"file": "image"}) == 1, raw
            for value in nodes.values():
                assert value == {"file": "image"} or (isinstance(value, str) and value.strip()), raw
                assert value not in ("None", "undefined", "null", "nan"), raw


@pytest.mark.parametrize(
    ("raw", "app", "nodes"),
    [
        ({}, "2037188547966406658", {"548 value": "2048"}),
        ({"detail_denoise": 0, "resolution": 8192}, "2037188547966406658", {"548 value": "2048"}),
        (
            {"category": "pessoas_longe", "detail_denoise": 0.15, "resolution": 512},
            "2037184937371115522",
            {"102 value": "0.15", "547 value": "512"},
        ),
        ({"category": "paisagem"}, "2037184937371115522", {"547 value": "2048"}),
        ({"category": "paisagem", "detail_denoise": 0}, "2037184937371115522", {"102 value": "0"}),
        ({"category": "fotoAntiga", "detail_denoise": 1}, "2018913880214343681", {}),
        ({"category": "comida"}, "2015855359243587585", {}),
        ({"category": "comida", "detail_denoise": 1}, "2015855359243587585", {"48 value": "1"}),
        ({"category": "logo", "detail_denoise": 0.5}, "2019239272464785409", {}),
        (
            {"category": "logo", "version": "pro", "detail_denoise": 0.5},
            "2019239272464785409",
            {"33 value": "0.5"},
        ),
        (
            {"category": "render3d", "version": "pro", "detail_denoise": 0.5},
            "2019234965992509442",
            {"300 value": "0.5"},
        ),
    ],
)
def test_the_upscaler_asks_the_app_of_the_category(
    raw: dict[str, Any], app: str, nodes: dict[str, str]
) -> None:
    asked, found = ask(shipped("upscaler"), image="key", **raw)
    assert asked == app
    texts = {f"{node} {field}": value for (node, field), value in found.items() if isinstance(value, str)}
    assert nodes.items() <= texts.items()
    assert ("102 value" in texts, "48 value" in texts, "33 value" in texts, "300 value" in texts) == tuple(
        name in nodes for name in ("102 value", "48 value", "33 value", "300 value")
    )


def test_the_pose_changer_uploads_both_pictures() -> None:
    request = shipped("pose_changer").request(
        shipped("pose_changer").parse({"person": "a", "reference": "b"})
    )
    assert request == {
        "app": "2018451429635133442",
        "nodes": [
            {"node": "27", "field": "image", "value": {"file": "person"}},
            {"node": "60", "field": "image", "value": {"file": "reference"}},
        ],
    }


@pytest.mark.parametrize("category", ["logo", "pessoas_perto", "comida", "paisagem", None])
@pytest.mark.parametrize("version", ["standard", "pro", None])
def test_the_upscaler_costs_what_the_table_says(category: str | None, version: str | None) -> None:
    upscaler = shipped("upscaler")
    price = 50 if category == "logo" else 80 if version == "pro" else 60
    value = upscaler.parse({"image": "key", "category": category, "version": version})
    assert upscaler.price_of(value) == price


def test_the_pose_changer_costs_60() -> None:
    pose_changer = shipped("pose_changer")
    assert pose_changer.price_of(pose_changer.parse({"person": "a", "reference": "b"})) == 60


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({}, "image"),
        ({"image": ""}, "image"),
        ({"image": None}, "image"),
        ({"image": "key", "category": "comidas"}, "category"),
        ({"image": "key", "resolution": 511}, "resolution"),
        ({"image": "key", "resolution": 8193}, "resolution"),
        ({"image": "key", "resolution": 600.5}, "resolution"),
        ({"image": "key", "detail_denoise": float("nan")}, "detail_denoise"),
        ({"image": "key", "detail_denoise": 1.01}, "detail_denoise"),
        ({"image": "key", "prompt": "x" * 2001}, "prompt"),
        ({"image": "key", "credit_cost": 1}, "credit_cost"),
        ({"image": "key", "credit_cost": None}, "credit_cost"),
    ],
)
def test_what_the_upscaler_does_not_accept_is_named(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        shipped("upscaler").parse(raw)
    assert [name for name, _ in refused.value.problems] == [field]


def test_an_installed_wheel_finds_the_tools_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "lib" / "site-packages" / "makegood_adapters"
    (tmp_path / "config" / "tools").mkdir(parents=True)
    monkeypatch.setattr(load, "_PACKAGE", installed)
    assert default_tools_folder() == installed / "tools"


# What a file makes


def test_limits_become_deadlines_and_the_rest_is_inherited() -> None:
    seconds = {s.name: s.deadline_seconds for s in shipped("upscaler").spec.states}
    limits = tomllib.loads((SHIPPED / "upscaler.toml").read_text())["limits"]
    for state in ("pending", "queued", "starting", "running"):
        assert seconds[state] == limits[f"{state}_seconds"]
    assert shipped("upscaler").attempts_max == limits["attempts_max"]
    assert shipped("upscaler").spec.edges == BaseJob.spec.edges


def test_a_limit_that_is_left_out_is_the_base_s(tmp_path: Path) -> None:
    tool = make(tmp_path, f"{TOOL}\n[limits]\nrunning_seconds = 42\n")
    changed = {s.name for s in tool.spec.states if s != BaseJob.spec.state[s.name]}
    assert changed == {"running"}
    assert tool.states()["running"].deadline == timedelta(seconds=42)
    assert BaseJob.running.deadline != timedelta(seconds=42)


def test_hooks_of_the_base_are_heard_and_own_hooks_stay_own(tmp_path: Path) -> None:
    first = make(tmp_path, f"{TOOL}\n[limits]\nrunning_seconds = 42\n")
    second = make(tmp_path, TOOL, "second.toml")

    async def all_types(_: Transition) -> None: ...

    async def one_type(_: Transition) -> None: ...

    ToolJob.running.on_enter(all_types)
    first.states()["running"].on_enter(one_type)
    try:
        assert first.states()["running"].hooks == (all_types, one_type)
        assert second.states()["running"].hooks == (all_types,)
        assert ToolJob.running.hooks == (all_types,)
    finally:
        ToolJob.running._hooks.clear()


def test_d34_a_third_tool_is_one_new_file_and_nothing_else(tmp_path: Path) -> None:
    for path in SHIPPED.glob("*.toml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "background_remover.toml").write_text(TOOL)
    tool = Catalog(load_tools(tmp_path)).get("background_remover")
    assert issubclass(tool, ToolJob)
    assert (tool.label, tool.version, tool.pool, tool.attempts_max) == (
        "Background remover",
        1,
        "runninghub",
        3,
    )
    assert (tool.table, tool.function, dict(tool.columns)) == ("", "", {})
    assert tool.price_of(tool.parse({"image": "key"})) == 5
    assert ask(tool, image="key") == ("2031815099811368962", {("1", "image"): {"file": "image"}})
    assert ask(tool, image="key", strength=2)[1]["2", "value"] == "2"
    assert tool.machine().get_triggers("running")


def test_constants_defaults_and_optional_files(tmp_path: Path) -> None:
    text = TOOL.replace("required = true", "required = false").replace(
        """    { node = "1", field = "image", file = "image" },
    { node = "2", field = "value", input = "strength", if_given = true },
""",
        """    { node = "1", field = "image", file = "image", if_given = true },
    { node = "2", field = "value", input = "strength", default = 2, when = { mode = "hard" } },
    { node = "3", field = "seed", constant = 7 },
    { node = "4", field = "text", constant = "", when = { image = { present = false } } },
    { node = "5", field = "on", constant = true },
""",
    )
    tool = make(tmp_path, text)
    assert ask(tool)[1] == {("3", "seed"): "7", ("4", "text"): "", ("5", "on"): "true"}
    assert ask(tool, image="key", mode="hard")[1] == {
        ("1", "image"): {"file": "image"},
        ("2", "value"): "2",
        ("3", "seed"): "7",
        ("5", "on"): "true",
    }


def test_blank_text_is_missing_and_a_default_takes_its_place(tmp_path: Path) -> None:
    tool = make(
        tmp_path,
        TOOL + '    \n[inputs.prompt]\nkind = "text"\ndefault = "a cat"\n[inputs.title]\nkind = "text"\n',
    )
    value = tool.parse({"image": "key", "prompt": " ", "title": "\n", "mode": None})
    assert value.model_dump() == {
        "image": "key",
        "strength": None,
        "mode": "soft",
        "prompt": "a cat",
        "title": None,
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"),
        (123456.789, "123456.789"),
        (2048, "2048"),
        (False, "false"),
        ("as it is", "as it is"),
    ],
)
def test_numbers_are_sent_as_plain_text(value: object, text: str) -> None:
    assert as_text(value) == text


def test_a_tool_may_share_one_place_with_others(tmp_path: Path) -> None:
    line = 'pool = "runninghub"\n'
    assert make(tmp_path, TOOL).exclusive_by is None
    tool = make(tmp_path, TOOL.replace(line, f'{line}exclusive_by = "images"\n'), "one.toml")
    assert tool.exclusive_by == "images"
    assert 'exclusive_by = "images"' in to_toml(tool)
    with pytest.raises(DeclarationError, match="exclusive_by"):
        make(tmp_path, TOOL.replace(line, f'{line}exclusive_by = "My images"\n'), "wrong.toml")
