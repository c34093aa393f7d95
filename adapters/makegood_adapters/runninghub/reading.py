"""What RunningHub says of a task, in any of its three spellings, as an answer of the provider."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from makegood.outcome import (
    JSON,
    Answer,
    Cancelled,
    Failed,
    NotFound,
    Output,
    Succeeded,
    Trouble,
    Unfinished,
)
from makegood_adapters.download import address_of
from makegood_adapters.runninghub.codes import Endpoint, Meaning, interpret
from makegood_adapters.runninghub.replies import Wording, code_of, object_of, record_of, state_of
from makegood_adapters.runninghub.webhook import task_id_of

_log = logging.getLogger(__name__)

#: Texts of failures that another run may survive, as RunningHub's receivers have collected them.
_PASSING_TEXTS: Final = (
    "stale file handle",
    "errno 116",
    "errno 5 input/output error",
    "[errno 5] input/output error",
    "broken pipe",
    "connection reset",
)
#: Texts of a machine that had too little memory, PyTorch's and ComfyUI's; `instance_type = "plus"` has twice
#: as much.
_MEMORY_TEXTS: Final = ("cuda out of memory", "allocation on device")
#: No task fails with "task not found": such a reply is about a task that RunningHub does not know.
_NOT_FOUND: Final = frozenset({"807", "1004"})
_CANCELLED: Final = frozenset({"CANCEL", "CANCELED", "CANCELLED"})
_USAGE_KEYS: Final = ("consumeCoins", "consumeMoney", "thirdPartyConsumeMoney", "taskCostTime")
_NO_REASON: Final = "RunningHub gave no reason."


class Reading:
    """Reads replies of v2 query, v1 outputs and v1 status; *storable* makes a text fit for the store."""

    def __init__(self, wording: Wording, storable: Callable[[str], str]) -> None:
        self._wording, self._storable = wording, storable

    def of_query(self, task_id: str, body: Mapping[str, Any]) -> Answer:
        """Read a reply of v2 query. Raises ProviderUnavailable for everything that is no answer."""
        record = record_of(body)
        if task_id_of(record.get("taskId")) not in (None, task_id):
            raise self._wording.unavailable("answered about another task", str(record.get("taskId")))
        match state_of(body):
            case "CREATE" | "QUEUED":
                return Unfinished(running=False)
            case "RUNNING":
                return Unfinished(running=True)
            case "SUCCESS":
                return Succeeded(self._outputs(record.get("results")), self._usage(record.get("usage")))
            case "FAILED":
                return NotFound() if code_of(record) in _NOT_FOUND else self._failed(record, record)
            case word if word in _CANCELLED:
                return Cancelled(ran=_has_run(record))
            case "":
                return self._without_state(record)
            case unknown:
                _log.warning("RunningHub: task %s has the unknown status %r", task_id, unknown)
                raise self._wording.unavailable("named an unknown status", unknown)

    def of_outputs(self, body: Mapping[str, Any]) -> Answer | None:
        """Read a reply of v1 outputs; None: the task is over, failed or cancelled, and only v1 status can
        tell which. Raises ProviderUnavailable for everything that is no answer."""
        data = body.get("data")
        read = interpret(Endpoint.READ, code_of(body), self._wording.message(body))
        if read.meaning is not Meaning.SUCCESS:
            why = object_of(data).get("failedReason")
            return None if read.code == "805" and not why else self._without_state(body, object_of(data))
        if data is None:  # how the early variant says "running"
            return Unfinished(running=True)
        if not isinstance(data, list):
            raise self._wording.unavailable("gave no usable answer", "outputs are malformed")
        items = [item for item in data if isinstance(item, dict)]
        return Succeeded(self._outputs(data), self._usage(items[0]) if items else {})

    def of_status(self, body: Mapping[str, Any]) -> Answer:
        """Read a reply of v1 status about a task that outputs call failed or cancelled.

        Without an answer it counts as failed: over it is, and a failure is what costs its owner nothing.
        """
        data = body.get("data")
        word = data if isinstance(data, str) else object_of(data).get("taskStatus")
        if isinstance(word, str) and word.strip().upper() in _CANCELLED:
            return Cancelled(ran=None)
        return Failed(_NO_REASON)

    def _without_state(self, record: Mapping[str, Any], reasons: Mapping[str, Any] | None = None) -> Answer:
        message = self._wording.message(record)
        read = interpret(Endpoint.READ, code_of(record), message)
        match read.meaning:
            case Meaning.NOT_FOUND:
                return NotFound()
            case Meaning.FAILED | Meaning.FAILED_TRANSIENTLY:
                return self._failed(record, record if reasons is None else reasons)
            case Meaning.QUEUED | Meaning.RUNNING as state:
                return Unfinished(running=state is Meaning.RUNNING)
            case _:
                raise self._wording.unavailable("gave no usable answer", self._wording.refusal(read, message))

    def _failed(self, record: Mapping[str, Any], reasons: Mapping[str, Any]) -> Failed:
        details = reasons.get("failedReason")
        why = object_of(details)
        text = str(why.get("exception_message") or (details if isinstance(details, str) else ""))
        message = self._wording.message(record)
        read = interpret(Endpoint.READ, code_of(record), message)
        reason = self._wording.clean(text.strip() or message or read.name)
        trouble = _trouble(why, text)
        if trouble is Trouble.REQUEST and read.meaning is Meaning.FAILED_TRANSIENTLY:
            trouble = Trouble.PASSING
        return Failed(reason, trouble, self._usage(record.get("usage")))

    def _outputs(self, results: Any) -> tuple[Output, ...]:
        """Read the results: files by their address, and texts that come with the answer itself."""
        if results is not None and not isinstance(results, Sequence):
            raise self._wording.unavailable("gave no usable answer", "results are malformed")
        return tuple(found for item in results or () if (found := self._output(item)) is not None)

    def _output(self, item: Any) -> Output | None:
        """Return one result; None for one that has neither a file nor a text."""
        if not isinstance(item, dict):
            raise self._wording.unavailable("gave no usable answer", "results are malformed")
        told = item.get("url") or item.get("fileUrl")
        node = self._wording.clean(str(item.get("nodeId") or ""))
        if not told:
            text = item.get("text")
            return Output("", "txt", node, self._storable(text)) if isinstance(text, str) and text else None
        if (url := address_of(told)) is None:
            raise self._wording.unavailable("gave no usable answer", "a result has no address")
        kind = str(item.get("outputType") or item.get("fileType") or "").lower().lstrip(".")
        if not re.fullmatch(r"[a-z0-9]{1,10}", kind):
            suffix = PurePosixPath(urlsplit(url).path).suffix[1:].lower()
            kind = suffix if re.fullmatch(r"[a-z0-9]{1,10}", suffix) else "bin"
        return Output(url, kind, node)

    def _usage(self, bill: Any) -> JSON:
        """Return RunningHub's bill as text; amounts come as string, number or null."""
        amounts = {key: object_of(bill).get(key) for key in _USAGE_KEYS}
        return {
            key: self._wording.clean(str(amount))
            for key, amount in amounts.items()
            if isinstance(amount, str | int | float)
        }


def lost_an_input(answer: Answer) -> bool:
    """Whether a task failed for want of an input file, which RunningHub may have cleared away."""
    if not isinstance(answer, Failed) or answer.trouble is not Trouble.PASSING:
        return False
    return "no such file" in answer.reason.lower()


def _trouble(why: Mapping[str, Any], text: str) -> Trouble:
    lowered, kind = text.lower(), str(why.get("exception_type")).lower()
    if "outofmemory" in kind or any(known in lowered for known in _MEMORY_TEXTS):
        return Trouble.MEMORY
    if any(known in lowered for known in _PASSING_TEXTS):
        return Trouble.PASSING
    told = f"{kind} {lowered}"
    node = f"{why.get('node_name')} {lowered}".lower()
    lost = "filenotfounderror" in told and "loadimage" in node
    return Trouble.PASSING if lost else Trouble.REQUEST


def _has_run(record: Mapping[str, Any]) -> bool | None:
    """Tell from the bill whether a cancelled task had begun; a bill of 0 proves nothing."""
    seconds = str(object_of(record.get("usage")).get("taskCostTime"))
    try:
        return True if float(seconds) > 0 else None
    except ValueError:
        return None
