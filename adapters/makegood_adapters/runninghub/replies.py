"""The parts of RunningHub's replies that all endpoints share: code, message, state, and how to tell them."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from makegood.errors import ProviderUnavailable
from makegood_adapters.exchange import Exchange, Reply
from makegood_adapters.runninghub.codes import WRONG_SITE, Interpretation, normalise

_COUNT_MAX: Final = 1_000_000


def object_of(value: Any) -> Mapping[str, Any]:
    """Return *value* if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def code_of(body: Mapping[str, Any]) -> str:
    """Return v2's `errorCode` if there is one, else `code`; "" if the reply has neither."""
    return normalise(body.get("errorCode")) or normalise(body.get("code"))


def record_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record of a task, which is v2's whole body; also seen inside `data`."""
    wrapped = object_of(body.get("data"))
    return wrapped if "status" not in body and "status" in wrapped else body


def state_of(body: Mapping[str, Any]) -> str:
    """Return the state that a record of a task names, in capitals; "" if it names none."""
    status = record_of(body).get("status")
    return status.strip().upper() if isinstance(status, str) else ""


def whole_number(value: Any) -> int | None:
    """Return a count that may come as number or as text; None for anything else, also for what is no count
    of tasks at any account: a store could not keep it."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        value = int(value)
    counts = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _COUNT_MAX
    return value if counts else None


class Wording:
    """Puts what RunningHub said into words that may be stored and shown; *clean* takes the key out."""

    def __init__(self, clean: Callable[[str], str], base_url: str) -> None:
        self.clean = clean
        self._site = urlsplit(base_url).hostname or base_url

    def message(self, body: Mapping[str, Any]) -> str:
        """Return the text of a reply, "" if it has none."""
        for key in ("errorMessage", "msg", "message"):
            text = body.get(key)
            if isinstance(text, str) and text:
                return self.clean(text)
        return ""

    def refusal(self, read: Interpretation, message: str) -> str:
        """Tell a code with its name and message, and of a refused key what may be wrong with it."""
        told = f"{read.code} {read.name}" if read.code else read.name
        told = told if not message or message == read.name else f"{told}: {message}"
        return f"{told}. {self.of_key}" if read.code in WRONG_SITE else told

    @property
    def of_key(self) -> str:
        """What to do about a key that is refused."""
        return (
            f"{self._site} was asked: keys of runninghub.cn and runninghub.ai are not shared, so that "
            "base_url of the account must name the site that gave out its api_key"
        )

    def unavailable(self, what: str, why: str) -> ProviderUnavailable:
        """Return the error for a question without an answer."""
        return ProviderUnavailable(self.clean(f"RunningHub {what}: {why}"))

    def usable(self, exchange: Exchange) -> Mapping[str, Any]:
        """Return the object of a reply with HTTP 200; business errors have that status too.

        Raises ProviderUnavailable.
        """
        if isinstance(exchange, Reply) and exchange.body is not None and exchange.status == 200:
            return exchange.body
        said = exchange.problem
        if isinstance(exchange, Reply):
            said = said or f"HTTP {exchange.status}, {self.message(exchange.body or {})}"
            said = f"{said}. {self.of_key}" if exchange.status == 401 else said
        raise self.unavailable("gave no usable answer", said)
