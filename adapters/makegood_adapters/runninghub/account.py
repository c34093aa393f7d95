"""What RunningHub says of an account: balance, kind of key, limit and load."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from makegood.outcome import Capacity
from makegood_adapters.runninghub.codes import Endpoint, Meaning, interpret
from makegood_adapters.runninghub.replies import Wording, code_of, object_of, whole_number


@dataclass(frozen=True, slots=True)
class Balance:
    """The reply of accountStatus; amounts are RunningHub's own texts, None where it says none."""

    kind: str | None
    coins: str | None
    money: str | None
    currency: str | None
    in_use: int | None


def read_balance(body: Mapping[str, Any], wording: Wording) -> Balance:
    """Read accountStatus. Raises ProviderUnavailable."""
    data = _data(body, wording)
    return Balance(
        kind=_text(data.get("apiType")),
        coins=_text(data.get("remainCoins")),
        money=_text(data.get("remainMoney")),
        currency=_text(data.get("currency")),
        in_use=whole_number(data.get("currentTaskCounts")),
    )


def read_queue(body: Mapping[str, Any], wording: Wording) -> Capacity:
    """Read queue/status, whose data some say come without an envelope. Raises ProviderUnavailable."""
    data = body if "concurrentLimit" in body else _data(body, wording)
    in_use = whole_number(data.get("totalCurrentTasks"))
    if in_use is None:
        parts = [whole_number(data.get(key)) for key in ("runningCount", "queuedCount")]
        in_use = None if None in parts else sum(part or 0 for part in parts)
    return Capacity(whole_number(data.get("concurrentLimit")) or None, in_use)


def _data(body: Mapping[str, Any], wording: Wording) -> Mapping[str, Any]:
    message = wording.message(body)
    read = interpret(Endpoint.READ, code_of(body), message)
    data = object_of(body.get("data"))
    if read.meaning is not Meaning.SUCCESS or not data:
        raise wording.unavailable("said nothing of the account", wording.refusal(read, message))
    return data


def _text(value: Any) -> str | None:
    return str(value)[:40] if isinstance(value, str | int | float) and not isinstance(value, bool) else None
