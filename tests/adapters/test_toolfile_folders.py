"""A mistake in a folder of tool files, or in what its files share, is told before any job runs."""

from pathlib import Path

import pytest

from makegood.errors import DeclarationError
from makegood_adapters.toolfiles import load_tools

TOOL = Path(__file__).with_name("background_remover.toml").read_text()


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="there is no such folder; create it or name another"):
        load_tools(tmp_path / "none")


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "README").touch()
    with pytest.raises(DeclarationError, match=r"it holds no \*\.toml file; put one file for each tool"):
        load_tools(tmp_path)


def test_two_files_may_not_share_a_name(tmp_path: Path) -> None:
    wire = '[wire]\ntable = "t"\nfunction = "f{}"\n'
    (tmp_path / "a.toml").write_text(TOOL + wire.format(1))
    (tmp_path / "b.toml").write_text(TOOL + wire.format(2))
    with pytest.raises(DeclarationError) as refused:
        load_tools(tmp_path)
    assert [str(problem) for problem in refused.value.problems] == [
        "MG511 a.toml and b.toml have the same name 'background_remover'; give each its own (b.toml)",
        "MG511 a.toml and b.toml have the same table 't'; give each its own, or tell them apart "
        "by `when` in [wire] (b.toml)",
    ]


def test_tools_of_one_table_are_exclusive_together_or_not_at_all(tmp_path: Path) -> None:
    wire = '[wire]\ntable = "t"\nfunction = "{0}"\n{1}'
    (tmp_path / "a.toml").write_text(TOOL + wire.format("a", ""))
    other = TOOL.replace('"background_remover"', '"other"').replace(
        "price", 'exclusive_by = "tool"\nprice', 1
    )
    (tmp_path / "b.toml").write_text(other + wire.format("b", 'when = { engine = "b" }\n'))
    with pytest.raises(DeclarationError) as refused:
        load_tools(tmp_path)
    assert [str(problem) for problem in refused.value.problems] == [
        "MG511 a.toml and b.toml have the same table 't' and not the same exclusive_by; a row of one may "
        "become a job of the other, so give both the same (b.toml)"
    ]


def test_the_mistakes_of_all_files_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("name = ")
    (tmp_path / "b.toml").write_text(TOOL.replace("base@1", "base"))
    (tmp_path / "c.toml").write_text(TOOL)
    with pytest.raises(DeclarationError) as refused:
        load_tools(tmp_path)
    places = [str(problem).rpartition(" ")[2] for problem in refused.value.problems]
    assert places == ["(a.toml)", "(b.toml:4)"]
