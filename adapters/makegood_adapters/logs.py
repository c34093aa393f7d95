"""The service's log: text for people or JSON lines, each with its request, and no secret in any of them."""

import logging
import re
import sys
import threading
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

from makegood.errors import code_of
from makegood.subject import SUBJECT
from makegood_adapters.redaction import Redaction

#: Of the request that is being answered; empty outside of one.
REQUEST_ID: ContextVar[str] = ContextVar("makegood_request_id", default="")


class _Redacting(logging.Formatter):
    """Cleans what another formatter has written: message, arguments, extras and traces alike."""

    def __init__(self, inner: logging.Formatter, redaction: Redaction) -> None:
        super().__init__()
        self._inner, self._redaction = inner, redaction

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without secrets."""
        return self._redaction.clean(self._inner.format(record))


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class _Text(logging.Formatter):
    """One line a message: what a client sends can neither begin a line of its own nor move a cursor, also not
    in the text of an error, below whose message every line is set in."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name of the base class
        """Return the line, with the request's id at its end."""
        line = super().formatMessage(record)
        if request := getattr(record, "request_id", ""):
            line += f" ({request})"
        return _visible(line)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name of the base class
        """Return the trace, set in."""
        return "\n".join(f"  {_visible(line)}" for line in super().formatException(ei).split("\n"))


def _visible(line: str) -> str:
    return _CONTROL.sub(lambda sign: sign[0].encode("unicode_escape").decode(), line)


class _Circumstances(logging.Filter):
    """Notes of which request and of which job a line is, and the code of an error of ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        if request := REQUEST_ID.get():
            record.request_id = request
        for name, value in circumstances(record.exc_info[1] if record.exc_info else None).items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


def circumstances(error: BaseException | None = None) -> dict[str, str | int]:
    """Return what the running task works on, and the code of *error*: the same words for logs and alarms."""
    found: dict[str, str | int | None] = {"error_code": code_of(error) if error else None}
    if subject := SUBJECT.get():
        found |= {"job_id": str(subject.job_id), "job_type": subject.type}
        found |= {"attempt": subject.attempt, "account": subject.account}
    return {name: value for name, value in found.items() if value is not None}


def set_up_logs(
    form: str = "auto",
    level: str = "info",
    *,
    secrets: Iterable[str] = (),
    number: int = 0,
    stream: TextIO | None = None,
) -> logging.Handler:
    """Let this process log to *stream*, standard error if left out, and return the handler.

    *form* is "text", "json", or "auto": text on a terminal. *number* tells processes of one service apart.
    Warnings of Python and errors that nobody caught become lines, too: their text may hold secrets.
    """
    stream = stream or sys.stderr
    if form == "auto":
        form = "text" if stream.isatty() else "json"
    handler = logging.StreamHandler(stream)
    handler.addFilter(_Circumstances())
    handler.setFormatter(_Redacting(_formatter(form, number), Redaction(secrets)))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    _log_what_nobody_caught()
    return handler


def _formatter(form: str, number: int) -> logging.Formatter:
    if form == "json":
        return JsonFormatter(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "trace"},
            static_fields={"process": number} if number else {},
            timestamp="time",
            json_ensure_ascii=False,
        )
    mark = f" [{number}]" if number else ""
    return _Text(f"%(asctime)s %(levelname)s{mark} %(name)s: %(message)s")


def _log_what_nobody_caught() -> None:
    log = logging.getLogger("makegood.uncaught")

    def tell(told: "threading.ExceptHookArgs | sys.UnraisableHookArgs") -> None:
        error = told.exc_value or told.exc_type()
        log.critical("nobody caught this error", exc_info=(type(error), error, told.exc_traceback))

    def tell_of_main(kind: type[BaseException], error: BaseException, trace: object) -> None:
        log.critical("nobody caught this error", exc_info=error)

    sys.excepthook = tell_of_main
    threading.excepthook = tell
    sys.unraisablehook = tell
