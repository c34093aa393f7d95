"""Each row of RunningHub's error table, on each kind of endpoint, against a second transcription."""

import pytest

from makegood_adapters.runninghub.codes import CODES, Endpoint, Meaning, interpret, normalise
from makegood_adapters.runninghub.webhook import parse_hint, task_id_of

# What the documentation says, grouped by what a submission has to conclude.
NEVER = (
    "301",
    "380",
    "412",
    "416",
    "423",
    "433",
    "435",
    "436",
    "605",
    "801",
    "802",
    "803",
    "806",
    "809",
    "810",
    "812",
    "901",
    "1001",
    "1002",
    "1007",
    "1008",
    "1009",
    "1014",
    "1101",
    "1501",
    "1505",
    "1601",
)
LATER = ("-1", "401", "415", "421", "808", "811", "814", "1003", "1011", "1013", "1520")
UNCERTAIN = (
    "1",
    "500",
    "804",
    "805",
    "807",
    "813",
    "817",
    "1000",
    "1004",
    "1005",
    "1006",
    "1010",
    "1012",
    "1015",
    "1504",
)
READS = {
    "0": Meaning.SUCCESS,
    "804": Meaning.RUNNING,
    "813": Meaning.QUEUED,
    "805": Meaning.FAILED,
    "1006": Meaning.FAILED_TRANSIENTLY,
    "1015": Meaning.FAILED_TRANSIENTLY,
    "1504": Meaning.FAILED_TRANSIENTLY,
    "423": Meaning.NOT_FOUND,
    "807": Meaning.NOT_FOUND,
    "1004": Meaning.NOT_FOUND,
    "1007": Meaning.NOT_FOUND,
    "817": Meaning.ALREADY_OVER,
}


def test_the_two_transcriptions_list_the_same_codes() -> None:
    assert sorted([*NEVER, *LATER, *UNCERTAIN, "0"]) == sorted(CODES)


@pytest.mark.parametrize("code", [*NEVER, *LATER, *UNCERTAIN, "0"])
@pytest.mark.parametrize("as_number", [True, False])
def test_each_code_on_a_submission(code: str, as_number: bool) -> None:
    expected = {
        **dict.fromkeys(NEVER, Meaning.NEVER),
        **dict.fromkeys(LATER, Meaning.LATER),
        **dict.fromkeys(UNCERTAIN, Meaning.UNCERTAIN),
        "0": Meaning.SUCCESS,
    }
    read = interpret(Endpoint.SUBMIT, int(code) if as_number else code)
    assert (read.code, read.meaning, read.listed) == (code, expected[code], True)


@pytest.mark.parametrize("code", sorted(CODES))
def test_each_code_on_a_question(code: str) -> None:
    assert interpret(Endpoint.READ, code).meaning is READS.get(code, Meaning.UNAVAILABLE)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0, Meaning.SUCCESS),
        (200, Meaning.SUCCESS),
        (808, Meaning.LATER),
        (1013, Meaning.LATER),
        (-1, Meaning.LATER),
        (809, Meaning.NEVER),
        (1008, Meaning.NEVER),
        (None, Meaning.LATER),
        (31337, Meaning.LATER),
    ],
)
def test_an_upload_may_always_be_repeated_unless_it_is_useless(code: int | None, expected: Meaning) -> None:
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
