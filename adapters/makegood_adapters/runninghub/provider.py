"""RunningHub as a provider of the engine: replies in, outcomes out."""

import hashlib
import hmac
import json
import logging
import re
from collections.abc import AsyncGenerator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from makegood.errors import ProviderRefused, ProviderUnavailable
from makegood.outcome import (
    JSON,
    Accepted,
    Answer,
    Cancelled,
    CancelReply,
    Capacity,
    Cause,
    Failed,
    Features,
    Hint,
    NotFound,
    Output,
    Rejected,
    Retry,
    Submission,
    Succeeded,
    Uncertain,
    Unfinished,
)
from makegood_adapters.runninghub.client import NoReply, Reply, RunningHubClient
from makegood_adapters.runninghub.codes import (
    Endpoint,
    Interpretation,
    Meaning,
    interpret,
    normalise,
)
from makegood_adapters.runninghub.webhook import parse_hint, task_id_of

_log = logging.getLogger(__name__)

#: HTTP statuses that are decided on the request's head, before anything can create a task. 403 is
#: not among them: a firewall may also block the reply to a request that has been carried out.
_REFUSED_BY_HTTP: Final = frozenset({301, 302, 303, 307, 308, 400, 404, 405, 411, 413, 414, 415})
#: 809 APIKEY_FILE_SIZE_EXCEEDED and 1008 file size.
_TOO_LARGE = frozenset({"809", "1008"})
_REFUSED_FOR_NOW_BY_HTTP: Final = frozenset({401, 429})

#: Texts of failures that another run may survive, as RunningHub's receivers have collected them.
_TRANSIENT_TEXTS: Final = (
    "stale file handle",
    "errno 116",
    "errno 5 input/output error",
    "[errno 5] input/output error",
    "broken pipe",
    "connection reset",
)
#: No task fails with "task not found": such a reply is about a task that RunningHub does not know.
_NOT_FOUND: Final = frozenset({"807", "1004"})
_USAGE_KEYS: Final = ("consumeCoins", "consumeMoney", "thirdPartyConsumeMoney", "taskCostTime")


class RunningHub:
    """One RunningHub account, as `makegood.ports.Provider`.

    A request is `{"app": "<webapp id>", "nodes": [{"node": "1", "field": "image", "value":
    {"file": "image"}}, {"node": "548", "field": "value", "value": "2048"}]}`; `{"file": name}`
    stands for the provider's name of the input file *name*. Numbers are sent as text, which
    RunningHub accepts for every field.
    """

    features = Features(tells_webhook=True)

    def __init__(self, client: RunningHubClient) -> None:
        self._client = client

    def __repr__(self) -> str:
        return f"RunningHub({self._client!r})"

    async def upload(self, name: str, data: bytes) -> str:
        """Upload *data* and return its name at RunningHub, the same for the same bytes.

        Raises ProviderRefused when the file is larger than RunningHub takes, else ProviderUnavailable.
        """
        exchange = await self._client.upload(name, data)
        if isinstance(exchange, Reply) and exchange.body is not None:
            code, message = _code(exchange.body), self._message(exchange.body)
            read = interpret(Endpoint.UPLOAD, code, message)
            inner = _object(exchange.body.get("data"))
            stored = inner.get("fileName") or inner.get("filename")
            if read.meaning is Meaning.SUCCESS and isinstance(stored, str) and stored:
                return stored
            if read.code in _TOO_LARGE:
                raise ProviderRefused("The input file is larger than the provider takes.")
            raise self._unavailable("took no upload", _said(read, message))
        raise self._unavailable("took no upload", exchange.problem)

    async def submit(self, request: JSON, files: Mapping[str, str], webhook: str | None) -> Submission:
        """Make the create call with exactly one HTTP request and say what is known afterwards.

        Rejected only where RunningHub, HTTP or the lack of a connection proves that there is no
        task: every listed code that says so, or a request that never left.
        """
        try:
            app, nodes = _body(request, files)
        except (KeyError, TypeError, ValueError) as error:
            text = f"The request for RunningHub is malformed: {error}"
            return Rejected("request", self._client.clean(text), Retry.NEVER)
        exchange = await self._client.run_ai_app(app, nodes, webhook)
        if isinstance(exchange, Reply):
            return self._submission(exchange)
        if exchange.sent:
            return Uncertain(exchange.problem)
        return Rejected("connection", exchange.problem, Retry.LATER, cause=Cause.PACE)

    async def query(self, task_id: str) -> Answer:
        """Ask v2 for the task. Raises ProviderUnavailable for everything that is no answer."""
        body = self._usable(await self._client.query(task_id))
        wrapped = _object(body.get("data"))
        record = wrapped if "status" not in body and "status" in wrapped else body
        if task_id_of(record.get("taskId")) not in (None, task_id):
            raise self._unavailable("answered about another task", str(record.get("taskId")))
        status = record.get("status")
        match status.strip().upper() if isinstance(status, str) else "":
            case "CREATE" | "QUEUED":
                return Unfinished(running=False)
            case "RUNNING":
                return Unfinished(running=True)
            case "SUCCESS":
                return Succeeded(self._outputs(record.get("results")), self._usage(record))
            case "FAILED":
                return NotFound() if _code(record) in _NOT_FOUND else self._failed(record)
            case "CANCEL" | "CANCELED" | "CANCELLED":
                return Cancelled(ran=_has_run(record))
            case "":
                return self._without_status(record)
            case unknown:
                _log.warning("RunningHub: task %s has the unknown status %r", task_id, unknown)
                raise self._unavailable("named an unknown status", unknown)

    async def cancel(self, task_id: str) -> CancelReply:
        """Ask for the end of the task; it may still succeed. Raises ProviderUnavailable."""
        body = self._usable(await self._client.cancel(task_id))
        message = self._message(body)
        read = interpret(Endpoint.READ, _code(body), message)
        match read.meaning:
            case Meaning.SUCCESS:
                return CancelReply.REQUESTED
            case Meaning.ALREADY_OVER:
                return CancelReply.ALREADY_OVER
            case Meaning.NOT_FOUND:
                return CancelReply.NOT_FOUND
            case _:
                raise self._unavailable("did not cancel", _said(read, message))

    async def capacity(self) -> Capacity:
        """Say nothing of the account."""
        return Capacity()

    async def fetch(self, output: Output, size_max: int) -> AsyncGenerator[bytes, None]:
        """Download one result of at most *size_max* bytes. Raises ProviderUnavailable."""
        yield await self._client.download(output.url, size_max)

    async def confirm_binding(self, task_id: str, token_hash: bytes) -> bool:
        """Tell whether RunningHub has the task with a webhook that ends in the token of this hash.

        *token_hash* is the SHA-256 digest of the last path segment. A task without a webhook (code
        1) or an unknown one is not bound. Raises ProviderUnavailable.
        """
        body = self._usable(await self._client.webhook_detail(task_id))
        message = self._message(body)
        read = interpret(Endpoint.READ, _code(body), message)
        if read.meaning is Meaning.NOT_FOUND or read.code == "1":
            return False
        detail = _object(body.get("data"))
        url = detail.get("webhookUrl")
        if read.meaning is not Meaning.SUCCESS or not isinstance(url, str):
            raise self._unavailable("did not tell the task's webhook", _said(read, message))
        if task_id_of(detail.get("taskId")) not in (None, task_id):
            return False
        token = url.split("#")[0].split("?")[0].rsplit("/", 1)[-1]
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        return hmac.compare_digest(digest, token_hash)

    def parse_webhook(self, headers: Mapping[str, str], raw: bytes) -> Hint:
        """Read which task a webhook is about; ValueError when it is about none."""
        return parse_hint(raw.decode(errors="replace"))

    def _submission(self, reply: Reply) -> Submission:
        body = reply.body
        if body is None:
            return self._by_http_status(reply, reply.problem)
        data, message = _object(body.get("data")), self._message(body)
        read = interpret(Endpoint.SUBMIT, _code(body), message)
        task_id = task_id_of(data.get("taskId")) or task_id_of(body.get("taskId"))
        if task_id is not None:
            # A task that has a name can be asked about, whatever else the reply complains of.
            self._warn_of_complaints(task_id, read, data.get("promptTips", body.get("promptTips")))
            return Accepted(task_id)
        said = _said(read, message)
        if not read.listed:
            return self._by_http_status(reply, said)
        if reply.status >= 500:
            return Uncertain(self._client.clean(f"HTTP {reply.status} with {said}"))
        after = reply.retry_after_seconds or read.after_seconds
        match read.meaning:
            case Meaning.LATER:
                return Rejected(read.code, said, Retry.LATER, after, Cause.ROOM)
            case Meaning.NEVER:
                return Rejected(read.code, said, Retry.NEVER)
            case Meaning.SUCCESS:
                return Uncertain("success without a usable taskId")
            case _:
                return Uncertain(said)

    def _by_http_status(self, reply: Reply, problem: str) -> Submission:
        code = f"http {reply.status}"
        text = self._client.clean(problem)
        if reply.status in _REFUSED_FOR_NOW_BY_HTTP:
            return Rejected(code, text, Retry.LATER, reply.retry_after_seconds, Cause.PACE)
        if reply.status in _REFUSED_BY_HTTP:
            if reply.status < 400:
                text = f"{text}; a redirect: the address of RunningHub must begin with https://"
            return Rejected(code, text, Retry.NEVER)
        return Uncertain(text)

    def _warn_of_complaints(self, task_id: str, read: Interpretation, tips: Any) -> None:
        """Log what a reply with a task id also says; the task may fail, and may cost, because of it.

        `promptTips` is JSON inside a string; its `node_errors` can be filled although a task runs.
        """
        try:
            errors = _object(json.loads(tips)).get("node_errors") if isinstance(tips, str) else None
        except (ValueError, RecursionError):
            errors = None
        if errors:
            text = self._client.clean(json.dumps(errors))
            _log.warning("RunningHub: task %s has node errors: %s", task_id, text)
        if read.listed and read.meaning is not Meaning.SUCCESS:
            _log.warning("RunningHub: task %s came with code %s", task_id, read.code)

    def _usable(self, exchange: Reply | NoReply) -> Mapping[str, Any]:
        """Return the object of a reply with HTTP 200; business errors have that status too."""
        if isinstance(exchange, NoReply) or exchange.body is None:
            raise self._unavailable("gave no usable answer", exchange.problem)
        if exchange.status != 200:
            said = f"HTTP {exchange.status}, {self._message(exchange.body)}"
            raise self._unavailable("gave no usable answer", said)
        return exchange.body

    def _without_status(self, record: Mapping[str, Any]) -> Answer:
        message = self._message(record)
        read = interpret(Endpoint.READ, _code(record), message)
        match read.meaning:
            case Meaning.NOT_FOUND:
                return NotFound()
            case Meaning.FAILED | Meaning.FAILED_TRANSIENTLY:
                return self._failed(record)
            case Meaning.QUEUED | Meaning.RUNNING as state:
                return Unfinished(running=state is Meaning.RUNNING)
            case _:
                raise self._unavailable("gave no usable answer", _said(read, message))

    def _failed(self, record: Mapping[str, Any]) -> Failed:
        details = record.get("failedReason")
        why = _object(details)
        text = str(why.get("exception_message") or (details if isinstance(details, str) else ""))
        message = self._message(record)
        read = interpret(Endpoint.READ, _code(record), message)
        reason = self._client.clean(text.strip() or message or read.name)
        transient = read.meaning is Meaning.FAILED_TRANSIENTLY or _is_transient(why, text)
        return Failed(reason, transient, self._usage(record))

    def _outputs(self, results: Any) -> tuple[Output, ...]:
        """Read the result files; text without a file (`url` null) is not one."""
        outputs = []
        for item in results if isinstance(results, list) else [] if results is None else [None]:
            if not isinstance(item, dict):
                raise self._unavailable("gave no usable answer", "results are malformed")
            url = item.get("url")
            if url is None or url == "":
                continue
            if not isinstance(url, str) or not re.match(r"https?://[!-~]+$", url):
                raise self._unavailable("gave no usable answer", "a result has no address")
            kind = str(item.get("outputType") or "").lower().lstrip(".")
            if not re.fullmatch(r"[a-z0-9]{1,10}", kind):
                suffix = PurePosixPath(urlsplit(url).path).suffix[1:].lower()
                kind = suffix if re.fullmatch(r"[a-z0-9]{1,10}", suffix) else "bin"
            outputs.append(Output(url, kind, self._client.clean(str(item.get("nodeId") or ""))))
        return tuple(outputs)

    def _usage(self, record: Mapping[str, Any]) -> JSON:
        """Return RunningHub's bill as text; amounts come as string, number or null."""
        usage = _object(record.get("usage"))
        return {
            key: self._client.clean(str(usage[key]))
            for key in _USAGE_KEYS
            if isinstance(usage.get(key), str | int | float)
        }

    def _message(self, body: Mapping[str, Any]) -> str:
        for key in ("errorMessage", "msg", "message"):
            text = body.get(key)
            if isinstance(text, str) and text:
                return self._client.clean(text)
        return ""

    def _unavailable(self, what: str, why: str) -> ProviderUnavailable:
        return ProviderUnavailable(self._client.clean(f"RunningHub {what}: {why}"))


def _body(request: JSON, files: Mapping[str, str]) -> tuple[str, list[dict[str, str]]]:
    """Return app id and nodeInfoList. Raises KeyError, TypeError or ValueError."""
    app = request["app"]
    if not isinstance(app, str) or not app:
        raise ValueError("app must be a webapp id as text")
    nodes = []
    for node in request["nodes"]:
        value = node["value"]
        if isinstance(value, Mapping):
            value = files[value["file"]]
        elif isinstance(value, bool):
            value = "true" if value else "false"
        elif not isinstance(value, str | int | float):
            raise ValueError(f"node {node['node']} has a value of type {type(value).__name__}")
        nodes.append(
            {
                "nodeId": str(node["node"]),
                "fieldName": str(node["field"]),
                "fieldValue": str(value),
            }
        )
    return app, nodes


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _code(body: Mapping[str, Any]) -> str:
    """Return v2's `errorCode` if there is one, else `code`; "" if the reply has neither."""
    return normalise(body.get("errorCode")) or normalise(body.get("code"))


def _said(read: Interpretation, message: str) -> str:
    told = f"{read.code} {read.name}" if read.code else read.name
    return told if not message or message == read.name else f"{told}: {message}"


def _is_transient(why: Mapping[str, Any], text: str) -> bool:
    lowered = text.lower()
    if any(known in lowered for known in _TRANSIENT_TEXTS):
        return True
    told = f"{why.get('exception_type')} {lowered}".lower()
    node = f"{why.get('node_name')} {lowered}".lower()
    return "filenotfounderror" in told and "loadimage" in node


def _has_run(record: Mapping[str, Any]) -> bool | None:
    """Tell from the bill whether a cancelled task had begun; a bill of 0 proves nothing."""
    seconds = str(_object(record.get("usage")).get("taskCostTime"))
    try:
        return True if float(seconds) > 0 else None
    except ValueError:
        return None
