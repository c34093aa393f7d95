"""Each shipped tool asks the provider for what its table says, node by node, at the price that it says."""

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from makegood.errors import InvalidInput
from makegood.outcome import Accepted, Trouble
from makegood_adapters.runninghub import open_session
from makegood_adapters.runninghub.simulator import Simulator
from makegood_adapters.toolfiles import ToolJob, default_tools_folder, load_tool
from tests.adapters.catalogue import CASES, REFUSED, SECOND_TRIES
from tests.adapters.catalogue_case import Case
from tests.adapters.simulated_site import FAST, KEY
from tests.engine.world import a_job
from tests.scenarios.line import line_to

TOOLS = {path.stem: load_tool(path) for path in default_tools_folder().glob("*.toml")}
FILES = {"@": "file", "&": "address"}


def lines(request: Mapping[str, Any]) -> str:
    """Write the nodes of a request as a case does."""
    marks = {kind: mark for mark, kind in FILES.items()}
    found = []
    for node in request["nodes"]:
        value = node["value"]
        if isinstance(value, Mapping):
            [(kind, name)] = value.items()
            value = f"{marks[kind]}{name}"
        data = " [choices]" if "data" in node else ""
        found.append(f"{node['node']} {node['field']} {value}{data}")
    return "\n".join(found)


def asked(tool: type[ToolJob], raw: Mapping[str, Any]) -> tuple[str, Any]:
    request = tool.request(tool.parse(raw))
    if "model" in request:
        assert {*request} == {"model", "makes", "input"}
        return request["model"], request["input"]
    assert {*request} == {"app", "nodes"}
    return request["app"], lines(request)


def ids(case: Case) -> str:
    return f"{case.tool}-{case.target}"


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_a_tool_asks_for_what_its_table_says_at_the_price_it_says(case: Case) -> None:
    tool = TOOLS[case.tool]
    for raw in (case.raw, *case.also):
        assert asked(tool, raw) == (case.target, case.asked), raw
        assert tool.price_of(tool.parse(raw)) == case.price, raw


@pytest.mark.parametrize(("name", "raw", "field"), REFUSED)
def test_m12_what_an_app_needs_is_refused_before_the_charge_where_it_is_missing(
    name: str, raw: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        TOOLS[name].parse(raw)
    assert [problem for problem, _ in refused.value.problems] == [field]


def test_every_tool_and_every_node_that_a_file_has_is_in_a_case() -> None:
    assert {case.tool for case in CASES} == {*TOOLS}
    seen: dict[tuple[str, str], set[str]] = {}
    rows = [(c.tool, c.target, c.asked) for c in CASES] + [("upscaler", a, n) for _, a, n in SECOND_TRIES]
    for name, target, said in rows:
        names = (
            [" ".join(line.split(" ")[:2]) for line in said.split("\n")] if isinstance(said, str) else said
        )
        seen.setdefault((name, target), set()).update(names)
    written: dict[tuple[str, str], set[str]] = {}
    for name, tool in TOOLS.items():
        for app in tool.tool.every_app:
            parts = [f"{node.node} {node.field}" for node in app.nodes] + [p.name for p in app.parameters]
            written.setdefault((name, next(iter(app.target.values()))), set()).update(parts)
    assert seen == written


def situations(tool: type[ToolJob]) -> Iterator[dict[str, Any]]:
    """Yield inputs with each choice and flag, with all that is optional and with none of it."""
    free: dict[str, tuple[Any, ...]] = {}
    for name, spec in tool.tool.inputs.items():
        if spec.kind in ("choice", "boolean"):
            free[name] = getattr(spec, "choices", (True, False))
    for values in itertools.product(*free.values()):
        for full in (True, False):
            chosen: dict[str, Any] = dict(zip(free, values, strict=True))
            for name, spec in tool.tool.inputs.items():
                needed = spec.needed_when is not None and spec.needed_when.holds(chosen)
                if name in chosen or not (full or spec.required or needed):
                    continue
                value: Any = getattr(spec, "max", "words or the key of a file")
                chosen[name] = [value] if getattr(spec, "is_list", False) else value
            yield chosen


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_f4_no_accepted_input_asks_for_an_undefined_or_undeclared_empty_value(name: str) -> None:
    tool = TOOLS[name]
    declared = [part.default for app in tool.tool.every_app for part in app.parts]
    for raw in situations(tool):
        request = tool.request(tool.parse(raw))
        values = [node["value"] for node in request.get("nodes", [])] or [*request["input"].values()]
        assert values
        for value in values:
            assert value not in (None, "undefined", "null", "nan", []), raw
            assert value in declared or value not in ("", "None"), raw


@pytest.mark.parametrize(("raw", "app", "nodes"), SECOND_TRIES)
def test_c6_a_second_try_on_another_app_is_another_attempt_of_the_same_job(
    raw: dict[str, Any], app: str, nodes: str
) -> None:
    upscaler = TOOLS["upscaler"]
    value = upscaler.parse(raw)
    job = a_job(input=value.model_dump(mode="json"), request=upscaler.request(value))
    again = upscaler.rerun_after(job, Trouble.REQUEST, job.request)
    assert again is not None
    second = {**job.request, **again.changes}
    assert (second["app"], lines(second)) == (app, nodes)
    assert upscaler.rerun_after(job, Trouble.REQUEST, second) is None  # once
    near = upscaler.parse({**raw, "category": "pessoas_perto"})
    other = a_job(input=near.model_dump(mode="json"), request=upscaler.request(near))
    assert upscaler.rerun_after(other, Trouble.REQUEST, other.request) is None


AT_RUNNINGHUB = {case.target: case for case in CASES if isinstance(case.asked, str)}


async def test_what_the_site_gets_is_what_the_table_says() -> None:
    """Every app once, over the wire: with the names of uploads, or an address where one is asked."""
    async with Simulator(keys={KEY: 50}, pace=FAST) as sim, open_session() as session:
        provider = line_to(session, sim.url, KEY)
        for case in AT_RUNNINGHUB.values():
            tool = TOOLS[case.tool]
            value = tool.parse(case.raw)
            stored = {
                name: await provider.upload(f"{name}.{mark.formats[0]}", name.encode())
                for name, mark, _ in tool.files_of(value)
            }
            outcome = await provider.submit(tool.request(value), stored, None)
            assert isinstance(outcome, Accepted), (case.tool, outcome)
            sent = sim.task(outcome.task_id).request
            assert sent.app == case.target
            named = {name: f"@{field}" for field, name in stored.items()}
            addresses = {f"{sim.url}/output/{n.split('/')[1]}": f"&{field}" for field, n in stored.items()}
            shown = [
                f"{n.node} {n.field} {named.get(n.value) or addresses.get(n.value) or n.value}"
                + (" [choices]" if n.data else "")
                for n in sent.nodes
            ]
            assert "\n".join(shown) == case.asked, case.tool
            for node in sent.nodes:
                assert not node.data or json.loads(node.data)[0] == "auto"
