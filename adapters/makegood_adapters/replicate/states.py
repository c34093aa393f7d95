"""What Replicate says of a prediction, as answers of the engine's."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from makegood.outcome import JSON, Answer, Cancelled, Failed, Output, Succeeded, Trouble, Unfinished
from makegood_adapters.download import address_of

Clean = Callable[[str], str]

#: Failures after which Replicate itself says that the prediction may be run again: its page of error codes
#: (an unknown error, a start that took too long) and the text of a machine that was taken away.
_PASSING: Final = ("E1000", "E6716", "(code: PA)")
_USAGE_KEYS: Final = ("predict_time", "total_time")
_ADDRESS: Final = re.compile(r"https?://[!-~]+")
_KIND: Final = re.compile(r"[a-z0-9]{1,10}")


class Unreadable(Exception):
    """The prediction has a status or an output that nobody has told us of; this is no answer."""


def answer_of(prediction: Mapping[str, Any], clean: Clean) -> Answer:
    """Read a prediction, as replicate.com/docs/topics/predictions/lifecycle lists its statuses.

    Raises Unreadable. A text of Replicate's goes through *clean* before it is kept.
    """
    match prediction.get("status"):
        case "starting":
            return Unfinished(running=False)
        case "processing":
            return Unfinished(running=True)
        case "succeeded":
            return Succeeded(tuple(_outputs(prediction.get("output"), clean)), _usage(prediction))
        case "failed":
            reason = clean(str(prediction.get("error") or "").strip()) or "The prediction failed."
            passing = any(text in reason for text in _PASSING)
            trouble = Trouble.PASSING if passing else Trouble.REQUEST
            return Failed(reason, trouble, _usage(prediction))
        case "canceled":
            return Cancelled(ran=_began(prediction))
        case "aborted":  # it came to its end before it began
            return Cancelled(ran=False)
        case other:
            raise Unreadable(f"the unknown status {clean(str(other))!r}")


def _began(prediction: Mapping[str, Any]) -> bool | None:
    return prediction["started_at"] is not None if "started_at" in prediction else None


def _usage(prediction: Mapping[str, Any]) -> JSON:
    """Return the seconds that are paid for, as numbers."""
    metrics = prediction.get("metrics")
    told = metrics if isinstance(metrics, dict) else {}
    return {
        key: told[key]
        for key in _USAGE_KEYS
        if isinstance(told.get(key), int | float) and math.isfinite(told[key])
    }


def _outputs(output: Any, clean: Clean, node: str = "") -> Iterator[Output]:
    """Give the results: what a model returns is an address, a text, a list of either, or an object.

    A list without an address is a text that came in pieces. What is neither is a text in JSON. Results
    that Replicate has removed are null.
    """
    if output is None or output in ("", [], {}):
        return
    if isinstance(output, str):
        yield _file(output, node) if _is_address(output) else Output("", "txt", node, _text(output))
    elif isinstance(output, list) and any(_is_address(item) for item in output):
        for item in output:
            yield from _outputs(item, clean, node)
    elif isinstance(output, list) and all(isinstance(item, str) for item in output):
        yield from _outputs("".join(output), clean, node)
    elif isinstance(output, dict) and any(_has_address(value) for value in output.values()):
        for name, value in output.items():
            yield from _outputs(value, clean, clean(name))
    else:
        yield Output("", "json", node, _text(json.dumps(output, ensure_ascii=False)))


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and bool(_ADDRESS.fullmatch(value)) and address_of(value) is not None


def _has_address(value: Any) -> bool:
    return _is_address(value) or (isinstance(value, list) and any(_is_address(item) for item in value))


def _file(url: str, node: str) -> Output:
    suffix = PurePosixPath(urlsplit(url).path).suffix[1:].lower()
    return Output(url, suffix if _KIND.fullmatch(suffix) else "bin", node)


def _text(text: str) -> str:
    """Return a text that a database takes; a file that only came in words is not a result."""
    if text.startswith("data:"):
        raise Unreadable("a file inside the answer")
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
