"""What Evolink says of a task, as answers of the engine's."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from makegood.outcome import JSON, Answer, Cancelled, Failed, Output, Succeeded, Trouble, Unfinished
from makegood_adapters.download import address_of

Clean = Callable[[str], str]

#: Failures of which Evolink's page of error codes says to try the same again later. A failed task is not
#: charged (release notes of evolink-cli 0.10.1), so that another run costs its price once.
_PASSING: Final = frozenset(
    {"service_error", "generation_timeout", "resource_exhausted", "quota_exceeded", "service_unavailable"}
)
_CANCELLED: Final = "request_cancelled"
_KIND: Final = re.compile(r"[a-z0-9]{1,10}")
#: What a result is promised to be whose address does not tell, by the kind of task; its own bytes decide.
_KINDS: Final = {"image": "png", "video": "mp4", "audio": "mp3"}
#: Where an entry of `result_data` has an address. It stands in Evolink's own clients only, not in the docs.
_DATA: Final = ("video_url", "image_url", "audio_url")


class Unreadable(Exception):
    """The task has a status or results that nobody has told us of; this is no answer."""


def answer_of(task: Mapping[str, Any], clean: Clean) -> Answer:
    """Read a task, as docs.evolink.ai, task-management/get-task-detail and error-codes, describe it.

    The statuses there are four; `cancelled` is one that callbacks are sent for. Raises Unreadable. A text
    of Evolink's goes through *clean* before it is kept.
    """
    match task.get("status"):
        case "pending":
            return Unfinished(running=False)
        case "processing":
            return Unfinished(running=True)
        case "completed":
            return Succeeded(tuple(_outputs(task)), _usage(task))
        case "failed":
            return _failure(task, clean)
        case "cancelled":
            return Cancelled()
        case other:
            raise Unreadable(f"the unknown status {clean(str(other))!r}")


def _failure(task: Mapping[str, Any], clean: Clean) -> Answer:
    told = task.get("error")
    error = told if isinstance(told, dict) else {}
    code = clean(str(error.get("code") or "").strip())
    if code == _CANCELLED:
        return Cancelled()
    message = clean(str(error.get("message") or "").strip())
    reason = ": ".join(part for part in (code, message) if part) or "The task failed."
    trouble = Trouble.PASSING if code in _PASSING else Trouble.REQUEST
    return Failed(clean(reason), trouble, _usage(task))


def _usage(task: Mapping[str, Any]) -> JSON:
    """Return the credits that were set aside and used, and dollars where they are told, as numbers."""
    told = task.get("usage")
    usage = told if isinstance(told, dict) else {}
    cost = usage.get("cost")
    found = {
        "credits_reserved": usage.get("credits_reserved"),
        "credits_used": usage.get("credits_used"),
        **({"credits": cost.get("credits"), "usd": cost.get("usd")} if isinstance(cost, dict) else {}),
    }
    return {key: value for key, value in found.items() if _is_number(value)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _outputs(task: Mapping[str, Any]) -> Iterator[Output]:
    """Give the results in their order, each once."""
    found = list(_addresses(task.get("results"))) or list(_addresses(_data(task.get("result_data"))))
    for url in dict.fromkeys(found):
        suffix = PurePosixPath(urlsplit(url).path).suffix[1:].lower()
        kind = _KINDS.get(str(task.get("type")), "bin")
        yield Output(url, suffix if _KIND.fullmatch(suffix) else kind)


def _addresses(results: Any) -> Iterator[str]:
    if results is None:
        return
    if not isinstance(results, list):
        raise Unreadable("results that are no list")
    for value in results:
        address = address_of(value)
        if address is None:
            raise Unreadable("a result that is no address")
        yield address


def _data(data: Any) -> Any:
    """Return the addresses among what *data* tells of each result."""
    if not isinstance(data, list):
        return data
    items = [item for item in data if isinstance(item, dict)]
    return [item[key] for item in items for key in _DATA if item.get(key)]
