"""All providers keep one contract: each against a server of its own kind, and the one that asks nobody."""

import json
from collections import deque
from collections.abc import AsyncIterator, Mapping

import pytest

from makegood.outcome import Features, Output, Signature, Succeeded, Unfinished
from makegood.testing.contract import Counterpart, ProviderContract
from makegood.testing.provider import PNG, ScriptedProvider, signed
from makegood_adapters.evolink import Evolink, EvolinkClient
from makegood_adapters.replicate import Replicate, ReplicateClient, open_session
from makegood_adapters.runninghub.simulator import Faults, Rule
from tests.adapters.scripted_evolink import KEY as EVOLINK_KEY
from tests.adapters.scripted_evolink import ScriptedEvolink, callback
from tests.adapters.scripted_replicate import KEY, ScriptedReplicate
from tests.adapters.simulated_site import UPSCALER, open_site, png


class TestRunningHub(ProviderContract):
    @pytest.fixture
    async def there(self) -> AsyncIterator[Counterpart]:
        async with open_site(limit=10) as site:
            site.sim.add(Rule(faults=Faults(hold="running")))

            async def finish(task_id: str) -> None:
                site.sim.release(task_id)
                await site.sim.wait_for(lambda: site.sim.task(task_id).over)

            image = {"node": "1", "field": "image", "value": {"file": "image"}}
            resolution = {"node": "548", "field": "value", "value": "2048"}
            request = {"app": UPSCALER, "nodes": [image, resolution]}
            yield Counterpart(
                provider=site.provider,
                request=request,
                refused=({}, {"app": UPSCALER}, {"app": UPSCALER, "nodes": [{"node": object()}]}, request),
                data=png(),
                created=lambda: len(site.sim.tasks),
                finish=finish,
                message=lambda task: ({}, json.dumps({"event": "TASK_END", "taskId": task}).encode()),
                unknown="1904163390028185602",
            )


class TestReplicate(ProviderContract):
    @pytest.fixture
    async def there(self) -> AsyncIterator[Counterpart]:
        async with ScriptedReplicate().serve() as replicate, open_session() as session:
            provider = Replicate(ReplicateClient(session, KEY, replicate.url))
            await provider.renew_secret()

            async def finish(task_id: str) -> None:
                prediction = replicate.predictions[task_id]
                replicate.move(prediction, "succeeded", output=[replicate.result(), replicate.result()])

            def message(task: str) -> tuple[Mapping[str, str], bytes]:
                text = json.dumps({"id": task, "status": "succeeded"})
                return replicate.signed(text), text.encode()

            request = {"version": "5c7d5dc6", "input": {"image": {"file": "image"}}}
            yield Counterpart(
                provider=provider,
                request=request,
                refused=({}, {"input": {}}, {"version": "v", "input": {"x": object()}}, request),
                data=PNG,
                created=lambda: len(replicate.predictions),
                finish=finish,
                message=message,
                unknown="ufawqhfynnddngldkgtslldrkq",
            )
            await provider.close()


class TestEvolink(ProviderContract):
    @pytest.fixture
    async def there(self) -> AsyncIterator[Counterpart]:
        async with ScriptedEvolink().serve() as evolink, open_session() as session:

            async def finish(task_id: str) -> None:
                evolink.finish(evolink.tasks[task_id], evolink.result(), evolink.result("picture.png"))

            model: Mapping[str, str] = {"model": "veo-3.1-fast-generate-preview", "makes": "video"}
            request = {**model, "input": {"prompt": "x", "image_urls": [{"file": "image"}]}}
            yield Counterpart(
                provider=Evolink(EvolinkClient(session, EVOLINK_KEY, evolink.url)),
                request=request,
                refused=({}, model, {**model, "input": {"x": object()}}, request),
                data=PNG,
                created=lambda: len(evolink.tasks),
                finish=finish,
                message=lambda task: ({}, callback(task)),
                unknown="task-unified-1756817821-4x3rx6ny",
            )


class TestScripted(ProviderContract):
    features = Features(tells_webhook=True)

    @pytest.fixture
    async def there(self) -> Counterpart:
        provider = ScriptedProvider(self.features)
        for _ in range(10):
            provider.plan(None, Unfinished(running=True))

        async def finish(task_id: str) -> None:
            output = Output(f"https://provider.example/{task_id}.png", "png")
            provider.tasks[task_id].answers = deque([Succeeded((output,))])

        return Counterpart(
            provider=provider,
            request={"app": "any"},
            refused=(),  # it takes every request
            data=PNG,
            created=lambda: len(provider.tasks),
            finish=finish,
            message=lambda task: (signed(task.encode()), task.encode()),
            unknown="task-0",
        )


class TestScriptedThatSigns(TestScripted):
    features = Features(signature=Signature.STANDARD, cancels=False)
