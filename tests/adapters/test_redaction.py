"""What operators are shown has no secret in it, wherever in a value it lies, and stays readable."""

import base64
import json
import re
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makegood_adapters.redaction import REDACTED, TEXT_MAX, VALUE_MAX, Redaction

SIGNS = string.ascii_letters + string.digits + "_-"
secrets = st.text(SIGNS, min_size=18, max_size=60).map(lambda text: f"zq{text}")
headers = st.sampled_from(
    ("Authorization", "authorization", "Proxy-Authorization", "Cookie", "set-cookie", "X-Api-Key", "apikey")
)
fields = st.sampled_from(
    ("apiKey", "api_key", "webhook_secret", "accessToken", "token", "PASSWORD", "clientSecret", "X-Signature")
)
signs = st.sampled_from(
    [
        *("X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "Signature", "sig", "token", "key"),
        *("OSSAccessKeyId", "Key-Pair-Id", "q-sign", "X-Goog-Signature", "access_token", "Policy"),
    ]
)


def jwt(secret: str) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    return f"{head}.{secret}.{secret}"


#: Where a secret lies: each makes a value of it.
places: st.SearchStrategy[Callable[[str], Any]] = st.one_of(
    headers.map(lambda name: lambda secret: {name: f"sid={secret}; path=/"}),
    headers.map(lambda name: lambda secret: {"name": name, "value": secret}),
    headers.map(lambda name: lambda secret: {"value": secret, "name": name}),
    headers.map(lambda name: lambda secret: [name, secret]),
    headers.map(lambda name: lambda secret: f"GET / HTTP/1.1\r\n{name}: Token={secret}\r\nAccept: */*"),
    fields.map(lambda name: lambda secret: {name: secret, "n": 1}),
    fields.map(lambda name: lambda secret: {name: [secret, {"deep": secret}]}),
    fields.map(lambda name: lambda secret: f"the call failed, {name}={secret}, and so on"),
    fields.map(lambda name: lambda secret: {"nodeId": "3", "fieldName": name, "fieldValue": secret}),
    signs.map(lambda name: lambda secret: f"see https://h.example/x.png?w=3&{name}={secret}&b=1 for it"),
    st.just(lambda secret: f"POST https://app.example/hooks/{secret} answered 404"),
    st.just(lambda secret: f"https://ada:{secret}@h.example/x"),
    st.just(lambda secret: f"our key mgk_0123456789ab_{secret} was used"),
    st.just(lambda secret: f"the token of a user is {jwt(secret)}"),
    st.just(lambda secret: f"sent with Bearer {secret}"),
)
values = st.recursive(
    st.tuples(places, secrets).map(lambda one: one[0](one[1])),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from(("data", "headers", "url", "event")), inner, min_size=1),
        inner.map(lambda value: {"eventData": json.dumps(value)}),
    ),
    max_leaves=6,
)


def placed(value: Any) -> set[str]:
    """Return the secrets of a value."""
    return set(re.findall(r"zq[\w-]{18,}", json.dumps(value)))


@given(value=values)
def test_no_secret_survives_in_a_value(value: Any) -> None:
    shown = json.dumps(Redaction().shown(value))
    assert REDACTED in shown
    assert placed(value)
    assert not [secret for secret in placed(value) if secret in shown]


@given(
    place=places,
    secret=secrets,
    rounds=st.integers(0, 2),
    cut=st.integers(0, 400),
    before=st.text(max_size=9),
)
@settings(max_examples=200)
def test_no_secret_survives_in_a_text_that_was_cut(
    place: Callable[[str], Any], secret: str, rounds: int, cut: int, before: str
) -> None:
    value = place(secret)
    if isinstance(value, dict) and list(value) == ["value", "name"]:
        return  # a text that ends before the name does not tell
    text = value if isinstance(value, str) else json.dumps(value)
    for _ in range(rounds):
        text = json.dumps({"data": text})
    clean = Redaction().clean(f"{before} {text[:cut]}")
    assert secret[:16] not in clean


@pytest.mark.parametrize(
    "value",
    [
        {"prompt": "A token of love; the key: patience. Bearer of news", "seed": 3, "image": "3f2a.png"},
        {"usage": {"total_tokens": 812, "max_tokens": 4_096}, "code": 805, "taskId": "1904152026220003329"},
        {"url": "https://cdn.example/out/img_0001.png?width=512&format=webp#top"},
        {"nodeInfoList": [{"nodeId": "12", "fieldName": "text", "fieldValue": "a cat"}], "ok": True},
        "APIKEY_INVALID: ask your administrator. Cookies are off.",
        '{"event": "TASK_END", "eventData": "{\\"code\\": 0}"}',
        [None, 1, 2.5, "x", {"secret": None, "password": ""}],
    ],
)
def test_what_is_no_secret_stays_as_it_is(value: Any) -> None:
    assert Redaction().shown(value) == value


def test_known_secrets_are_taken_out_of_names_and_texts() -> None:
    shown = Redaction(["open sesame"]).shown({"open sesame": "they said open+sesame"})
    assert shown == {REDACTED: f"they said {REDACTED}"}


def test_what_is_long_or_deep_is_cut_and_says_so() -> None:
    text = Redaction().shown("ä" * 1_000_000)
    assert text.startswith("ä" * TEXT_MAX)
    assert text.endswith("… [cut: 10,000 of 1,000,000 characters are shown]")
    many = Redaction().shown([{"n": "x" * 9_000} for _ in range(1_000)])
    assert len(json.dumps(many)) < VALUE_MAX * 1.1
    assert "more are not shown" in json.dumps(many)
    deep: Any = "x"
    for _ in range(500):
        deep = {"d": deep}
    assert "[left out: it lies too deep]" in json.dumps(Redaction().shown(deep))


def test_a_secret_that_lies_across_the_cut_leaves_no_beginning() -> None:
    text = "x" * (TEXT_MAX - 20) + " Bearer " + "s3cret" * 40
    assert "s3cret" not in Redaction().shown(text)


S = "zqSesameOpen0123456789abcdefgh"


@pytest.mark.parametrize(
    "value",
    [
        f"Client(api_key='{S}')",
        f'password = "{S}"',
        f'{{apiKey: "{S}"}}',
        f':api_key=>"{S}"',
        f"<Error><apiKey>{S}</apiKey></Error>",
        f"API key: {S}",
        f"map[X-Api-Key:[{S}]]",
        f"password: p@ss!{S}",
        "X-Auth-Token: zqsesameopensesameopen",
        f"auth Bearer%20{S}",
        f"https://{S}@git.example/x",
        f"https://h.example/x;jsessionid={S}",
        f"https://h.example/x?hdnts={S}",
        f"https://h.example/?url=https%3A%2F%2Fc%2Fx%3Fa%3D1%26sig%3D{S}%26b%3D1",
        f"https://h.example/?url=https%253A%252F%252Fc%252Fx%253FX-Amz-Signature%253D{S}",
        f"https%3A%2F%2Fapp%2Fhooks%2F{S}",
        f"POST https:\\/\\/app\\/hooks\\/{S} failed",
        f"https://hooks.slack.com/services/T0/B0/{S}",
        f"-----BEGIN PRIVATE KEY-----\n{S}\n-----END PRIVATE KEY-----",
        f"eyJhbGciOiJkaXIiLCJlbmMi.{S}.{S}.{S}.{S}",
        *(f"{prefix}{S}" for prefix in ("ghp_", "hf_", "sk_live_", "xoxb-", "AIzaSy")),
        ["Host", "h", "X-Api-Key", S],
        {"tokenValue": S, "api_key_2": S, "pwd": S, "auth": S, "sessionId": S, "API Key": S},
        {"k": "token", "v": S},
    ],
    ids=str,
)
def test_no_secret_survives_however_it_is_written(value: Any) -> None:
    shown = json.dumps(Redaction().shown(value))
    assert REDACTED in shown
    assert "zqs" not in shown.lower()


@pytest.mark.parametrize(
    "text",
    [
        *("kn0wn%252FSecret%252Bof%253Dours%2526x", "kn0wn\\/Secret+of=ours&x", "kn0wn/Secret+of=ours&amp;x"),
        *("kn0wn/Secret\\u002bof\\u003dours\\u0026x", "6B6E30776E2F5365637265742B6F663D6F7572732678"),
    ],
)
def test_a_known_secret_is_found_inside_of_addresses_json_and_html(text: str) -> None:
    assert Redaction(["kn0wn/Secret+of=ours&x"]).clean(f"see {text}.") == f"see {REDACTED}."


def test_a_secret_is_not_shown_in_part_because_what_stood_before_it_became_short() -> None:
    text = ("token=" + "a" * 6_000 + " ") * 3
    text += "x" * (2 * TEXT_MAX - len(text) - 12) + " open sesame of ours"
    assert "open" not in Redaction(["open sesame of ours"]).shown(text)
