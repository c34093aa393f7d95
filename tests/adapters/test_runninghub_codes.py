"""Each row of RunningHub's error table, on each kind of endpoint, against a second transcription."""

import re
from dataclasses import dataclass

import pytest

from makegood.outcome import Cause
from makegood_adapters.runninghub.codes import CODES, Endpoint, Meaning, interpret, normalise
from makegood_adapters.runninghub.webhook import parse_hint, task_id_of

#: What the documentation says: code, what a submission concludes, whom a refusal concerns, what a question
#: learns (an exclamation mark: worth repeating at once), what becomes of an upload.
TABLE = """
0     success        -        success             success
1     uncertain      -        unavailable         later
-1    later          account  unavailable!        later
401   later          account  unavailable!        later
301   never          request  unavailable         never
380   never          type     unavailable         later
412   never          request  unavailable         later
415   later          room     unavailable         later
416   never          account  unavailable         later
421   later          room     unavailable         later
423   never          request  not found           later
433   never          request  unavailable         later
435   never          request  unavailable         later
436   never          account  unavailable         later
500   uncertain      -        unavailable!        later
605   never          account  unavailable         later
801   never          account  unavailable         later
802   never          account  unavailable         later
803   never          type     unavailable         later
804   uncertain      -        running             later
805   uncertain      -        failed              later
806   never          account  unavailable         later
807   uncertain      -        not found           later
808   later          request  unavailable!        later
809   never          request  unavailable         never
810   never          type     unavailable         later
811   later          account  unavailable!        later
812   never          account  unavailable         later
813   uncertain      -        queued              later
814   later          room     unavailable         later
817   uncertain      -        already over        later
901   never          type     unavailable         later
1000  uncertain      -        unavailable!        later
1001  never          request  unavailable         later
1002  never          account  unavailable         later
1003  later          pace     unavailable!        later
1004  uncertain      -        not found           later
1005  uncertain      -        unavailable!        later
1006  uncertain      -        failed transiently  later
1007  never          request  not found           never
1008  never          request  unavailable         never
1009  never          request  unavailable         later
1010  uncertain      -        unavailable!        later
1011  later          pace     unavailable!        later
1012  uncertain      -        unavailable!        later
1013  later          request  unavailable!        later
1014  never          account  unavailable         later
1015  uncertain      -        failed transiently  later
1101  never          type     unavailable         later
1501  never          request  unavailable         never
1504  uncertain      -        failed transiently  later
1505  never          request  unavailable         never
1520  later          room     unavailable         later
1601  never          account  unavailable         later
"""


@dataclass(frozen=True)
class Row:
    code: str
    submit: Meaning
    cause: Cause | None
    read: Meaning
    passing: bool
    upload: Meaning


def _row(line: str) -> Row:
    code, submit, cause, read, upload = re.split(r" {2,}", line)
    about = None if cause == "-" else Cause(cause)
    return Row(
        code, Meaning(submit), about, Meaning(read.removesuffix("!")), read.endswith("!"), Meaning(upload)
    )


ROWS = {row.code: row for row in map(_row, TABLE.strip().splitlines())}


def test_the_two_transcriptions_list_the_same_codes() -> None:
    assert sorted(ROWS) == sorted(CODES)


@pytest.mark.parametrize("code", ROWS)
@pytest.mark.parametrize("as_number", [True, False])
def test_each_code_on_a_submission(code: str, as_number: bool) -> None:
    read = interpret(Endpoint.SUBMIT, int(code) if as_number else code)
    assert (read.code, read.meaning, read.listed) == (code, ROWS[code].submit, True)
    if ROWS[code].cause:
        assert read.cause is ROWS[code].cause


@pytest.mark.parametrize("code", ROWS)
def test_each_code_on_a_question(code: str) -> None:
    read = interpret(Endpoint.READ, code)
    assert (read.meaning, read.meaning is Meaning.UNAVAILABLE and read.passing) == (
        ROWS[code].read,
        ROWS[code].passing,
    )


@pytest.mark.parametrize("code", ROWS)
def test_each_code_on_an_upload(code: str) -> None:
    assert interpret(Endpoint.UPLOAD, code).meaning is ROWS[code].upload


@pytest.mark.parametrize(
    ("code", "expected"), [(200, Meaning.SUCCESS), (None, Meaning.LATER), (31337, Meaning.LATER)]
)
def test_an_upload_may_be_repeated_unless_the_file_is_refused(code: int | None, expected: Meaning) -> None:
    assert interpret(Endpoint.UPLOAD, code).meaning is expected


@pytest.mark.parametrize("code", [None, "", True, False, 0.0, [], {}, 10**4000])
def test_a_missing_code_is_not_success(code: object) -> None:
    assert normalise(code) == ""
    for endpoint in Endpoint:
        assert interpret(endpoint, code).meaning is not Meaning.SUCCESS


def test_an_unlisted_code_proves_nothing() -> None:
    read = interpret(Endpoint.SUBMIT, "200")
    assert (read.meaning, read.listed) == (Meaning.UNCERTAIN, False)
    assert interpret(Endpoint.READ, 31337).meaning is Meaning.UNAVAILABLE


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("APIKEY_TASK_IS_QUEUED", Meaning.QUEUED),
        ("APIKEY_TASK_IS_RUNNING", Meaning.RUNNING),
        ("SUCCESS", Meaning.SUCCESS),
        ("", Meaning.SUCCESS),
    ],
)
def test_a_state_may_hide_in_the_text_of_code_0(message: str, expected: Meaning) -> None:
    assert interpret(Endpoint.READ, 0, message).meaning is expected


def test_documented_pauses() -> None:
    assert interpret(Endpoint.SUBMIT, 415).after_seconds == 30
    assert interpret(Endpoint.SUBMIT, 814).after_seconds == 300
    assert interpret(Endpoint.SUBMIT, 421).after_seconds is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1904163390028185602", "1904163390028185602"),
        (1904163390028185602, "1904163390028185602"),
        (1904163390028185602.0, None),
        (0, None),
        (-5, None),
        (True, None),
        (None, None),
        ("", None),
        ("../admin", None),
        ("1\n", None),
        ({}, None),
    ],
)
def test_ids_stay_exact_text(value: object, expected: str | None) -> None:
    assert task_id_of(value) == expected


@pytest.mark.parametrize(
    "body",
    [
        '{"event":"TASK_END","taskId":"1904","eventData":"{\\"code\\":0,\\"data\\":[]}"}',
        '{"event":"TASK_END","taskId":1904,"eventData":{"taskId":"1904","status":"SUCCESS"}}',
        '{"event":"TASK_END","taskId":"1904","eventData":"not JSON"}',
        '{"event":"TASK_END","taskId":"1904"}',
        '{"event":"TASK_END","eventData":"{\\"taskId\\":\\"1904\\"}"}',
        '{"event":"TASK_END","eventData":{"taskId":1904}}',
    ],
)
def test_every_shape_of_a_webhook_is_a_hint(body: str) -> None:
    hint = parse_hint(body)
    assert (hint.task_id, hint.event) == ("1904", "TASK_END")


def test_a_webhook_without_envelope_is_a_hint() -> None:
    hint = parse_hint('{"taskId":"1904","status":"SUCCESS","results":[]}')
    assert (hint.task_id, hint.event) == ("1904", None)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        '"1904"',
        "{",
        "{}",
        '{"event":"TASK_END"}',
        '{"taskId":1.9e18}',
        '{"taskId":null,"eventData":"[]"}',
        '{"eventData":"{"}',
        "[" * 100_000,
        '{"n":' + "9" * 5000 + "}",
    ],
)
def test_a_webhook_about_no_task_is_refused(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_hint(body)


def test_a_hint_inside_a_nested_string_does_not_overflow() -> None:
    assert parse_hint('{"taskId":"7","eventData":"' + "[" * 100_000 + '"}').task_id == "7"
