"""Evolink as a provider of the engine: replies in, outcomes out."""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from makegood.errors import AccountRefused, ProviderRefused, ProviderUnavailable
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
    Submission,
    Uncertain,
)
from makegood.ports import Moved, unheard
from makegood_adapters.download import address_of
from makegood_adapters.evolink.client import BASE_URL, PLACES, EvolinkClient, open_session
from makegood_adapters.evolink.refusals import error_of, refusal_of
from makegood_adapters.evolink.states import Unreadable, answer_of
from makegood_adapters.exchange import Exchange, NoReply, Reply
from makegood_adapters.internet import NotPublic, check_public
from makegood_adapters.placeholders import filled

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
#: Keys of a create call that are no parameters of a model.
_OURS: Final = ("model", "callback_url")
#: The page of each model: links to results are valid for 24 hours.
_RESULT_SECONDS: Final = 86_400.0
#: docs.evolink.ai, `callback_url`: https, at most so many characters, and no address of a private network.
_CALLBACK_LENGTH_MAX: Final = 2048
#: A refusal of an upload with one of these is about the file.
_FILE_REFUSED: Final = frozenset({400, 413, 415, 422})
#: The site for files tells a status in its body, too, which counts where both are there.
_STATUSES: Final = frozenset({"400", "401", "402", "403", "413", "415", "422", "429", "500"})


class Evolink:
    """One Evolink account, as `makegood.ports.Provider`.

    A request is `{"model": "seedance-2.0-text-to-video", "makes": "video", "input": {"prompt": "a
    lighthouse"}}`; `makes` (image, video or audio) chooses the endpoint, `input` holds the parameters of the
    model, and `{"file": name}`, at any depth of them, stands for the address of the input file *name*.

    The docs name no call that ends a task, though tasks tell `can_cancel`: a task that nobody wants runs to
    its end. Nor do they tell a limit of tasks (429 is all that is said), a signature of callbacks, or with
    which address a task was created.
    """

    features = Features(cancels=False, results_seconds=_RESULT_SECONDS)

    def __init__(self, client: EvolinkClient) -> None:
        self._client = client

    def __repr__(self) -> str:
        return f"Evolink({self._client!r})"

    async def upload(self, name: str, data: bytes, moved: Moved = unheard) -> str:
        """Upload *data* and return the address under which models can read it, for 72 hours.

        The docs speak of JPEG, PNG, GIF and WebP; Evolink's own client sends video and audio, too. What the
        site refuses, it refuses: ProviderRefused for the file, AccountRefused for key and quota, else
        ProviderUnavailable.
        """
        exchange = await self._client.upload(name, data, moved)
        if isinstance(exchange, Reply) and 200 <= exchange.status < 300 and exchange.body is not None:
            told = exchange.body.get("data")
            url = address_of(told.get("file_url")) if isinstance(told, dict) else None
            if exchange.body.get("success") is True and url is not None:
                return url
        if isinstance(exchange, Reply):
            self._refuse_upload(exchange)
        raise self._unavailable("took no upload", exchange)

    async def submit(self, request: JSON, files: Mapping[str, str], webhook: str | None) -> Submission:
        """Create a task with exactly one HTTP request and say what is known afterwards.

        Evolink refuses a request for its *webhook* unless that is https on a public address. It is left out
        then, and the result is found by asking.
        """
        try:
            makes, body = _call(request, files, webhook)
        except (TypeError, ValueError, RecursionError) as error:
            text = f"The request for Evolink is malformed: {error}"
            return Rejected("request", self._client.clean(text), Retry.NEVER)
        exchange = await self._client.create(makes, body)
        if isinstance(exchange, NoReply):
            if exchange.sent:
                return Uncertain(exchange.problem)
            return Rejected("connection", exchange.problem, Retry.LATER, cause=Cause.PACE)
        if 200 <= exchange.status < 300 and (task_id := _id_of(exchange.body or {})):
            return Accepted(task_id)
        return refusal_of(exchange, self._client)

    async def query(self, task_id: str) -> Answer:
        """Ask for the task. Raises ProviderUnavailable for everything that is no answer."""
        exchange = await self._client.get(task_id)
        if _is_unknown(exchange):
            return NotFound()
        if isinstance(exchange, NoReply) or exchange.body is None or not 200 <= exchange.status < 300:
            raise self._unavailable("gave no usable answer", exchange)
        if _id_of(exchange.body) != task_id:
            raise ProviderUnavailable("Evolink answered about another task.")
        try:
            return answer_of(exchange.body, self._client.clean)
        except Unreadable as error:
            raise ProviderUnavailable(f"Evolink gave no usable answer: {error}") from None

    async def cancel(self, task_id: str) -> CancelReply:
        """Raise ProviderUnavailable: there is no such call, and the engine does not ask for it."""
        raise ProviderUnavailable("Evolink has no call that ends a task.")

    async def capacity(self) -> Capacity:
        """Say nothing of the account, for Evolink tells no limit, but see that its key is accepted.

        Raises ProviderUnavailable when it is not, or cannot be asked about.
        """
        exchange = await self._client.credits()
        if isinstance(exchange, NoReply) or not 200 <= exchange.status < 300 or exchange.body is None:
            raise self._unavailable("does not tell its credits", exchange)
        return Capacity()

    async def fetch(self, output: Output, size_max: int) -> AsyncGenerator[bytes, None]:
        """Download one result of at most *size_max* bytes. Raises ProviderUnavailable."""
        async with aclosing(self._client.download(output.url, size_max)) as pieces:
            async for piece in pieces:
                yield piece

    async def confirm_binding(self, task_id: str, token_hash: bytes) -> bool:
        """Confirm nothing: Evolink does not tell with which callback a task was created."""
        return False

    def parse_webhook(self, headers: Mapping[str, str], raw: bytes) -> Hint:
        """Read which task a callback is about; it has the form of the task itself and is not signed."""
        try:
            task = json.loads(raw)
        except RecursionError:
            raise ValueError("The webhook's body is nested too deeply.") from None
        if not isinstance(task, dict) or (task_id := _id_of(task)) is None:
            raise ValueError("The webhook's body names no task.")
        status = task.get("status")
        return Hint(task_id, self._client.clean(status)[:100] if isinstance(status, str) else None)

    def _refuse_upload(self, reply: Reply) -> None:
        """Raise for a refusal that is one; the statuses of the site for files are not documented."""
        if reply.status == 413:  # also of what stands before the site, which has no words of its own
            raise ProviderRefused("The input file is larger than the provider takes.")
        told = error_of(reply)
        if told is None:
            return
        text = self._client.clean(told.message or told.code)
        status = int(told.code) if told.code in _STATUSES else reply.status
        if status in (401, 402, 403) or "quota" in text.lower():
            code = told.code or f"http {status}"
            raise AccountRefused(f"Evolink took no upload: {text}", code, lasting=status != 401)
        if status in _FILE_REFUSED:
            raise ProviderRefused(f"The provider refuses the file: {text}")

    def _unavailable(self, what: str, exchange: Exchange) -> ProviderUnavailable:
        if isinstance(exchange, NoReply):
            why = exchange.problem
        else:
            told = error_of(exchange)
            why = f"HTTP {exchange.status}, {(told.message or told.code) if told else exchange.problem}"
        return ProviderUnavailable(self._client.clean(f"Evolink {what}: {why}").rstrip(", "))


@asynccontextmanager
async def open_account(*, name: str, base_url: str, api_key: str) -> AsyncIterator[Evolink]:
    """Open the account *name* at *base_url*, or at Evolink's own address if that is empty.

    ValueError tells what is wrong with address or key.
    """
    async with open_session() as session:
        yield Evolink(EvolinkClient(session, api_key, base_url or BASE_URL))


def _is_unknown(exchange: Exchange) -> bool:
    """Tell Evolink's own 404 from that of something in between; an id of another form is unknown, too."""
    if not isinstance(exchange, Reply) or (told := error_of(exchange)) is None:
        return False
    return exchange.status == 404 or (exchange.status == 400 and told.code == "invalid_task_id")


def _id_of(task: Mapping[str, Any]) -> str | None:
    value = task.get("id")
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def _call(request: JSON, files: Mapping[str, str], webhook: str | None) -> tuple[str, str]:
    """Return what the model makes, and the JSON of the call. Raises TypeError, ValueError, RecursionError."""
    model, makes, given = request.get("model"), request.get("makes"), request.get("input")
    if not isinstance(model, str) or not model:
        raise ValueError("it must have a model, as text")
    if makes not in PLACES:
        raise ValueError(f"it must say what the model makes, one of {', '.join(PLACES)}")
    if not isinstance(given, Mapping):
        raise ValueError("input must be an object")
    if taken := [key for key in _OURS if key in given]:
        raise ValueError(f"{taken[0]} is no parameter of a model: remove it from the input")
    body = {"model": model, **filled(given, files)}
    if webhook is not None and _can_be_called(webhook):
        body["callback_url"] = webhook
    return makes, json.dumps(body, allow_nan=False)


def _can_be_called(webhook: str) -> bool:
    parts = urlsplit(webhook)
    host = parts.hostname or ""
    try:
        check_public(host)
    except NotPublic:
        return False
    except ValueError:  # a name
        if host == "localhost" or host.endswith(".localhost"):
            return False
    return parts.scheme == "https" and len(webhook) <= _CALLBACK_LENGTH_MAX
