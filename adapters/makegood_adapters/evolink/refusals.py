"""What Evolink's refusals mean: which prove that no task was made, and who then waits.

The form of an error and the statuses are from docs.evolink.ai (task-management/get-task-detail, quickstart
on rate limits); the codes for money and keys are those that Evolink's own open client (evolink-mcp) tells
apart. Nothing of it was measured with a key.
"""

from dataclasses import dataclass
from typing import Final

from makegood.outcome import Cause, Rejected, Retry, Uncertain
from makegood_adapters.evolink.client import BASE_URL, EvolinkClient
from makegood_adapters.exchange import Reply

#: The account's or the key's money: it comes back when somebody pays or raises the key's limit.
_MONEY: Final = frozenset(
    {"insufficient_quota", "insufficient_user_quota", "quota_not_enough", "account_balance_insufficient"}
    | {"insufficient_token_quota", "key_quota_exhausted"}
    | {"token_daily_quota_exceeded", "key_daily_quota_exhausted"}
)
#: The key is not known, was switched off, or has ended.
_KEY: Final = frozenset({"unauthorized", "key_disabled", "key_expired", "user_disabled"})
#: What the job type asks for, whoever orders it: a model that is not there or that the key may not use.
_MODEL: Final = frozenset({"key_model_not_allowed", "model_not_found", "model_not_exist"})
#: Evolink found nobody to hand the request to, and says so by these codes alone.
_NOT_HANDED_ON: Final = frozenset({"no_available_channel", "channel_selection_failed"})
#: 4xx that are no word about the request: whoever gave up waiting may have passed it on.
_SAYS_NOTHING: Final = frozenset({408, 409, 425})


@dataclass(frozen=True, slots=True)
class Told:
    """An error in Evolink's own form; `code` is in small letters, and empty where there is none."""

    code: str
    message: str


def error_of(reply: Reply) -> Told | None:
    """Return what Evolink says is wrong; None: this is no error of Evolink's.

    The API says `{"error": {"code", "message", "type"}}`, the site for files
    `{"success": false, "code", "msg"}`. A code is a text or a number.
    """
    body = reply.body or {}
    error = body.get("error")
    if isinstance(error, dict):
        code, message = error.get("code"), error.get("message")
    elif body.get("success") is False:
        code, message = body.get("code"), body.get("msg")
    else:
        return None
    told = code if isinstance(code, str | int) and not isinstance(code, bool) else ""
    return Told(str(told).strip().lower(), message if isinstance(message, str) else "")


def refusal_of(reply: Reply, client: EvolinkClient) -> Rejected | Uncertain:
    """Read a reply to a create call that names no task.

    Rejected only where Evolink itself says no in its own form; a page, a server error and whatever is not
    listed may hide a task.
    """
    told, status = error_of(reply), reply.status
    if 300 <= status < 400:
        text = f"a redirect, which is not followed: the address of Evolink should be {BASE_URL}"
        return Rejected(f"http {status}", text, Retry.LATER, cause=Cause.ACCOUNT)
    if told is None and status == 429:  # of what stands before Evolink: it counts calls, and passed none on
        return Rejected("http 429", "too many calls", Retry.LATER, reply.retry_after_seconds, Cause.PACE)
    if told is None:
        return Uncertain(client.clean(reply.problem or f"HTTP {status} without a task"))
    code = client.clean(told.code or f"http {status}")
    text = client.clean(told.message or code)
    if status >= 500 and told.code in _NOT_HANDED_ON:
        return Rejected(code, text, Retry.LATER, reply.retry_after_seconds)
    if not 400 <= status < 500 or status in _SAYS_NOTHING:
        return Uncertain(client.clean(f"HTTP {status}, {code}: {text}"))
    retry, cause = _who_waits(status, told.code)
    return Rejected(code, text, retry, reply.retry_after_seconds, cause)


def _who_waits(status: int, code: str) -> tuple[Retry, Cause]:
    """Return what a 4xx of Evolink's is about; a code says more than its status."""
    if code in _MODEL:
        return Retry.NEVER, Cause.TYPE
    if code in _MONEY or status == 402:
        return Retry.NEVER, Cause.ACCOUNT
    if code in _KEY or status in (401, 403):
        return Retry.LATER, Cause.ACCOUNT
    if status == 429:
        return Retry.LATER, Cause.PACE
    return Retry.NEVER, Cause.TYPE if status == 404 else Cause.REQUEST
