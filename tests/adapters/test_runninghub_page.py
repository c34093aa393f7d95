"""The page on RunningHub says what the adapter does, row by row."""

import re
from pathlib import Path

import pytest

from makegood.outcome import Cause, Rejected, Retry, Uncertain
from makegood_adapters.config import AccountConfig
from makegood_adapters.exchange import Exchange, NoReply, Reply
from makegood_adapters.runninghub.codes import CODES, Endpoint, Meaning, interpret
from makegood_adapters.runninghub.provider import UPLOAD_BYTES_MAX
from makegood_adapters.runninghub.reading import _MEMORY_TEXTS, _PASSING_TEXTS
from makegood_adapters.runninghub.replies import Wording
from makegood_adapters.runninghub.request import _OPTIONS, read_request
from makegood_adapters.runninghub.submission import judge

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "runninghub.md").read_text("utf-8")

REFUSED = {
    "waits, account full": (Meaning.LATER, Cause.ROOM),
    "waits, account rests": (Meaning.LATER, Cause.PACE),
    "waits, key doubted": (Meaning.LATER, Cause.ACCOUNT),
    "waits alone": (Meaning.LATER, Cause.REQUEST),
    "elsewhere or fails": (Meaning.NEVER, Cause.ACCOUNT),
    "fails": (Meaning.NEVER, Cause.REQUEST),
    "fails, type doubted": (Meaning.NEVER, Cause.TYPE),
}
SUBMITTED = {"accepted": Meaning.SUCCESS, "uncertain": Meaning.UNCERTAIN}
READ = {
    "answered": Meaning.SUCCESS,
    "still queued": Meaning.QUEUED,
    "still running": Meaning.RUNNING,
    "task failed": Meaning.FAILED,
    "task failed, may run again": Meaning.FAILED_TRANSIENTLY,
    "not found": Meaning.NOT_FOUND,
    "already over": Meaning.ALREADY_OVER,
    "no answer": Meaning.UNAVAILABLE,
}
UPLOADED = {"uploaded": Meaning.SUCCESS, "file refused": Meaning.NEVER, "no upload": Meaning.LATER}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table of a section, without its head."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1:]]


TABLE = {row[0]: row[1:] for row in rows("Every code")}


def test_every_code_has_one_row() -> None:
    assert list(TABLE) == sorted(CODES, key=int)
    assert len(rows("Every code")) == len(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_row_says_what_the_code_does(code: str) -> None:
    name, submit, read, upload = TABLE[code]
    assert name == CODES[code].name
    told = interpret(Endpoint.SUBMIT, code)
    pause = re.fullmatch(r"(.*), (\d+) s", submit)
    assert told.after_seconds == (float(pause[2]) if pause else None)
    word = pause[1] if pause else submit
    if word in REFUSED:
        assert (told.meaning, told.cause) == REFUSED[word]
    else:
        assert told.meaning is SUBMITTED[word]
    told = interpret(Endpoint.READ, code)
    word = read.removesuffix(", asked again")
    assert told.meaning is READ[word]
    assert (read != word) == (told.passing and told.meaning is Meaning.UNAVAILABLE)
    told = interpret(Endpoint.UPLOAD, code)
    word = upload.removesuffix(", sent again")
    assert told.meaning is UPLOADED[word]
    assert (upload != word) == (told.passing and told.meaning is Meaning.LATER)


def test_every_word_of_the_tables_is_explained() -> None:
    explained = [row[0] for row in rows("What becomes of the job")]
    assert sorted(explained) == sorted({*REFUSED, *SUBMITTED, *READ, *UPLOADED})


FAULTS: list[tuple[str, Exchange]] = [
    ("no connection", NoReply("refused", sent=False)),
    ("no reply in time, or a reply that breaks off", NoReply("no answer", sent=True)),
    ("HTTP 200 with a page, nothing, half of something or no JSON", Reply(200, None, "a page")),
    ("success without an id of a task", Reply(200, {"code": 0, "data": {}})),
    *(
        (row[0], Reply(int(status), None, "a page"))
        for row in rows("Every other fault")
        for status in re.findall(r"\b\d{3}\b", row[0])
    ),
]


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_a_row_says_what_a_fault_does_to_a_create_call(number: int) -> None:
    fault, exchange = FAULTS[number]
    [said] = [row[1] for row in rows("Every other fault") if row[0] == fault]
    outcome = judge(exchange, Wording(str, "https://www.runninghub.cn"))
    if said == "uncertain":
        assert isinstance(outcome, Uncertain)
    else:
        meaning, cause = REFUSED[said]
        assert isinstance(outcome, Rejected)
        assert (outcome.retry, outcome.cause) == (Retry(meaning.value), cause)


def test_every_option_is_listed() -> None:
    keys = " ".join(row[0] for row in rows("The request of a job"))
    assert set(re.findall(r"`(\w+)`", keys)) == {"app", "workflow", "nodes", *_OPTIONS}
    with pytest.raises(ValueError, match="names no app or workflow"):
        read_request({}, {}, None, "v1")
    listed = {row[0].strip("`"): row[1] for row in rows("Accounts")}
    for key in ("api", "upload_api", "auth_mode", "base_url", "calls_per_second"):
        default = AccountConfig.model_fields[key].default
        assert default is None or f"`{default}` (default)" in listed[key]


def test_texts_and_sizes_are_those_of_the_adapter() -> None:
    told = " ".join(PAGE.split())
    assert f"{UPLOAD_BYTES_MAX:,} bytes" in told
    for text in (*_PASSING_TEXTS, *_MEMORY_TEXTS):
        assert f"`{text.replace('[', '').replace(']', '')}`" in told.replace("CUDA", "cuda")
