"""Jobs at Replicate, from order to file: its signed webhooks find results, and forged ones nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from makegood.testing.provider import PNG as INPUT
from makegood_adapters.memory import MemoryStore
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.replicate_site import PRICE, Site, at_replicate
from tests.adapters.scripted_replicate import PNG, Create, Forgery
from tests.scenarios.stage import patience

CREATE = "POST /v1/predictions"
#: The smallest file that is whole: a header that says how long it is.
WEBP = b"RIFF\x04\0\0\0WEBP"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with at_replicate(MemoryStore()) as opened:
        yield opened


@pytest.fixture(params=["memory", "postgres"])
async def anywhere(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """Yield a site over either store."""
    if request.param == "memory":
        async with at_replicate(MemoryStore()) as opened:
            yield opened
        return
    dsn = request.getfixturevalue("database")
    async with PostgresStore.open(dsn) as store, at_replicate(store) as opened:
        yield opened


class TestLife:
    async def test_a_job_with_a_file_is_brought_home(self, anywhere: Site) -> None:
        site = anywhere
        job, prediction = await site.started(image=await site.blobs.put(INPUT, "in.png"))
        [body] = site.replicate.bodies
        assert body["version"] == "5c7d5dc6"
        assert body["webhook_events_filter"] == ["completed"]
        address = f"{site.replicate.url}/v1/files/f0"
        assert prediction.input == {"prompt": "a lighthouse", "image": address}
        assert site.replicate.files == {"f0": INPUT}
        assert await site.replicate.finish(prediction) == 200
        job = await site.ended(job, "completed", captured=PRICE)
        assert await site.result(job) == PNG
        assert await site.events(job) == ["submit", "accept", "dispatch", "begin", "complete"]
        assert site.replicate.count(CREATE) == 1

    async def test_several_results_and_a_text_are_all_brought_home(self, site: Site) -> None:
        job, prediction = await site.started()
        site.replicate.results["b.webp"] = WEBP
        output = {"images": [site.replicate.result(), site.replicate.result("b.webp")], "seed": "7"}
        await site.replicate.finish(prediction, output=output)
        job = await site.ended(job, "completed", captured=PRICE)
        assert job.output is not None
        assert [(f["kind"], f["node"]) for f in job.output["files"]] == [
            ("png", "images"),
            ("webp", "images"),
            ("txt", "seed"),
        ]
        assert [await site.result(job, place) for place in range(3)] == [PNG, WEBP, b"7"]

    async def test_without_a_webhook_the_poll_finds_the_result(self) -> None:
        async with at_replicate(MemoryStore(), webhook_base_url=None, poll_interval_seconds=0.05) as site:
            job, prediction = await site.started()
            assert "webhook" not in site.replicate.bodies[0]
            site.replicate.move(prediction, "succeeded", output=site.replicate.result())
            await site.ended(job, "completed", captured=PRICE)

    async def test_a_failure_gives_the_credits_back_and_says_why(self, anywhere: Site) -> None:
        job, prediction = await anywhere.started()
        await anywhere.replicate.finish(prediction, "failed", error="NSFW content detected")
        job = await anywhere.ended(job, "failed")
        assert job.error is not None
        assert job.error["message"] == "NSFW content detected"
        assert anywhere.replicate.count(CREATE) == 1

    async def test_a_failure_that_may_pass_is_run_again(self, site: Site) -> None:
        job, first = await site.started()
        await site.replicate.finish(first, "failed", error="Prediction interrupted; please retry (code: PA)")
        second = await site.created()
        await site.reached(job, "running")
        await site.replicate.finish(second)
        job = await site.ended(job, "completed", captured=PRICE)
        assert (await site.events(job)).count("rerun") == 1
        assert site.replicate.count(CREATE) == 2

    async def test_a_result_that_is_gone_fails_the_job(self, site: Site) -> None:
        job, prediction = await site.started()
        await site.replicate.finish(prediction, output=None, data_removed=True)
        await site.ended(job, "failed")

    async def test_a_job_that_waits_there_can_be_cancelled(self, anywhere: Site) -> None:
        job, prediction = await anywhere.started()
        await anywhere.engine.cancel(job.id)
        await anywhere.ended(job, "cancelled")
        assert prediction.shown["status"] == "aborted"

    async def test_one_that_runs_can_be_cancelled(self, site: Site) -> None:
        job, prediction = await site.started()
        site.replicate.move(prediction, "processing")
        await site.engine.cancel(job.id)
        await site.ended(job, "cancelled", captured=PRICE)  # as the policy of a plain job says
        assert prediction.shown["status"] == "canceled"

    async def test_one_that_replicate_cancels_by_itself_has_failed(self, site: Site) -> None:
        job, prediction = await site.started()
        await site.replicate.finish(prediction, "aborted")
        await site.ended(job, "failed")

    async def test_a_cancel_that_comes_too_late_delivers(self, site: Site) -> None:
        job, prediction = await site.started()
        site.replicate.move(prediction, "succeeded", output=site.replicate.result())
        await site.engine.cancel(job.id)
        await site.ended(job, "completed", captured=PRICE)


class TestRefused:
    async def test_a_bad_input_fails_the_job_alone(self, anywhere: Site) -> None:
        anywhere.replicate.refusals.append((422, "input.prompt: is too long", {}))
        job = await anywhere.ended(await anywhere.order(), "failed")
        assert job.error is not None
        assert job.error["detail"]["message"] == "input.prompt: is too long"
        assert anywhere.replicate.predictions == {}

    @pytest.mark.parametrize("status", [401, 402, 403, 429])
    async def test_an_account_in_trouble_does_not_fail_the_job(self, status: int, site: Site) -> None:
        headers = {"Retry-After": "0"} if status == 429 else {}
        site.replicate.refusals.append((status, "not now", headers))
        job, prediction = await site.started()
        await site.replicate.finish(prediction)
        job = await site.ended(job, "completed", captured=PRICE)
        assert (await site.events(job)).count("defer") == 1
        assert len(site.replicate.predictions) == 1


class TestUncertain:
    """P7: a create call without an answer is never made again, and its prediction is not lost."""

    @pytest.mark.parametrize("how", [c for c in Create if c is not Create.TAKEN_AND_HELD])
    async def test_its_signed_webhook_finds_the_prediction(self, how: Create, site: Site) -> None:
        site.replicate.plans.append(how)
        job, prediction = await site.uncertain()
        assert job.state == "starting"
        assert await site.replicate.finish(prediction) == 200
        job = await site.ended(job, "completed", captured=PRICE)
        [accepted] = [e for e in await site.store.attempts.evidence(job.id) if e.verdict == "accepted"]
        assert (accepted.source, accepted.task_id) == ("webhook", prediction.id)
        assert site.replicate.count(CREATE) == 1

    async def test_also_over_postgres(self, anywhere: Site) -> None:
        anywhere.replicate.plans.append(Create.TAKEN_THEN_CUT)
        job, prediction = await anywhere.uncertain()
        await anywhere.replicate.finish(prediction, "failed", error="no")
        await anywhere.ended(job, "failed")
        assert anywhere.replicate.count(CREATE) == 1

    async def test_one_that_is_never_answered_is_found_as_well(self) -> None:
        async with at_replicate(MemoryStore(), submit_timeout_seconds=60) as site:
            site.replicate.plans.append(Create.TAKEN_AND_HELD)
            job, prediction = await site.uncertain(after_seconds=61)
            await site.replicate.finish(prediction)
            await site.ended(job, "completed", captured=PRICE)

    async def test_a_forged_webhook_does_not_find_it(self, site: Site) -> None:
        site.replicate.plans.append(Create.TAKEN_THEN_500)
        job, prediction = await site.uncertain()
        site.replicate.move(prediction, "succeeded", output=site.replicate.result())
        body, headers = site.replicate.forged(prediction.text, Forgery.WRONG_KEY)
        assert await site.replicate.post(prediction, body, headers) == 401
        assert (await site.engine.get(job.id)).state == "starting"
        assert await site.replicate.tell(prediction) == 200
        await site.ended(job, "completed", captured=PRICE)


class TestWebhooks:
    @pytest.mark.parametrize("how", Forgery)
    async def test_a_forged_one_is_401_and_leaves_nothing(
        self, how: Forgery, site: Site, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        job, prediction = await site.started()
        site.replicate.move(prediction, "succeeded", output=site.replicate.result())
        body, headers = site.replicate.forged(prediction.text, how)
        assert await site.replicate.post(prediction, body, headers) == 401
        assert await site.hints(job) == []
        assert await site.engine.get(job.id) == job
        assert site.replicate.secret not in caplog.text
        assert (prediction.webhook or "").rpartition("/")[2] not in caplog.text
        assert await site.replicate.tell(prediction) == 200
        await site.ended(job, "completed", captured=PRICE)

    async def test_a_forged_one_leaves_nothing_in_postgres_either(self, anywhere: Site) -> None:
        job, prediction = await anywhere.started()
        body, headers = anywhere.replicate.forged(prediction.text, Forgery.CHANGED)
        assert await anywhere.replicate.post(prediction, body, headers) == 401
        assert await anywhere.hints(job) == []
        await anywhere.replicate.finish(prediction)
        await anywhere.ended(job, "completed", captured=PRICE)

    async def test_replayed_ones_are_harmless(self, anywhere: Site) -> None:
        job, prediction = await anywhere.started()
        anywhere.replicate.move(prediction, "succeeded", output=anywhere.replicate.result())
        headers = anywhere.replicate.signed(prediction.text, "msg_1")
        body = prediction.text.encode()
        told = await asyncio.gather(*(anywhere.replicate.post(prediction, body, headers) for _ in range(5)))
        job = await anywhere.ended(job, "completed", captured=PRICE)
        assert [*told, await anywhere.replicate.post(prediction, body, headers)] == [200] * 6
        assert (await anywhere.events(job)).count("complete") == 1
        await anywhere.ended(job, "completed", captured=PRICE)

    async def test_one_of_another_job_moves_nothing(self, site: Site) -> None:
        job, prediction = await site.started()
        other, foreign = await site.started()
        site.replicate.move(foreign, "failed", error="no")
        assert await site.replicate.tell(prediction, foreign.text) == 200
        await site.replicate.tell(foreign)
        await site.reached(other, "failed")
        assert (await site.engine.get(job.id)).state == "running"
        await site.replicate.finish(prediction)
        assert (await site.reached(job, "completed")).settled == PRICE

    async def test_they_may_come_in_any_order(self, site: Site) -> None:
        job, prediction = await site.started()
        site.replicate.move(prediction, "processing")
        earlier = prediction.text
        await site.replicate.finish(prediction)
        assert await site.replicate.tell(prediction, earlier) == 200
        job = await site.ended(job, "completed", captured=PRICE)
        assert await site.replicate.tell(prediction, earlier.replace("lighthouse", "house")) == 200
        await site.ended(job, "completed", captured=PRICE)

    async def test_one_before_the_create_reply_is_kept(self, site: Site) -> None:
        site.replicate.plans.append(Create.TAKEN_AND_HELD)
        job = await site.order()
        prediction = await site.created()
        assert await site.replicate.finish(prediction) == 200
        site.replicate.let_go.set()
        await site.ended(job, "completed", captured=PRICE)

    async def test_one_that_names_no_prediction_is_kept_and_asked_about(self, site: Site) -> None:
        job, prediction = await site.started()
        site.replicate.move(prediction, "succeeded", output=site.replicate.result())
        for text in ("{}", "[]", "null", "no json", "[" * 100_000, '{"id": 7}', '{"id": "a b"}'):
            assert await site.replicate.tell(prediction, text) == 200
        await site.ended(job, "completed", captured=PRICE)

    async def test_a_new_secret_is_fetched_when_a_signature_does_not_fit(self, site: Site) -> None:
        job, prediction = await site.started()
        site.replicate.secret = "whsec_" + "bmV3" * 8
        assert await site.replicate.finish(prediction) == 401
        async with patience():  # as Replicate does
            while await site.replicate.tell(prediction) != 200:
                pass
        await site.ended(job, "completed", captured=PRICE)
        assert site.replicate.count("GET /v1/webhooks/default/secret") >= 2
