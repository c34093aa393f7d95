"""Lines of the service's log: one each, with their request, and without a secret in any form."""

import base64
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from yarl import URL

from makegood_adapters.logs import REQUEST_ID, set_up_logs
from makegood_adapters.redaction import Redaction

SECRET = 'open+"sesame"/é%'
log = logging.getLogger("makegood.test")


@pytest.fixture
def written() -> Iterator[Callable[..., io.StringIO]]:
    root, hooks = logging.getLogger(), (sys.excepthook, sys.unraisablehook, threading.excepthook)
    before, level = root.handlers[:], root.level

    def start(form: str, **given: object) -> io.StringIO:
        stream = io.StringIO()
        set_up_logs(form, "debug", secrets=[SECRET, "tiny"], stream=stream, **given)  # type: ignore[arg-type]  # as a test says
        return stream

    yield start
    logging.captureWarnings(False)
    root.handlers[:] = before
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    root.setLevel(level)


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"a {SECRET!r} b",
        json.dumps({"key": SECRET}),
        quote(SECRET, safe=""),
        quote(SECRET),
        quote(SECRET, safe="").lower(),
        quote(SECRET, safe="+/"),
        str(URL("https://host/").with_query({"q": SECRET})),
        str(URL("https://host/").with_path(f"/{SECRET}/x")),
        *(base64.b64encode(f"{before}{SECRET}{after}".encode()).decode() for before in ("", "u", "us", "use")
          for after in ("", "x", "xy")),
        base64.urlsafe_b64encode(f"user:{SECRET}".encode()).decode(),
        SECRET.encode().hex(),
    ],
)  # fmt: skip
def test_a_known_secret_is_found_in_every_form(text: str) -> None:
    clean = Redaction([SECRET]).clean(f"before {text} after")
    assert "[redacted]" in clean
    assert clean.startswith("before ")
    assert clean.endswith(" after")
    left = clean.removeprefix("before ").removesuffix(" after").replace("[redacted]", "")
    assert len(left) < len(text) - 8
    assert "sesame" not in clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer [redacted]"),
        ("key mgk_ab12_cdEF-9 is old", "key mgk_[redacted] is old"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_[redacted]"),
        ("POST /hooks/abcdefghijklmnopqrstuv-_12 404", "POST /hooks/[redacted] 404"),
        ("at https://h/x?apiKey=abc&size=3", "at https://h/x?apiKey=[redacted]&size=3"),
        ("https://s3/x?X-Amz-Signature=abc", "https://s3/x?X-Amz-Signature=[redacted]"),
        ("postgresql://ada:pa55@db:5432/x", "postgresql://ada:[redacted]@db:5432/x"),
        ('body {"apiKey": "abc", "n": 1}', 'body {"apiKey": "[redacted]", "n": 1}'),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln", "[redacted]"),
        ("/hooks/{token} bearer of news, key=3 of postgresql://host/db", None),
        ("It is written postgresql://user:password@host:port/database.", None),
    ],
)
def test_what_looks_like_a_secret_is_taken_out_and_nothing_else(text: str, clean: str | None) -> None:
    assert Redaction([]).clean(text) == (clean or text)


def test_a_secret_with_a_space_is_found_in_a_form() -> None:
    assert Redaction(["open sesame now"]).clean("?a=open+sesame+now&b=open%20sesame%20now") == (
        "?a=[redacted]&b=[redacted]"
    )


def test_the_text_of_an_error_begins_no_line_and_moves_no_cursor(
    written: Callable[..., io.StringIO],
) -> None:
    stream = written("text")
    try:
        raise ValueError("no\n2026-01-01 00:00:00,000 INFO makegood: ada is paid\r\x1b[2J\u2028more")
    except ValueError:
        log.exception("it failed")
    first, *trace = stream.getvalue().splitlines()
    assert first.endswith("it failed")
    assert all(line.startswith("  ") for line in trace)
    assert trace[-1] == "  2026-01-01 00:00:00,000 INFO makegood: ada is paid\\r\\x1b[2J\\u2028more"


def test_a_short_secret_is_a_word_of_its_own() -> None:
    assert Redaction(["pass"]).clean("pass, passport") == "[redacted], passport"


def test_a_line_of_json_has_its_request_and_its_trace(written: Callable[..., io.StringIO]) -> None:
    stream = written("json", number=3)
    REQUEST_ID.set("r-1")
    try:
        raise ValueError(f"the site said {SECRET}")
    except ValueError:
        log.exception("no %s", {"key": SECRET}, extra={"place": SECRET, "count": 2})
    REQUEST_ID.set("")
    log.warning('later "%s" of "%s"', "http://h/?key=a", "ws://x:y")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["level"], first["logger"], first["request_id"]) == ("ERROR", "makegood.test", "r-1")
    assert (first["process"], first["count"], first["place"]) == (3, 2, "[redacted]")
    assert first["message"] == "no {'key': '[redacted]'}"
    assert "ValueError: the site said [redacted]" in first["trace"]
    assert "request_id" not in second
    assert second["message"] == 'later "http://h/?key=[redacted]" of "ws://x:y"'
    assert second["time"].endswith("+00:00")


def test_a_client_cannot_forge_a_line_or_move_the_cursor(written: Callable[..., io.StringIO]) -> None:
    stream = written("text")
    log.warning("from %s", "x\n2026-01-01 ERROR forged\x1b[2J\u2028")
    [line] = stream.getvalue().splitlines()
    assert line.endswith(r"from x\n2026-01-01 ERROR forged\x1b[2J\u2028")


def test_warnings_and_uncaught_errors_become_lines(written: Callable[..., io.StringIO]) -> None:
    stream = written("text")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"old {SECRET}", stacklevel=1)
    error = ValueError(SECRET)
    sys.excepthook(ValueError, error, None)
    told = stream.getvalue()
    assert "old [redacted]" in told
    assert "CRITICAL makegood.uncaught: nobody caught this error" in told
    assert "ValueError: [redacted]" in told
    assert SECRET not in told
