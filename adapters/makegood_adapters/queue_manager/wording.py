"""What a page reads about the end of a job: a sentence by category, of credits what the ledger shows."""

import re
from collections.abc import Mapping
from typing import Any

from makegood.engine import TOO_FEW
from makegood.job import Job, JobMoney

#: The categories that the existing pages know.
SENTENCES = {
    "server_busy": "The service is too busy for this tool at the moment. Please try again in a few minutes.",
    "content_safety": "The provider's filter refused the content. Please change the picture or the text.",
    "infra_transient": "A machine of the provider failed. Please try again.",
    "timeout": "The job took too long and was ended.",
    "upload": "A file could not be brought to the provider. Please upload it again.",
    "format": "A file or a value is of a kind that the tool does not take.",
    "quota": "There were too few credits for this job.",
    "auth": "The tool is not available at the moment.",
    "unknown": "The job failed.",
}
#: Categories of the engine that say it all; of the others the reason is looked at.
_KNOWN = {TOO_FEW: "quota", "timeout": "timeout", "input": "upload", "closed": "server_busy"}
#: Whoever failed a job with one of these said why in words that are made for people.
_OWN_WORDS = frozenset({"refused", "administrator", "external"})
_BY_REASON: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("content_safety", re.compile(r"safety|nsfw|sensitive|prohibited|content audit|moderation|policy", re.I)),
    ("timeout", re.compile(r"time[d ]?-?out", re.I)),
    ("infra_transient", re.compile(r"stale file|errno (5|116)\b|connection (reset|aborted)", re.I)),
    ("infra_transient", re.compile(r"broken pipe|out of memory|\b50\d\b", re.I)),
    ("server_busy", re.compile(r"queue|capacity|busy|concurren|rate limit|no machine", re.I)),
    ("auth", re.compile(r"api.?key|unauthori[sz]ed|forbidden|\b80[123]\b|node info", re.I)),
    ("format", re.compile(r"format|decode|unsupported|invalid (image|video|parameter|value)", re.I)),
)


def category(error: Mapping[str, Any]) -> str:
    """Return under which of the pages' categories a failure falls."""
    kind, reason = error.get("category"), error.get("message")
    if isinstance(kind, str) and kind in _KNOWN:
        return _KNOWN[kind]
    text = reason if isinstance(reason, str) else ""
    return next((name for name, pattern in _BY_REASON if pattern.search(text)), "unknown")


def reason(job: Job) -> str | None:
    """Return why a job failed in a sentence for the page, without a word about credits; None if it did not.

    What a page wrote about its own job is kept, not shown as our word: anybody may send such a text, and the
    existing pages promise refunds in it. What the provider said names its machines and is not shown either.
    """
    error: object = job.error
    if not isinstance(error, Mapping):
        return None
    if error.get("category") == "client_report":
        return "The page reported that the job failed before it was submitted."
    message = error.get("message")
    if error.get("category") in _OWN_WORDS and isinstance(message, str):
        return message
    return SENTENCES[category(error)]


def of_credits(money: JobMoney) -> str:
    """Return what the ledger shows of a job that is over, in a sentence."""
    if money.released and money.captured:
        return f"{money.released} credits were given back, {money.captured} were taken."
    if money.released:
        return f"{money.released} credits were given back."
    if money.captured:
        return f"{money.captured} credits were taken."
    return "No credits were taken."


def told(job: Job, money: JobMoney) -> str | None:
    """Return what the page shows of a job that failed, None of one that did not."""
    why = reason(job)
    if why is None or job.finished_at is None:
        return why
    return f"{why} {of_credits(money)}"
