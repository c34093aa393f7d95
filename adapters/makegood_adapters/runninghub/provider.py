"""RunningHub as a provider of the engine: replies in, outcomes out."""

import hashlib
import hmac
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Final

from makegood.errors import AccountRefused, ProviderRefused, ProviderUnavailable, ResultTooLarge
from makegood.outcome import (
    JSON,
    Answer,
    CancelReply,
    Capacity,
    Cause,
    Features,
    Hint,
    Output,
    Rejected,
    Retry,
    Submission,
)
from makegood.ports import Moved, unheard
from makegood_adapters.exchange import Exchange, NoReply, Reply
from makegood_adapters.runninghub.account import Balance, read_balance, read_queue
from makegood_adapters.runninghub.client import RunningHubClient
from makegood_adapters.runninghub.codes import NO_SUCH_ROUTE, Endpoint, Meaning, interpret
from makegood_adapters.runninghub.inspection import Inspection
from makegood_adapters.runninghub.patience import Patience
from makegood_adapters.runninghub.reading import Reading, lost_an_input
from makegood_adapters.runninghub.replies import Wording, code_of, object_of, state_of
from makegood_adapters.runninghub.request import Api, read_request
from makegood_adapters.runninghub.submission import judge
from makegood_adapters.runninghub.uploads import Uploads, key_of
from makegood_adapters.runninghub.webhook import parse_hint, task_id_of

#: v1 says 30 MB; the limit of v2 is not documented.
UPLOAD_BYTES_MAX: Final = 30_000_000
_RESULTS_SECONDS: Final = 86_400.0
#: All tries of one upload; one that stands still ends much earlier.
_UPLOAD_SECONDS: Final = 3_600.0


class RunningHub:
    """One RunningHub account, as `makegood.ports.Provider`.

    A request is `{"app": "<webapp id>", "nodes": [{"node": "1", "field": "image", "value":
    {"file": "image"}}, {"node": "548", "field": "value", "value": "2048"}]}`, or the same with
    `"workflow"`; `{"file": name}` stands for the provider's name of the input file *name*,
    `{"address": name}` for the address that it tells of that upload.
    `request.read_request` lists the options. Numbers are sent as text, which RunningHub accepts for every
    field. *api* is the generation of the create call, *upload_api* that of uploads; either reads tasks
    made by the other. Questions and uploads are repeated with *patience*, a create call never is.
    """

    features = Features(
        tells_webhook=True,
        tells_limit=True,
        counts_tasks=True,
        results_seconds=_RESULTS_SECONDS,
        upload_bytes_max=UPLOAD_BYTES_MAX,
    )

    def __init__(
        self,
        client: RunningHubClient,
        *,
        api: Api = "v1",
        upload_api: Api = "v2",
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, value in (("api", api), ("upload_api", upload_api)):
            if value not in ("v1", "v2"):
                raise ValueError(f"{name} is {value!r}; it must be v1 or v2.")
        self._client, self._api, self._upload_api = client, api, upload_api
        self._patience = patience or Patience()
        self._wording = Wording(client.clean, client.base_url)
        self._reading = Reading(self._wording, client.storable)
        self._uploads = Uploads(clock)
        self.inspection = Inspection(client, self._patience, self._wording)

    def __repr__(self) -> str:
        return f"RunningHub({self._client!r})"

    async def upload(self, name: str, data: bytes, moved: Moved = unheard) -> str:
        """Upload *data* and return its name at RunningHub, the same for the same bytes.

        Raises ProviderRefused for a file that RunningHub does not take, before sending when it is too
        large, AccountRefused when it is the account that is refused, else ProviderUnavailable.
        """
        if len(data) > UPLOAD_BYTES_MAX:
            raise ProviderRefused(
                f"The input file has {len(data):,} bytes; RunningHub takes at most {UPLOAD_BYTES_MAX:,}."
            )
        key = await key_of(name, data)
        stored = self._uploads.find(key)
        if stored is None:
            stored, address = await self._upload(name, data, moved)
            self._uploads.keep(key, stored, address)
        return stored

    async def _upload(self, name: str, data: bytes, moved: Moved) -> tuple[str, str | None]:
        async def send(api: Api) -> Exchange:
            return await self._patience.ask(
                lambda: self._client.upload(name, data, api, moved), _UPLOAD_SECONDS
            )

        exchange = await send(self._upload_api)
        if self._upload_api == "v2" and _has_no_route(exchange):
            exchange = await send("v1")
        if isinstance(exchange, NoReply) or exchange.body is None:
            raise self._wording.unavailable("took no upload", exchange.problem)
        message = self._wording.message(exchange.body)
        read = interpret(Endpoint.UPLOAD, code_of(exchange.body), message)
        inner = object_of(exchange.body.get("data"))
        stored = inner.get("fileName") or inner.get("filename")
        if read.meaning is Meaning.SUCCESS and isinstance(stored, str) and stored:
            address = inner.get("download_url")
            return stored, address if isinstance(address, str) and address else None
        said = self._wording.refusal(read, message)
        if read.meaning is Meaning.NEVER:
            text = f"The provider does not take the input file of {len(data):,} bytes: {said}"
            raise ProviderRefused(self._client.clean(text))
        if read.cause is Cause.ACCOUNT:
            lasting = interpret(Endpoint.SUBMIT, read.code).meaning is Meaning.NEVER
            raise AccountRefused(f"RunningHub took no upload: {said}", read.code, lasting=lasting)
        raise self._wording.unavailable("took no upload", said)

    async def submit(self, request: JSON, files: Mapping[str, str], webhook: str | None) -> Submission:
        """Make the create call with exactly one HTTP request and say what is known afterwards.

        A request that RunningHub could not understand is Rejected and not sent.
        """
        try:
            call = read_request(request, files, webhook, self._api, self._uploads.addresses)
        except ValueError as error:
            text = f"The request for RunningHub is malformed, and was not sent: {error}"
            return Rejected("request", self._client.clean(text), Retry.NEVER)
        return judge(await self._client.create(call, self._api), self._wording)

    async def query(self, task_id: str) -> Answer:
        """Ask v2 for the task, and v1 where v2 has no such route or keeps answering with something else.

        Raises ProviderUnavailable for everything that is no answer.
        """
        exchange = await self._patience.ask(lambda: self._client.query(task_id))
        if _has_no_route(exchange) or _is_no_api(exchange):
            answer = await self._query_v1(task_id)
        else:
            answer = self._reading.of_query(task_id, self._wording.usable(exchange))
        if lost_an_input(answer):
            self._uploads.forget()
        return answer

    async def _query_v1(self, task_id: str) -> Answer:
        outputs = await self._patience.ask(lambda: self._client.outputs(task_id))
        answer = self._reading.of_outputs(self._wording.usable(outputs))
        if answer is not None:
            return answer
        status = await self._patience.ask(lambda: self._client.status(task_id))
        told = status.body if isinstance(status, Reply) and status.body is not None else {}
        return self._reading.of_status(told)

    async def cancel(self, task_id: str) -> CancelReply:
        """Ask for the end of the task; it may still succeed. Raises ProviderUnavailable.

        A request that was not answered may have been heard: if a repetition then finds the task over, it may
        have been that request that ended it.
        """
        requests = 0

        async def once() -> Exchange:
            nonlocal requests
            requests += 1
            return await self._client.cancel(task_id)

        body = self._wording.usable(await self._patience.ask(once))
        message = self._wording.message(body)
        read = interpret(Endpoint.READ, code_of(body), message)
        match read.meaning:
            case Meaning.SUCCESS:
                return CancelReply.REQUESTED
            case Meaning.ALREADY_OVER:
                return CancelReply.ALREADY_OVER if requests == 1 else CancelReply.REQUESTED
            case Meaning.NOT_FOUND:
                return CancelReply.NOT_FOUND
            case _:
                raise self._wording.unavailable("did not cancel", self._wording.refusal(read, message))

    async def capacity(self) -> Capacity:
        """Ask for limit and load of the whole account; where queue/status does not tell the load, the
        account's own count does. Raises ProviderUnavailable."""
        try:
            exchange = await self._patience.ask(self._client.queue_status)
            told = read_queue(self._wording.usable(exchange), self._wording)
        except ProviderUnavailable:
            return Capacity(None, (await self.balance()).in_use)
        return told if told.in_use is not None else Capacity(told.limit, (await self.balance()).in_use)

    async def balance(self) -> Balance:
        """Ask for the balance, the kind of the key and its number of tasks. Raises ProviderUnavailable."""
        exchange = await self._patience.ask(self._client.account_status)
        return read_balance(self._wording.usable(exchange), self._wording)

    async def fetch(self, output: Output, size_max: int) -> AsyncGenerator[bytes, None]:
        """Download one result in pieces; a text that came with the answer is its own.

        Raises ResultTooLarge and ProviderUnavailable, both also in the midst.
        """
        if output.text is not None:
            text = output.text.encode()
            if len(text) > size_max:
                raise ResultTooLarge(size_max)
            yield text
            return
        async with aclosing(self._client.download(output.url, size_max)) as pieces:
            async for piece in pieces:
                yield piece

    async def confirm_binding(self, task_id: str, token_hash: bytes) -> bool:
        """Tell whether RunningHub has the task with a webhook that ends in the token of this hash.

        *token_hash* is the SHA-256 digest of the last path segment. A task without a webhook (code
        1) or an unknown one is not bound. Raises ProviderUnavailable.
        """
        body = self._wording.usable(await self._patience.ask(lambda: self._client.webhook_detail(task_id)))
        message = self._wording.message(body)
        read = interpret(Endpoint.READ, code_of(body), message)
        if read.meaning is Meaning.NOT_FOUND or read.code == "1":
            return False
        detail = object_of(body.get("data"))
        url = detail.get("webhookUrl")
        if read.meaning is not Meaning.SUCCESS or not isinstance(url, str):
            told = self._wording.refusal(read, message)
            raise self._wording.unavailable("did not tell the task's webhook", told)
        if task_id_of(detail.get("taskId")) not in (None, task_id):
            return False
        token = url.split("#")[0].split("?")[0].rsplit("/", 1)[-1]
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        return hmac.compare_digest(digest, token_hash)

    def parse_webhook(self, headers: Mapping[str, str], raw: bytes) -> Hint:
        """Read which task a webhook is about; ValueError when it is about none. Nothing is signed."""
        return parse_hint(raw.decode(errors="replace"))


def _has_no_route(exchange: Exchange) -> bool:
    """Whether RunningHub says that there is no such call, rather than something about its subject."""
    if isinstance(exchange, NoReply):
        return False
    gone = exchange.body is not None and not state_of(exchange.body) and code_of(exchange.body)
    return exchange.status in (404, 405) or gone in NO_SUCH_ROUTE


def _is_no_api(exchange: Exchange) -> bool:
    """Whether something else than an API answered, such as a page; a site that only wants peace is none."""
    return isinstance(exchange, Reply) and exchange.body is None and exchange.status not in (401, 429)
