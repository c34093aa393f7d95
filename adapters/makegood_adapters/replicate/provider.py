"""Replicate as a provider of the engine: replies in, outcomes out."""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

from makegood.errors import ProviderRefused, ProviderUnavailable, ResultTooLarge
from makegood.outcome import (
    JSON,
    Accepted,
    Answer,
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
    Submission,
    Uncertain,
)
from makegood.ports import Moved, unheard
from makegood_adapters.exchange import Exchange, NoReply, Reply
from makegood_adapters.placeholders import filled
from makegood_adapters.replicate.client import BASE_URL, ReplicateClient, detail_of, open_session
from makegood_adapters.replicate.signature import RENEW_SECONDS, Signatures
from makegood_adapters.replicate.states import Unreadable, answer_of

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
#: Statuses of the account itself: its token, its rights, its money.
_OF_THE_ACCOUNT: Final = frozenset({401, 402, 403})
#: 4xx that are no word about the request: whoever gave up waiting may have passed it on.
_SAYS_NOTHING: Final = frozenset({408, 409, 425})
_RESULT_SECONDS: Final = 3600.0


class Replicate:
    """One Replicate account, as `makegood.ports.Provider`.

    A request is `{"version": "<id>", "input": {"prompt": "a lighthouse", "image": {"file": "image"}}}`,
    or with `model` in place of `version`; `{"file": name}`, at any depth of the input, stands for the
    address of the input file *name*. Open it with `open_account`, or call `renew_secret` before the first
    webhook and `close` at the end.
    """

    features = Features(signature=Signature.STANDARD, results_seconds=_RESULT_SECONDS)

    def __init__(self, client: ReplicateClient, *, renew_seconds: float = RENEW_SECONDS) -> None:
        self._client = client
        self._signatures = Signatures(self._secret, renew_seconds=renew_seconds)

    def __repr__(self) -> str:
        return f"Replicate({self._client!r})"

    async def renew_secret(self) -> None:
        """Fetch the secret with which webhooks are signed; without an answer the log says so."""
        await self._signatures.renew()

    async def close(self) -> None:
        """End what goes on in the background; the session is its owner's."""
        await self._signatures.close()

    async def upload(self, name: str, data: bytes, moved: Moved = unheard) -> str:
        """Upload *data* and return the address under which predictions can read it.

        Raises ProviderRefused when Replicate will not have the file, else ProviderUnavailable.
        """
        exchange = await self._client.upload(name, data, moved)
        if isinstance(exchange, Reply) and exchange.body is not None:
            urls = exchange.body.get("urls")
            url = urls.get("get") if isinstance(urls, dict) else None
            if exchange.status in (200, 201) and isinstance(url, str) and url:
                return url
        if isinstance(exchange, Reply) and exchange.status == 413:
            raise ProviderRefused("The input file is larger than the provider takes.")
        if isinstance(exchange, Reply) and exchange.status in (400, 422) and detail_of(exchange):
            raise ProviderRefused(self._client.clean(f"The provider refuses the file: {detail_of(exchange)}"))
        raise self._unavailable("took no upload", exchange)

    async def submit(self, request: JSON, files: Mapping[str, str], webhook: str | None) -> Submission:
        """Create a prediction with exactly one HTTP request and say what is known afterwards."""
        try:
            body = _body(request, files, webhook)
        except (TypeError, ValueError, RecursionError) as error:
            text = f"The request for Replicate is malformed: {error}"
            return Rejected("request", self._client.clean(text), Retry.NEVER)
        exchange = await self._client.create(body)
        if isinstance(exchange, Reply):
            return self._submission(exchange)
        if exchange.sent:
            return Uncertain(exchange.problem)
        return Rejected("connection", exchange.problem, Retry.LATER, cause=Cause.PACE)

    async def query(self, task_id: str) -> Answer:
        """Ask for the prediction. Raises ProviderUnavailable for everything that is no answer."""
        exchange = await self._client.get(task_id)
        if _is_unknown(exchange):
            return NotFound()
        prediction = self._prediction(exchange, task_id)
        try:
            return answer_of(prediction, self._client.clean)
        except Unreadable as error:
            raise ProviderUnavailable(f"Replicate gave no usable answer: {error}") from None

    async def cancel(self, task_id: str) -> CancelReply:
        """Ask for the end of the prediction; it may still succeed. Raises ProviderUnavailable."""
        exchange = await self._client.cancel(task_id)
        if _is_unknown(exchange):
            return CancelReply.NOT_FOUND
        over = self._prediction(exchange, task_id).get("status") in ("succeeded", "failed")
        return CancelReply.ALREADY_OVER if over else CancelReply.REQUESTED

    async def capacity(self) -> Capacity:
        """Say nothing of the account: Replicate tells no limit."""
        return Capacity()

    async def fetch(self, output: Output, size_max: int) -> AsyncGenerator[bytes, None]:
        """Download one result of at most *size_max* bytes. Raises ProviderUnavailable."""
        if output.text is None:
            async with aclosing(self._client.download(output.url, size_max)) as pieces:
                async for piece in pieces:
                    yield piece
        elif len(content := output.text.encode()) <= size_max:
            yield content
        else:
            raise ResultTooLarge(size_max)

    async def confirm_binding(self, task_id: str, token_hash: bytes) -> bool:
        """Confirm nothing: Replicate does not tell a prediction's webhook; its signature stands for it."""
        return False

    def parse_webhook(self, headers: Mapping[str, str], raw: bytes) -> Hint:
        """Read which prediction a webhook is about. Raises WebhookRefused unless Replicate signed it."""
        self._signatures.check(headers, raw)
        try:
            prediction = json.loads(raw)
        except RecursionError:
            raise ValueError("The webhook's body is nested too deeply.") from None
        if not isinstance(prediction, dict) or (task_id := _id_of(prediction)) is None:
            raise ValueError("The webhook's body names no prediction.")
        status = prediction.get("status")
        return Hint(task_id, status[:100] if isinstance(status, str) else None)

    def _submission(self, reply: Reply) -> Submission:
        code, text = f"http {reply.status}", self._client.clean(detail_of(reply) or reply.problem)
        if 200 <= reply.status < 300:
            task_id = _id_of(reply.body or {})
            return Accepted(task_id) if task_id else Uncertain(f"HTTP {reply.status} without a usable id")
        if reply.status == 429:
            return Rejected(code, text, Retry.LATER, reply.retry_after_seconds, Cause.PACE)
        if 300 <= reply.status < 400:
            text = f"a redirect, which is not followed: the address of Replicate should be {BASE_URL}"
            return Rejected(code, text, Retry.LATER, cause=Cause.ACCOUNT)
        told = 400 <= reply.status < 500 and detail_of(reply) is not None
        if not told or reply.status in _SAYS_NOTHING:
            return Uncertain(text or code)
        if reply.status in _OF_THE_ACCOUNT:
            return Rejected(code, text, Retry.LATER, reply.retry_after_seconds, Cause.ACCOUNT)
        return Rejected(code, text, Retry.NEVER)

    def _prediction(self, exchange: Exchange, task_id: str) -> Mapping[str, Any]:
        if isinstance(exchange, NoReply) or exchange.body is None or not 200 <= exchange.status < 300:
            raise self._unavailable("gave no usable answer", exchange)
        if _id_of(exchange.body) != task_id:
            raise ProviderUnavailable("Replicate answered about another prediction.")
        return exchange.body

    async def _secret(self) -> str:
        exchange = await self._client.webhook_secret()
        key = (exchange.body or {}).get("key") if isinstance(exchange, Reply) else None
        if not isinstance(key, str) or not key:
            raise self._unavailable("did not tell its secret", exchange, tell=False)
        return key

    def _unavailable(self, what: str, exchange: Exchange, *, tell: bool = True) -> ProviderUnavailable:
        """Return the error; a body that may hold a secret is not told."""
        if isinstance(exchange, NoReply):
            why = exchange.problem
        else:
            why = f"HTTP {exchange.status}, {detail_of(exchange) or (exchange.problem if tell else '')}"
        return ProviderUnavailable(self._client.clean(f"Replicate {what}: {why}").rstrip(", "))


@asynccontextmanager
async def open_account(*, name: str, base_url: str, api_key: str) -> AsyncIterator[Replicate]:
    """Open the account *name* at *base_url*, or at Replicate's own address if that is empty.

    ValueError tells what is wrong with address or token. A Replicate that cannot be reached now does not
    hold anybody up: webhooks are refused, and come again, until it has told its secret.
    """
    async with open_session() as session:
        provider = Replicate(ReplicateClient(session, api_key, base_url or BASE_URL))
        await provider.renew_secret()
        try:
            yield provider
        finally:
            await provider.close()


def _is_unknown(exchange: Exchange) -> bool:
    """Tell Replicate's own 404 from that of something in between."""
    return isinstance(exchange, Reply) and exchange.status == 404 and detail_of(exchange) is not None


def _id_of(prediction: Mapping[str, Any]) -> str | None:
    value = prediction.get("id")
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def _body(request: JSON, files: Mapping[str, str], webhook: str | None) -> str:
    """Return the create call's JSON. Raises TypeError, ValueError or RecursionError."""
    named = [key for key in ("version", "model") if key in request]
    if len(named) != 1 or not isinstance(request[named[0]], str) or not request[named[0]]:
        raise ValueError("it must have a version or a model, as text, and not both")
    given = request.get("input")
    if not isinstance(given, Mapping):
        raise ValueError("input must be an object")
    body: dict[str, Any] = {named[0]: request[named[0]], "input": filled(given, files)}
    if webhook is not None:
        body |= {"webhook": webhook, "webhook_events_filter": ["completed"]}
    return json.dumps(body, allow_nan=False)
