"""The contract of `makegood.ports.Provider`: what the engine relies on, whoever runs the tasks."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import pytest

from makegood.errors import ResultTooLarge, WebhookRefused
from makegood.outcome import (
    JSON,
    Accepted,
    Answer,
    Cancelled,
    CancelReply,
    Capacity,
    Cause,
    Features,
    Hint,
    NotFound,
    Output,
    Rejected,
    Retry,
    Signature,
    Succeeded,
    Unfinished,
)
from makegood.ports import Provider

#: A wait that takes as long as this has failed; an answer of a test server comes at once.
PATIENCE_SECONDS = 60.0
SIZE_MAX = 10_000_000
#: What anybody may send to an address that is known: none of it may do more than be refused.
GARBAGE = (
    b"",
    b" ",
    b"{}",
    b"[]",
    b"null",
    b"7",
    b"taskId=1&status=SUCCESS",
    b'{"id": null, "taskId": {}, "request_id": []}',
    b'{"id": 7, "taskId": 7.5, "request_id": 7}',
    b"\xff\xfe\x00",
    b"\x00" * 100,
    b'{"id": "\\ud800"}',
    b"[" * 100_000,
    b'{"a":' * 20_000,
    b"9" * 10_000,
)
STRANGE_HEADERS: tuple[Mapping[str, str], ...] = (
    {},
    {"webhook-id": "", "webhook-timestamp": "", "webhook-signature": ""},
    {"webhook-id": "msg_1", "webhook-timestamp": "1e400", "webhook-signature": "v1,"},
    {"webhook-id": "msg_1", "webhook-timestamp": "nan", "webhook-signature": "v1"},
    {"webhook-id": "\udcff", "webhook-timestamp": "9" * 30, "webhook-signature": "v1,größer v2,x"},
    {"content-type": "text/html", "authorization": "Bearer me"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterpart:
    """A provider and the test server behind it, as the contract needs them.

    `request` is one that the server takes, with the input file that it calls `image`, whose content is
    `data`. `refused` are requests that cannot be served, without any file. A task goes on until `finish`
    ends it with a result. `created` counts the tasks that were ever made. `unknown` has the form of a
    task's id and is nobody's. `message` returns headers and body of a webhook about a task, as the server
    sends it.
    """

    provider: Provider
    request: JSON
    refused: Sequence[JSON]
    data: bytes
    created: Callable[[], int]
    finish: Callable[[str], Awaitable[object]]
    message: Callable[[str], tuple[Mapping[str, str], bytes]]
    unknown: str


class ProviderContract:
    """Subclass it as `Test…` and give it the fixture `there`, which yields a Counterpart.

    Needs pytest-asyncio. What a provider's features say that it cannot do is not asked of it.
    """

    async def submit(self, there: Counterpart, webhook: str | None = None) -> str:
        """Upload the input, make the create call, and return the task's id."""
        name = await there.provider.upload("image.png", there.data)
        told = await there.provider.submit(there.request, {"image": name}, webhook)
        assert isinstance(told, Accepted), told
        return told.task_id

    async def finished(self, there: Counterpart) -> tuple[str, Succeeded]:
        """Return a task that has succeeded, and what is said of it."""
        task_id = await self.submit(there)
        await there.finish(task_id)
        answer = await over(there.provider, task_id)
        assert isinstance(answer, Succeeded), answer
        return task_id, answer

    async def test_a_create_call_makes_one_task_whose_id_is_a_text(self, there: Counterpart) -> None:
        task_id = await self.submit(there, "http://127.0.0.1:9/hooks/token")
        assert there.created() == 1
        assert isinstance(task_id, str)
        assert task_id.strip() == task_id != ""

    async def test_the_same_request_again_is_another_task(self, there: Counterpart) -> None:
        assert await self.submit(there) != await self.submit(there)
        assert there.created() == 2

    async def test_a_request_that_cannot_be_served_is_rejected_for_good(self, there: Counterpart) -> None:
        for request in there.refused:
            told = await there.provider.submit(request, {}, None)
            assert isinstance(told, Rejected)
            assert told.retry is Retry.NEVER
            assert told.cause in (Cause.REQUEST, Cause.TYPE)
            assert told.message
        assert there.created() == 0

    async def test_a_task_is_known_and_asking_does_not_change_it(self, there: Counterpart) -> None:
        task_id = await self.submit(there)
        for _ in range(3):
            assert isinstance(await there.provider.query(task_id), Unfinished)
        assert there.created() == 1

    async def test_a_result_has_an_address_or_is_a_text(self, there: Counterpart) -> None:
        _, answer = await self.finished(there)
        assert answer.outputs
        for output in answer.outputs:
            assert (output.text is None) == bool(output.url)
            assert output.kind == output.kind.lower() != ""
            assert output.kind.isalnum()
        json.dumps(dict(answer.usage))

    async def test_what_is_over_stays_so(self, there: Counterpart) -> None:
        task_id, answer = await self.finished(there)
        assert await there.provider.query(task_id) == answer

    async def test_a_task_of_nobody_is_not_found(self, there: Counterpart) -> None:
        assert await there.provider.query(there.unknown) == NotFound()
        if there.provider.features.cancels:
            assert await there.provider.cancel(there.unknown) is CancelReply.NOT_FOUND

    async def test_a_task_can_be_cancelled_twice(self, there: Counterpart) -> None:
        if not there.provider.features.cancels:
            return
        task_id = await self.submit(there)
        assert await there.provider.cancel(task_id) is CancelReply.REQUESTED
        assert await there.provider.cancel(task_id) in (CancelReply.REQUESTED, CancelReply.ALREADY_OVER)
        answer = await over(there.provider, task_id)
        assert isinstance(answer, Cancelled)

    async def test_a_cancel_that_comes_too_late_takes_no_result_away(self, there: Counterpart) -> None:
        if not there.provider.features.cancels:
            return
        task_id, answer = await self.finished(there)
        assert await there.provider.cancel(task_id) in (CancelReply.REQUESTED, CancelReply.ALREADY_OVER)
        assert await there.provider.query(task_id) == answer

    async def test_a_file_may_be_brought_again_under_any_name(self, there: Counterpart) -> None:
        for name in ("image.png", "image.png", "ä b/../c\n.PNG", "x" * 300, "."):
            uploaded = await there.provider.upload(name, there.data)
            assert isinstance(uploaded, str)
            told = await there.provider.submit(there.request, {"image": uploaded}, None)
            assert isinstance(told, Accepted), (name, told)
            await there.finish(told.task_id)  # so that a full account is not what is told next

    async def test_a_result_can_be_fetched_again(self, there: Counterpart) -> None:
        _, answer = await self.finished(there)
        for output in answer.outputs:
            first = await fetched(there.provider, output)
            assert first
            assert await fetched(there.provider, output, len(first)) == first

    async def test_no_more_is_fetched_than_is_wanted(self, there: Counterpart) -> None:
        _, answer = await self.finished(there)
        output = answer.outputs[0]
        size = len(await fetched(there.provider, output))
        for size_max in (size - 1, 0):
            with pytest.raises(ResultTooLarge):  # else it would be fetched again and again
                await fetched(there.provider, output, size_max)

    async def test_a_fetch_may_be_left(self, there: Counterpart) -> None:
        _, answer = await self.finished(there)
        async with aclosing(there.provider.fetch(answer.outputs[0], SIZE_MAX)) as pieces:
            async for piece in pieces:
                assert piece
                break

    async def test_the_account_has_a_room_or_does_not_tell(self, there: Counterpart) -> None:
        features, room = there.provider.features, await there.provider.capacity()
        assert isinstance(features, Features)
        assert isinstance(room, Capacity)
        assert (room.limit or 0) >= 0
        assert (room.in_use or 0) >= 0
        assert room.limit is not None or not features.tells_limit
        assert room.in_use is not None or not features.counts_tasks

    async def test_tasks_that_are_counted_are_counted_at_once(self, there: Counterpart) -> None:
        if not there.provider.features.counts_tasks:
            return
        before = (await there.provider.capacity()).in_use
        await self.submit(there)
        assert before is not None
        assert (await there.provider.capacity()).in_use == before + 1

    async def test_a_message_tells_which_task_it_is_about(self, there: Counterpart) -> None:
        task_id = await self.submit(there)
        assert there.provider.parse_webhook(*there.message(task_id)).task_id == task_id

    async def test_a_message_that_was_not_signed_is_refused(self, there: Counterpart) -> None:
        if there.provider.features.signature is Signature.NONE:
            return
        headers, raw = there.message(await self.submit(there))
        for altered, body in (({}, raw), (headers, raw + b" "), (headers, b" " + raw), (headers, b"")):
            with pytest.raises(WebhookRefused):
                there.provider.parse_webhook(altered, body)
        there.provider.parse_webhook(headers, raw)

    async def test_garbage_is_refused_and_nothing_else(self, there: Counterpart) -> None:
        headers, _ = there.message(there.unknown)
        for raw in GARBAGE:
            for given in (*STRANGE_HEADERS, headers):
                try:
                    hint = there.provider.parse_webhook(given, raw)
                except (ValueError, WebhookRefused):
                    continue
                assert isinstance(hint, Hint)
                assert hint.task_id is None or isinstance(hint.task_id, str)

    async def test_a_task_is_bound_to_its_own_token_alone(self, there: Counterpart) -> None:
        if not there.provider.features.tells_webhook:
            return
        token = secrets.token_urlsafe(32)
        task_id = await self.submit(there, f"http://127.0.0.1:9/hooks/{token}")
        other = hashlib.sha256(b"another token").digest()
        assert not await there.provider.confirm_binding(task_id, other)
        assert not await there.provider.confirm_binding(there.unknown, other)
        await there.finish(task_id)  # some tell of a webhook only once it was sent
        own = hashlib.sha256(token.encode()).digest()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if await there.provider.confirm_binding(task_id, own):
                    break
                await asyncio.sleep(0)
        assert not await there.provider.confirm_binding(task_id, other)


async def over(provider: Provider, task_id: str) -> Answer:
    """Return the answer that ends a task."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = await provider.query(task_id)
            if not isinstance(answer, Unfinished):
                return answer
            await asyncio.sleep(0)  # a provider that asks nobody would keep its own server from going on


async def fetched(provider: Provider, output: Output, size_max: int = SIZE_MAX) -> bytes:
    """Return the whole of a result."""
    async with aclosing(provider.fetch(output, size_max)) as pieces:
        return b"".join([piece async for piece in pieces])
