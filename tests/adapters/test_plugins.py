"""Plugins by entry points: what is right is used, what is broken disables itself and says why, once."""

import logging
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from makegood import DeclarationError
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.accounts import open_accounts
from makegood_adapters.config import AccountConfig, ServiceConfig
from makegood_adapters.job_types import load_catalog
from makegood_adapters.plugins import JOB_TYPES, PROVIDERS, Plugins, load_plugins
from makegood_adapters.toolfiles import default_tools_folder, load_tools
from tests.adapters import plugged
from tests.adapters.toolfile_machines import PORTRAIT

HERE = "tests.adapters.plugged"
HOUSE = Path(__file__).resolve().parents[2]


def types(**points: str) -> list[EntryPoint]:
    return [EntryPoint(name, value, JOB_TYPES) for name, value in points.items()]


def account(**given: object) -> AccountConfig:
    return AccountConfig.model_validate({"name": "main", "provider": "scripted", "api_key": "key-1", **given})


def service(**given: object) -> ServiceConfig:
    return ServiceConfig.model_validate({"database_url": "postgresql://nowhere", **given})


class TestJobTypes:
    def test_a_class_and_a_function_are_job_types(self) -> None:
        plugins = load_plugins(types(one=f"{HERE}:Poster", some=f"{HERE}:several"))
        assert plugins.job_types == {"one": (plugged.Poster,), "some": (plugged.Poster, plugged.Banner)}
        assert plugins.broken == {}

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (
                "tests.adapters.not_there:Poster",
                "ModuleNotFoundError: No module named 'tests.adapters.not_there'",
            ),
            (f"{HERE}:NotThere", "AttributeError: "),
            (f"{HERE}:wrong_class", "MG201 credits still held in 'failed'"),
            (f"{HERE}:not_types", "'Banner' is no job type: it does not extend BaseJob"),
            (f"{HERE}:nothing", "returns None, not job types"),
            (f"{HERE}:HERE_IS_NOTHING", "AttributeError: "),
            (f"{HERE}:Careless", "MG118 'never_asked', a guard of 'accept', is async"),
            (f"{HERE}:leaves", "SystemExit: 3"),
            ("makegood:__name__", "'makegood' is neither a job type nor a function that returns some"),
            ("pathlib:Path", "is no job type: it does not extend BaseJob"),
        ],
    )
    def test_a_broken_one_disables_itself_alone(
        self, value: str, why: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.ERROR, logger="makegood.plugins"):
            plugins = load_plugins(types(broken=value, right=f"{HERE}:Banner"))
        assert plugins.job_types == {"right": (plugged.Banner,)}
        [(name, told)] = plugins.broken.items()
        assert name == "makegood.job_types: broken"
        assert why in told
        assert [record.getMessage() for record in caplog.records] == [
            f"the plugin 'broken' of makegood.job_types is not used: {told}"
        ]

    def test_names_and_tables_that_are_taken_are_left_out(self) -> None:
        plugins = load_plugins(
            types(
                a_poster=f"{HERE}:Poster",
                b_again=f"{HERE}:several",
                c_table=f"{HERE}:TableThief",
                d_tool=f"{HERE}:UpscalerThief",
                e_banner=f"{HERE}:Banner",
            )
        )
        tools = load_tools(default_tools_folder())
        joined = plugins.join(tools)
        assert [t.name for t in joined] == [*(tool.name for tool in tools), "poster", "banner"]
        assert [*plugins.job_types] == ["a_poster", "e_banner"]
        assert "two job types are called poster@1" in plugins.broken["makegood.job_types: b_again"]
        assert "belongs to 'poster'" in plugins.broken["makegood.job_types: c_table"]
        assert "two job types are called upscaler@1" in plugins.broken["makegood.job_types: d_tool"]

    def test_two_packages_with_one_name_do_not_hide_each_other(self) -> None:
        plugins = load_plugins([*types(x=f"{HERE}:Banner"), *types(x=f"{HERE}:Poster")])
        assert plugins.job_types == {"x": (plugged.Banner,)}
        assert "another package brings a plugin of this name" in plugins.broken["makegood.job_types: x"]

    def test_installed_packages_are_asked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        info = tmp_path / "posters-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: posters\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{JOB_TYPES}]\nposters = {HERE}:several\n")
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        assert plugged.Banner in load_plugins().job_types["posters"]


class TestService:
    def test_the_catalog_has_the_types_of_tools_and_plugins_with_their_deadlines(self) -> None:
        plugins = load_plugins(types(posters=f"{HERE}:several", broken=f"{HERE}:nothing"))
        catalog = load_catalog(service(deadlines={"queued": 7}), plugins)
        assert {"pose_changer", "upscaler"} < {*catalog.names}
        assert catalog.names[-2:] == ["poster", "banner"]
        assert {t.spec.state["queued"].deadline_seconds for t in catalog} == {7}

    def test_a_deadline_of_a_state_that_one_type_has_is_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "portrait.toml").write_text(PORTRAIT)
        plugins = load_plugins(types(banner=f"{HERE}:Banner"))
        catalog = load_catalog(service(tools=tmp_path, deadlines={"in_review": 60}), plugins)
        assert catalog.get("portrait").spec.state["in_review"].deadline_seconds == 60
        assert "in_review" not in catalog.get("banner").spec.state
        with pytest.raises(DeclarationError, match="'in_revue' is not a state with a deadline"):
            load_catalog(service(tools=tmp_path, deadlines={"in_revue": 60}), Plugins())

    def test_a_tool_file_that_cannot_be_used_is_left_out_with_its_deadlines(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        good = (HOUSE / "docs" / "examples" / "new_app.toml").read_text("utf-8")
        (tmp_path / "a.toml").write_text(good)
        (tmp_path / "b.toml").write_text(good)
        (tmp_path / "c.toml").write_text(good.replace("price = 20", "prize = 20"))
        (tmp_path / "d.toml").write_text(good.replace('"base@1"', '"portrait@1"'))
        (tmp_path / "e.toml").write_text(PORTRAIT.replace("version = 1", "version = zero"))
        plugins = Plugins()
        catalog = load_catalog(service(tools=tmp_path, deadlines={"queued": 7, "in_review": 60}), plugins)
        assert catalog.names == ["sharpen"]
        names = [f"tool file: {name}.toml" for name in "bcde"]
        assert [*plugins.broken] == [*sorted(names), "deadline: in_review"]
        assert "a.toml and b.toml have the same name 'sharpen'" in plugins.broken[names[0]]
        assert "c.toml:" in plugins.broken[names[1]]
        assert "no file here declares 'portrait@1'" in plugins.broken[names[2]]
        assert caplog.text.count("is not used: ") == 5


class TestProviders:
    async def test_an_account_may_be_at_a_provider_of_a_plugin(self) -> None:
        plugins = load_plugins([EntryPoint("scripted", f"{HERE}:open_scripted", PROVIDERS)])
        runninghub = account(name="other", provider="runninghub", capacity=2)
        async with open_accounts([account(), runninghub], plugins) as providers:
            assert [known.name for known in providers] == ["main", "other"]
            assert isinstance([*providers.values()][0], ScriptedProvider)  # noqa: RUF015 - the first of two

    async def test_what_is_wrong_with_an_account_is_told(self) -> None:
        plugins = load_plugins([EntryPoint("scripted", f"{HERE}:open_scripted", PROVIDERS)])
        accounts = [account(api_key="no"), account(name="other", provider="runninghub")]
        async with open_accounts(accounts, plugins) as providers:
            assert [known.name for known in providers] == ["other"]
        [(name, told)] = plugins.broken.items()
        assert name == "account: main"
        assert told.startswith("the key of main does not")

    async def test_a_provider_that_nobody_brings_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        plugins = Plugins()
        async with open_accounts([account()], plugins) as providers:
            assert providers == {}
        told = plugins.broken["account: main"]
        ours = "evolink, replicate, runninghub"
        assert told == f"it is at 'scripted', which no installed plugin brings; there is {ours}."
        assert f"the account 'main' is not used: {told}" in caplog.text

    async def test_a_plugin_that_breaks_while_it_opens_an_account_disables_only_that(self) -> None:
        plugins = load_plugins([EntryPoint("scripted", f"{HERE}:open_badly", PROVIDERS)])
        accounts = [account(), account(name="other", provider="runninghub")]
        async with open_accounts(accounts, plugins) as providers:
            assert [known.name for known in providers] == ["other"]
        assert plugins.broken == {"account: main": "ZeroDivisionError: integer division or modulo by zero"}

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (f"{HERE}:open_nothing", "is called with name, base_url and api_key, and does not take them"),
            ("makegood:__name__", "'makegood' cannot be called to open a provider account"),
        ],
    )
    def test_a_broken_provider_disables_itself(self, value: str, why: str) -> None:
        plugins = load_plugins([EntryPoint("broken", value, PROVIDERS)])
        assert plugins.providers == {}
        assert why in plugins.broken["makegood.providers: broken"]

    @pytest.mark.parametrize("option", ["api", "upload_api", "auth_mode", "calls_per_second"])
    async def test_an_option_of_runninghub_at_another_provider_is_told(self, option: str) -> None:
        plugins = load_plugins([EntryPoint("scripted", f"{HERE}:open_scripted", PROVIDERS)])
        value: object = {"api": "v2", "upload_api": "v1", "auth_mode": "body"}.get(option, 5)
        async with open_accounts([account(**{option: value})], plugins) as providers:
            assert providers == {}
        assert f"{option} is an option of RunningHub: remove it" in plugins.broken["account: main"]
