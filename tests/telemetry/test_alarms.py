"""What an error tracker gets of us: each cause once, under one name whatever job it hits, and no secret."""

import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sentry_sdk
from aiohttp import web
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from makegood import BaseJob, Engine, Transition, errors
from makegood.errors import MakegoodError, code_of
from makegood.observing import NOBODY, ObservedProvider
from makegood.outcome import JSON, Submission
from makegood.runtime import Crew
from makegood.subject import Subject
from makegood_adapters.alarms import before_send
from makegood_adapters.http.aiohttp_app import aiohttp_app
from makegood_adapters.http.v1 import OPERATIONS, Api
from makegood_adapters.logs import set_up_logs
from tests.api.scene import RULES, NamingGate
from tests.scenarios.stage import KEY, POOL, patience, picture, staged
from tests.telemetry.expressions import HOUSE

SECRET = "a-password-that-nobody-may-see"


class Captured(Transport):
    """Keeps what would have been sent."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        """See `Transport`."""
        if event := envelope.get_event():
            self.events.append(dict(event))


@pytest.fixture
def captured() -> Iterator[Captured]:
    """Let Sentry capture, as a host sets it up, and forget it afterwards."""
    transport = Captured()
    client = sentry_sdk.Client(
        dsn="https://key@errors.example/1", transport=transport, before_send=before_send([SECRET, KEY])
    )
    with sentry_sdk.isolation_scope():
        held = sentry_sdk.get_global_scope().client
        sentry_sdk.get_global_scope().set_client(client)
        yield transport
        sentry_sdk.get_global_scope().set_client(held)


def name_of(event: dict[str, Any]) -> tuple[str, str]:
    """Return that by which events come together: the template of the message and the kind of the error."""
    errors = (event.get("exception") or {}).get("values") or [{}]
    return event["logentry"]["message"], errors[-1].get("type", "")


class Hooked(BaseJob):
    """Tells a shop of its beginning; the shop's code is broken."""

    pool, price = POOL, 10


async def tells_the_shop(transition: Transition) -> None:
    """Be broken."""
    raise LookupError(f"no order for {transition.job_id} with {SECRET}")


Hooked.pending.on_enter(tells_the_shop)


class Broken(ObservedProvider):
    """A provider of somebody's, whose create call raises what it must not."""

    async def submit(self, request: JSON, files: Mapping[str, str], webhook: str | None) -> Submission:
        """Raise."""
        raise ZeroDivisionError(f"{webhook} at {KEY}")


async def test_a_hook_that_raises_is_one_event_with_its_job(
    database: str, tmp_path: Path, captured: Captured
) -> None:
    async with staged(database, tmp_path, types=[Hooked]) as stage:
        jobs = [await stage.engine.submit(Hooked, "ada", {}) for _ in range(3)]

        async def told() -> bool:
            return len(captured.events) >= 3

        await stage.until(told)
    assert {name_of(event) for event in captured.events} == {("hook %s failed for job %s", "LookupError")}
    assert len(captured.events) == 3  # one for each job, all under one name
    assert {event["extra"]["job_id"] for event in captured.events} == {str(job.id) for job in jobs}
    assert {event["tags"]["job_type"] for event in captured.events} == {"hooked"}
    assert SECRET not in json.dumps(captured.events, default=str)


async def test_a_broken_provider_is_one_event_with_its_account(
    database: str, tmp_path: Path, captured: Captured
) -> None:
    async with staged(database, tmp_path, wrap=lambda one: Broken("main", one, NOBODY)) as stage:
        job = await stage.order(data=picture(1))

        async def told() -> bool:
            return bool(captured.events)

        await stage.until(told)
    [event] = captured.events
    assert name_of(event) == ("%s ended with an error", "ZeroDivisionError")
    assert event["extra"]["job_id"] == str(job.id)
    assert event["tags"] == {"job_type": "upscaler", "account": "main"}
    assert event["extra"]["attempt"] == 1
    text = json.dumps(event, default=str)
    assert KEY not in text
    assert "[redacted]" in text  # the token in the address of the webhook


async def test_an_error_of_the_api_is_one_event_and_a_refusal_none(
    database: str, tmp_path: Path, captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beside(app: web.Application, engine: Engine, _: str) -> None:
        app.add_subapp("/v1", aiohttp_app(OPERATIONS, Api(engine=engine, files=RULES), NamingGate()))

    async with staged(database, tmp_path, run_loops=False, beside=beside) as stage:
        job = await stage.draft()
        who = {"Authorization": "Bearer user:ada"}
        refused = {"type": "upscaler", "input": {"image": "no-such-file"}}
        answers = []
        for method, path, body in (
            ("GET", f"/v1/jobs/{uuid4()}", None),
            ("POST", "/v1/jobs", refused),
            ("POST", f"/v1/jobs/{job.id}/nothing", None),
        ):
            async with stage.session.request(
                method, stage.url + path, json=body, headers={**who, "Idempotency-Key": "k"}
            ) as reply:
                answers.append(reply.status)
        assert all(400 <= status < 500 for status in answers), answers
        assert not captured.events

        async def fails(*_: Any, **__: Any) -> None:
            raise RuntimeError(f"a mistake of ours with {SECRET}")

        monkeypatch.setattr(stage.engine, "get", fails)
        async with stage.session.get(f"{stage.url}/v1/jobs/{job.id}", headers=who) as reply:
            assert reply.status == 500
    [event] = captured.events
    assert name_of(event) == ("a request failed", "RuntimeError")
    assert SECRET not in json.dumps(event, default=str)


def test_the_codes_of_our_errors_are_stable() -> None:
    """An alarm is grouped by them: a class that is renamed is a new one."""
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    found = {code_of(kind.__new__(kind)) for kind in kinds if issubclass(kind, MakegoodError)}
    page = (HOUSE / "docs" / "how-to" / "observe.md").read_text("utf-8")
    [listed] = re.findall(r"^The codes: (.*?)\.$", page, re.MULTILINE | re.DOTALL)
    assert {code.strip("`") for code in re.split(r",\s+", listed)} == found
    assert code_of(ValueError()) is None


async def test_the_log_says_of_which_job_a_line_is() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    held, level = root.handlers[:], root.level
    try:
        set_up_logs("json", stream=stream)
        ended = asyncio.Event()
        work = Crew(1, ended.set)
        about = Subject(job_id=uuid4(), type="upscaler", attempt=2, account="main")
        work.start(_fails(), "submit a job", about=about)
        async with patience():
            await ended.wait()
    finally:
        root.handlers[:], root.level = held, level
        logging.captureWarnings(False)
    [line] = map(json.loads, stream.getvalue().splitlines())
    assert line["message"] == "submit a job ended with an error"
    told = {name: line[name] for name in ("job_id", "job_type", "attempt", "account", "error_code")}
    assert told == {
        "job_id": str(about.job_id),
        "job_type": "upscaler",
        "attempt": 2,
        "account": "main",
        "error_code": "store_unavailable",
    }


async def _fails() -> None:
    raise errors.StoreUnavailable("gone")
