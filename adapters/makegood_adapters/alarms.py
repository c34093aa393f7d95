"""Make events of Sentry's out of our errors: grouped by cause, with the job they are of, without secrets."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from makegood_adapters.logs import circumstances
from makegood_adapters.redaction import Redaction

#: What is searched for in Sentry; the others are told beside.
_TAGS = ("error_code", "job_type", "account")
#: What Postgres tells of its errors besides: rows as they are, with their owners and inputs.
_ROWS = re.compile(r"\nDETAIL:.*", re.DOTALL)


def before_send(secrets: Iterable[str] = ()) -> Callable[[Any, Any], Any]:
    """Return what `sentry_sdk.init(before_send=...)` takes.

    An event is told the job, its type, attempt and account, and the code of an error of ours. *secrets*,
    what looks like one, and rows that the database shows with an error are taken out of all its texts;
    variables of frames are left out, for they hold keys and tokens.
    """
    clean = Redaction(secrets).clean

    def prepare(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
        error = (hint.get("exc_info") or (None, None))[1]
        found = circumstances(error)
        tags = dict(event.get("tags") or {})
        tags.update({name: str(found[name]) for name in _TAGS if name in found})
        told = {**event, "tags": tags, "extra": {**(event.get("extra") or {}), **found}}
        cleaned: dict[str, Any] = _cleaned(told, clean)
        return cleaned

    return prepare


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    match value:
        case str():
            return clean(_ROWS.sub("", value))
        case dict():
            return {key: _cleaned(inner, clean) for key, inner in value.items() if key != "vars"}
        case list() | tuple():
            return [_cleaned(inner, clean) for inner in value]
        case _:
            return value
