"""Every operation keeps to the OpenAPI document, whoever calls it, whatever is sent: no answer is a surprise.

schemathesis makes requests that fit the document and such that do not. Some get a job, a type or an owner
that is there, so that they come further than to a 404.
"""

import asyncio
import random
import re
from collections.abc import Callable
from typing import Any, cast

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from makegood_adapters.http.openapi import openapi
from makegood_adapters.http.operation import Access, Op, Sends
from makegood_adapters.http.v1 import OPERATIONS
from tests.api.scene import Scene
from tests.api.streams import PATIENCE_SECONDS
from tests.conftest import Tally

CALLERS = (
    "user:ada",
    "user:bob",
    "service:owners",
    "service:owners,credits,operations,webhooks",
    "public",
    "",
)
OWNERS = ("ada", "bob", "eva/ü %2F?#\x20x")
#: Calls of each server in one test, spread over the operations.
CALLS = 260
#: A stream of events does not end by itself; tests/api/test_events.py reads them.
FUZZED = [op for op in OPERATIONS if op.sends is not Sends.EVENTS]
#: Of aiohttp's 8,190 for the whole line.
URL_LENGTH_MAX = 8_000
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]


async def some_jobs(scene: Scene) -> list[str]:
    """Return the ids of jobs in different states."""
    ids = []
    for event in ("accept", "cancel", None, "report"):
        made = await scene.client.post("/jobs", json={**await scene.order(), "accept": event == "accept"})
        ids.append(str(made.body["id"]))
        if event == "cancel":
            await scene.client.post(f"/jobs/{made.body['id']}/cancel")
        if event == "report":
            await scene.client.post(f"/jobs/{made.body['id']}/report", json={"message": "fuzz"})
    return ids


@pytest.mark.timeout(300)
@pytest.mark.soak(short=1, long=11)
async def test_every_answer_is_one_that_the_document_tells(scene: Scene, part: int, tally: Tally) -> None:
    jobs, order = await some_jobs(scene), await scene.order()
    document = openapi(OPERATIONS, specs=scene.engine.catalog.specs)
    for operations in document["paths"].values():
        for told in operations.values():
            del told["security"]  # who calls is chosen here
    # What schemathesis does must not depend on settings of whoever runs the tests.
    schema = schemathesis.openapi.from_dict(document, config=schemathesis.Config())
    kinds = [(op, GenerationMode.POSITIVE) for op in FUZZED]
    kinds += [(op, GenerationMode.NEGATIVE) for op in FUZZED if may_be_wrong(op)]
    made = 0
    while made < CALLS:
        for op, mode in kinds:
            fuzz = fuzzer(op, schema, mode, scene.client.base, jobs, order)
            made += await asyncio.to_thread(fuzz, -(-CALLS // len(kinds)))
    tally("fuzzed calls of the API", made)


def may_be_wrong(op: Op) -> bool:
    """Whether something can be sent to the operation that does not fit the document."""
    kinds = [op.path_types.get(name, str) for name in re.findall(r"{(\w+)}", op.path)]
    return bool(op.body or op.query or any(kind is not str for kind in kinds))


def fuzzer(
    op: Op, schema: Any, mode: GenerationMode, base: str, jobs: list[str], order: dict[str, Any]
) -> Callable[[int], int]:
    """Return a function that calls the operation so many times and returns how many answers were checked."""
    strategy = schema[op.path][op.method].as_strategy(generation_mode=mode)

    def run(times: int) -> int:
        made = 0

        @seed(random.getrandbits(64))
        @settings(
            max_examples=times,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),
        )
        @given(st.data())
        def call(data: st.DataObject) -> None:
            nonlocal made
            case = cast(Case[Any], data.draw(strategy))
            changed = data.draw(st.booleans()) and lead_further(case, data, jobs, order)
            # The server itself answers what is longer than it takes, a host's Mount a path of two lines.
            assume(len(url := address(case, base)) < URL_LENGTH_MAX and "%0A" not in url)
            who = data.draw(st.sampled_from(CALLERS)) if data.draw(st.booleans()) else welcome(op)
            answer = sent(case, base, who, data)
            strict = [] if changed or vanishes(case) else [negative_data_rejection]
            checks = [*CHECKS, *strict]
            case.validate_response(answer, checks=checks)
            made += 1

        call()
        return made

    return run


def welcome(op: Op) -> str:
    """Return a caller who may call the operation."""
    return "user:ada" if isinstance(op.who, Access) else f"service:{op.who}"


def lead_further(case: Case[Any], data: st.DataObject, jobs: list[str], order: dict[str, Any]) -> bool:
    """Put something that is there in the place of what was made up; return whether anything was changed."""
    found = {"job_id": jobs, "owner": OWNERS, "name": ("upscaler",)}
    known = [name for name in case.path_parameters or () if name in found]
    for name in known:
        case.path_parameters[name] = data.draw(st.sampled_from(found[name]))
    body = case.body if isinstance(case.body, dict) else {}
    if ordered := [name for name in order if name in body]:
        body.update({name: order[name] for name in ordered})
    if "name" in body and "scope" in body:
        body["name"] = data.draw(st.sampled_from(("*", "ada", "upscaler", "runninghub")))
        ordered.append("name")
    return bool(known or ordered)


def vanishes(case: Case[Any]) -> bool:
    """Whether a part of the query is nothing once it is written into an address, and so cannot be wrong."""
    return any(value is None or value in ([], {}) for value in (case.query or {}).values())


def address(case: Case[Any], base: str) -> str:
    told = case.as_transport_kwargs(base_url=base)
    return requests.Request(told["method"], told["url"], params=told.get("params")).prepare().url or ""


def sent(case: Case[Any], base: str, who: str, data: st.DataObject) -> requests.Response:
    headers = {"Authorization": f"Bearer {who}"} if who else {}
    if who.startswith("service") and "Makegood-Owner" not in (case.headers or {}):
        headers["Makegood-Owner"] = data.draw(st.sampled_from(OWNERS[:2]))
    return cast(requests.Response, case.call(base_url=base, headers=headers, timeout=PATIENCE_SECONDS))
