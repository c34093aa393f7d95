"""One trace for each job: of several processes one tree, in which waits, tries and refunds can be read."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.client_reqrep import ClientRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from makegood import Job
from makegood.ports import Observer
from makegood.testing.drive import Advance
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.telemetry import Lives
from makegood_adapters.telemetry.spans import is_in
from makegood_adapters.telemetry.traces import Traces
from tests.scenarios.stage import KEY, OWNER, Stage, engine_beside, staged, token_of


class Traced:
    """One process with an SDK of its own; the spans of all come together, as they do behind collectors."""

    def __init__(self, exporter: InMemorySpanExporter, **given: Any) -> None:
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(exporter))
        self.traces = Traces(self.provider, **given)

    def observers(self, store: PostgresStore) -> Sequence[Observer]:
        """Return who looks at the engine over *store*; their `lives` have to be read."""
        self.lives = Lives(store, [self.traces], wholly=True)
        return [self.traces, self.lives]


class Tree:
    """The spans of one job."""

    def __init__(self, exporter: InMemorySpanExporter, job: Job) -> None:
        self.spans = [span for span in exporter.get_finished_spans() if span.context.trace_id == job.id.int]
        self.by_id = {span.context.span_id: span for span in self.spans}

    @property
    def root(self) -> ReadableSpan:
        """The one span without a parent; every other one hangs below it, and no id comes twice."""
        assert len(self.by_id) == len(self.spans)
        [root] = [span for span in self.spans if span.parent is None]
        for span in self.spans:
            hung = span
            while hung.parent is not None:
                hung = self.by_id[hung.parent.span_id]
            assert hung is root
        return root

    def below(self, name: str) -> list[str]:
        """Return the names of the children of the span of this name, in the order of their beginning."""
        [parent] = self.named(name)
        children = [s for s in self.spans if s.parent and s.parent.span_id == parent.context.span_id]
        return [child.name for child in sorted(children, key=lambda span: span.start_time or 0)]

    def named(self, name: str) -> list[ReadableSpan]:
        """Return the spans of this name, in the order of their beginning."""
        found = [span for span in self.spans if span.name == name]
        return sorted(found, key=lambda span: span.start_time or 0)


def told(span: ReadableSpan) -> dict[str, Any]:
    """Return the span's attributes."""
    return dict(span.attributes or {})


@asynccontextmanager
async def traced(
    database: str,
    folder: Path,
    exporter: InMemorySpanExporter,
    sdk: dict[str, Any] | None = None,
    **given: Any,
) -> AsyncIterator[tuple[Stage, Traced]]:
    here = Traced(exporter, **(sdk or {}))
    async with staged(database, folder, observe=here.observers, **given) as stage, here.lives.reading():
        yield stage, here


async def test_one_job_of_two_processes_is_one_tree_below_one_root(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process takes the order and hears the webhook, the other does the work."""
    exporter, sent, send = InMemorySpanExporter(), [], ClientRequest.send

    async def note(request: ClientRequest, connection: Any) -> Any:
        sent.append({name.lower() for name in request.headers})
        return await send(request, connection)

    monkeypatch.setattr(ClientRequest, "send", note)
    async with traced(database, tmp_path, exporter, run_loops=False) as (stage, front):
        worker = Traced(exporter)
        async with PostgresStore.open(database) as store:
            observers = worker.observers(store)
            async with worker.lives.reading(), engine_beside(stage, observers=observers):
                with front.provider.get_tracer("shop").start_as_current_span("checkout") as caller:
                    job = await stage.order()
                await stage.settled(job)
                await worker.lives.read()
    tree = Tree(exporter, job)
    assert tree.root.name == "job upscaler"
    below = tree.below("job upscaler")
    assert below == ["submit", "accept", "wait in queue", "attempt 1", "settle"]
    assert set(tree.below("attempt 1")) >= {"upload", "create call", "provider run", "inquiry", "fetch"}
    [submit] = tree.named("submit")
    assert [link.context.span_id for link in submit.links] == [caller.get_span_context().span_id]
    [settle] = tree.named("settle")
    assert told(settle)["makegood.credits.captured"] == job.price
    assert told(tree.root)["makegood.job.state"] == "completed"
    assert tree.root.status.is_unset
    for span in tree.spans:  # nobody's name, no key, no token of a webhook
        text = json.dumps(told(span)) + str([event.attributes for event in span.events])
        for secret in (OWNER, KEY, token_of(stage.simulator.tasks[0])):
            assert secret not in text
    assert sent
    assert not [headers for headers in sent if "traceparent" in headers]  # a third party


async def test_a_lost_webhook_a_second_run_and_a_refund_can_be_read(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    exporter = InMemorySpanExporter()
    async with traced(database, tmp_path, exporter, poll_interval_seconds=600.0) as (stage, here):
        heard = await stage.order(hold="running")
        await stage.seen_running(heard)  # the next question is far away, unless a webhook asks for it
        stage.simulator.release((await stage.task_exists()).id)
        await stage.settled(heard)
        await here.lives.read()
    async with traced(database, tmp_path, exporter, {"owners": True}) as (stage, here):
        lost = await stage.order(webhooks=0)
        failed = await stage.order(fail="the machine burns", webhooks=0)
        again = await stage.order(fail="a stale file handle", transient=True, times=1)
        await stage.sent_back(again)
        await advance(10)  # and with that is the pause before the second run over
        for job in (lost, failed, again):
            await stage.settled(job)
        await here.lives.read()
    trees = {job.id: Tree(exporter, job) for job in (heard, lost, failed, again)}
    assert trees[heard.id].named("webhook received")
    assert not trees[lost.id].named("webhook received")
    assert trees[lost.id].named("inquiry")
    twice = trees[again.id]
    assert twice.below("job upscaler").count("wait in queue") == 2
    [first], [second] = twice.named("attempt 1"), twice.named("attempt 2")
    assert (told(first)["makegood.attempt.verdict"], first.status.is_ok) == ("failed", False)
    assert (told(second)["makegood.attempt.verdict"], twice.root.status.is_unset) == ("succeeded", True)
    broken = trees[failed.id]
    assert told(broken.root)["user.id"] == OWNER
    assert not broken.root.status.is_ok
    [settle] = broken.named("settle")
    assert told(settle)["makegood.credits.released"] == failed.price
    assert told(settle)["makegood.credits.captured"] == 0


def test_a_share_of_the_jobs_is_the_same_for_all_processes() -> None:
    """And it is about the share that was asked for, of ids as the engine makes them."""
    from uuid_utils.compat import uuid7

    ids = [uuid7() for _ in range(4_000)]
    found = [is_in(0.25, each) for each in ids]
    assert 800 < sum(found) < 1_200
    assert all(is_in(1.0, each) for each in ids)
    assert not any(is_in(0.0, each) for each in ids)
