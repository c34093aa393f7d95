"""What is a secret in a text or in JSON is taken out here, for the log and for what operators are shown."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

REDACTED = "[redacted]"
#: So many characters of one text, and so many of all texts of one value, are kept.
TEXT_MAX, VALUE_MAX = 10_000, 200_000
#: JSON that lies deeper than this, also inside of texts, is left out.
_DEPTH_MAX = 40
#: No secret that is looked for is longer.
_LONGEST = 4_000
#: A shorter secret is looked for as a whole word only: inside of others it would hide half the log.
_SHORT = 8
#: How names of secrets end, however they are written: `X-Api-Key`, `webhook_secret`, `accessToken`.
_SECRET_NAME = (
    r"(?:(?:api|access|private|secret|signing|licen[cs]e|subscription)[\s._-]?key(?:[_-]?id)?|token|secret|"
    r"password|passwd|passphrase|passcode|pwd|authorization|authentication|(?<![a-z])auth|bearer|cookie|"
    r"sess(?:ion)?[_-]?id|signature|credential|jwt)s?"
)
_IS_SECRET = re.compile(rf"{_SECRET_NAME}(?:[\s._-]?(?:value|string|header|text|\d{{1,2}}))?$", re.IGNORECASE)
#: What signs an address, beside those names.
_SIGNS = re.compile(
    r"(?:^|[-_.])(?:key|sig|sign|hmac|policy|verify|hdn\w{1,4}|key-pair-id|x-amz-\w+-token|q-ak)$",
    re.IGNORECASE,
)
#: Under which names lists of fields and headers have a name and its value.
_NAMES = ("name", "key", "header", "fieldName", "field", "k")
_VALUES = ("value", "fieldValue", "values", "val", "v")
_HEAD = r"(?<![\w.-])[\w.-]{0,64}?" + _SECRET_NAME
#: What stands before a header's value, where no prose has such a name.
_HEADER = (
    r"(?<![\w.-])(?:x-[\w-]{0,64}?" + _SECRET_NAME + r"|[\w.-]{0,64}?(?:api|access|private|secret)[_-]key)"
)
#: A slash, and the signs of a query, as they stand in addresses inside of JSON and of other addresses.
_SLASH, _BEGINS, _IS = r"(?:\\{0,8}/|%(?:25)*2F)", r"%(?:25)*(?:3F|26|23)", r"%(?:25)*3D"
_CODED = r"(?:[^&\s\"'<>\\#%]|%(?!(?:25)*2[36])[0-9a-f]{2})+"
#: What looks like a secret, whosever it is, and what is left of it.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer|basic)((?:\s|\+|%(?:25)*20)+)[\w.~+/=-]{8,}"), rf"\1\2{REDACTED}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*"), REDACTED),
    (re.compile(r"\b(mgk|whsec|sb_secret|r8)_[\w+/=-]+"), rf"\1_{REDACTED}"),
    (re.compile(r"(?<![\w-])sk-[\w-]{16,}"), f"sk-{REDACTED}"),
    # of services by which people and programs work
    (
        re.compile(
            r"(?<![A-Za-z0-9])(gh[opsur]_|github_pat_|hf_(?=[A-Za-z0-9]{20})|gsk_|xai-|nvapi-|glpat-|xapp-|"
            r"xox[a-z]-|[prs]k_(?:live|test)_|SG\.|AIza|ya29\.|A[KS]IA(?=[A-Z0-9]{16}(?!\w)))[\w.-]{16,}"
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).+?(?=-----END|\Z)"), rf"\1{REDACTED}"),
    (re.compile(rf"(?i)({_SLASH}(?:hooks|links){_SLASH})[\w-]{{12,}}"), rf"\1{REDACTED}"),
    (
        re.compile(
            r"(?i)(hooks\.slack\.com/services/|discord(?:app)?\.com/api/webhooks/|api\.telegram\.org/bot)"
            r"[\w:/-]+"
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(://[^\s/:@\"'\\]*:)(?!password@host|\d{1,5}\Z)[^\s/@\"'\\]+(?=@|\Z)"), rf"\1{REDACTED}"),
    (re.compile(r"(://)[^\s/:@\"'\\\[]{16,}(?=@)"), rf"\1{REDACTED}"),
)
#: What a name says to be a secret. Few texts have such names, and looking for each of these takes long.
_A_NAME = re.compile(_SECRET_NAME, re.IGNORECASE)
_NAMED: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            rf"(?i)([\"'](?:{'|'.join(_NAMES)})\\*[\"']\s*:\s*\\*[\"']{_HEAD}\\*[\"']\s*,"
            rf"\s*\\*[\"'](?:{'|'.join(_VALUES)})\\*[\"']\s*:\s*\\*[\"'])(?!\[redacted\])[^\"'\\]+"
        ),
        rf"\1{REDACTED}",
    ),
    # "name": "value", also as JSON inside of a text of JSON, and cut off anywhere
    (
        re.compile(rf"(?i)((?<!\\)\"{_HEAD}\"\s*:\s*\")(?:[^\"\\]|\\.)+"),
        rf"\1{REDACTED}",
    ),
    (
        re.compile(rf"(?i)({_HEAD}\\*[\"']\s*[:=,]\s*(?:b|\\+)?[\"'])(?!\[redacted\])[^\"'\\]+"),
        rf"\1{REDACTED}",
    ),
    # name="value", name: 'value', name => "value", as programs and their settings are written
    (
        re.compile(rf"(?i)({_HEAD}\\*[\"']?\s*(?:=>|[:=])\s*(?:b|\\+)?[\"'])(?!\[redacted\])[^\"'\\]+"),
        rf"\1{REDACTED}",
    ),
    (re.compile(rf"(?i)({_HEAD}\\*[\"']?\s*:\s*[\[{{])(?!\[?redacted\])[^\]}}]+"), rf"\1{REDACTED}"),
    (
        re.compile(rf"(?i)(<[\w:.-]{{0,64}}?{_SECRET_NAME}(?:\s[^<>]*)?>)(?!\[redacted\])[^<]+"),
        rf"\1{REDACTED}",
    ),
    # a header as it is sent; of a scheme its name may stay
    (
        re.compile(
            r"(?i)((?<![\w\"'-])(?:proxy-)?(?:authorization|(?:set-)?cookie)\s*:[ \t]*)"
            r"(?!(?:bearer |basic )?\[redacted\])[^\s\"'](?:=\s*\"[^\"\r\n]*\"|[^\r\n\"'\\])*"
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(rf"(?i)({_HEADER}\s*:[ \t]*)(?![\[{{])[^\s,;\"'<>\\]{{8,}}"), rf"\1{REDACTED}"),
    (
        re.compile(
            rf"(?i)({_HEAD}\s*:[ \t]*)(?![\[{{])(?:(?=[^\s\d,;\"'<>\\]*\d)[^\s,;\"'<>\\]{{6,}}|"
            r"[^\s,;\"'<>\\]{20,})"
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(rf"(?i)({_HEAD}\s*=>?\s*)(?!\[redacted\])[^\s&;,\"'<>\\]+"), rf"\1{REDACTED}"),
    (re.compile(rf"(?i)({_HEAD}{_IS})(?!\[redacted\]){_CODED}"), rf"\1{REDACTED}"),
)
_PARAMETER = re.compile(r"(?i)((?:[?&;#]|&amp;|\\u0026)([\w.%~+-]{1,100})=)([^&\s\"'<>\\#]+)")
#: The same inside of another address.
_INNER_PARAMETER = re.compile(rf"(?i)({_BEGINS}([\w.~+-]{{1,100}}){_IS})({_CODED})")


class Redaction:
    """Takes *secrets* out of texts, in every form in which libraries write them, and what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if secret}
        sought = {(len(form), _sought(form)) for secret in known for form in _forms(secret)}
        sought |= {(len(secret), _sought(secret, _in_addresses(secret))) for secret in known}
        longest_first = [pattern for _, pattern in sorted(sought, key=lambda one: (-one[0], one[1]))]
        self._known = re.compile("|".join(longest_first)) if known else None

    def clean(self, text: str) -> str:
        """Return *text* without secrets."""
        if self._known:
            text = self._known.sub(REDACTED, text)
        for pattern, left in (*_PATTERNS, *(_NAMED if _A_NAME.search(text) else ())):
            text = pattern.sub(left, text)
        text = _INNER_PARAMETER.sub(_without_sign, text)
        return _PARAMETER.sub(_without_sign, text)

    def beginning(self, text: str, chars: int) -> str:
        """Return about so many characters of *text* without secrets. What lies at their end is left out: a
        secret that is cut there is none that anybody knows any more."""
        clean = self.clean(text[:chars])
        return clean if len(text) <= chars else clean[:-_LONGEST]

    def shown(self, value: Any, chars_max: int = VALUE_MAX) -> Any:
        """Return *value*, JSON, without secrets: also what a name says to be one, and what is JSON inside of
        a text. Of all its texts at most *chars_max* characters are kept; a word says where it is cut."""
        return _Walk(self, chars_max).shown(value, _DEPTH_MAX)


class _Walk:
    """One walk through a value, which shows only so much of it."""

    def __init__(self, redaction: Redaction, room: int) -> None:
        self._redaction, self._room = redaction, room

    def shown(self, value: Any, depth: int) -> Any:
        if depth < 0:
            return "[left out: it lies too deep]"
        match value:
            case str():
                return self._text(value, depth)
            case Mapping():
                return self._object(value, depth)
            case list() | tuple():
                return self._list(value, depth)
            case _:
                return value

    def _object(self, value: Mapping[str, Any], depth: int) -> dict[str, Any]:
        named = any(isinstance(text := value.get(name), str) and _names(text) for name in _NAMES)
        shown: dict[str, Any] = {}
        for name, each in value.items():
            if self._room <= 0:
                shown["[cut]"] = f"{len(value) - len(shown):,} more are not shown"
                break
            kept = self._text(name, depth)
            if _hides(name, each) or (named and name in _VALUES):
                shown[kept] = REDACTED
            else:
                shown[kept] = self.shown(each, depth - 1)
        return shown

    def _list(self, value: Sequence[Any], depth: int) -> list[Any]:
        """Return a list; names and values may take turns in it, as some write pairs and headers."""
        pairs = len(value) % 2 == 0
        shown: list[Any] = []
        for place, each in enumerate(value):
            if self._room <= 0:
                shown.append(f"[cut: {len(value) - len(shown):,} more are not shown]")
                break
            name = value[place - 1] if pairs and place % 2 else None
            hidden = isinstance(name, str) and _hides(name, each)
            shown.append(REDACTED if hidden else self.shown(each, depth - 1))
            self._room -= 1
        return shown

    def _text(self, text: str, depth: int) -> str:
        length = len(text)
        if text.lstrip()[:1] in ("{", "[") and length <= VALUE_MAX:
            text = self._inner(text, depth)
        clean = self._redaction.beginning(text, 2 * TEXT_MAX).encode(errors="replace").decode()
        most = max(0, min(TEXT_MAX, self._room))
        self._room -= min(len(clean), most) + 1
        return clean if len(clean) <= most else cut(clean[:most], length)

    def _inner(self, text: str, depth: int) -> str:
        """Return a text that is JSON itself without the secrets that lie in it."""
        try:
            inner = json.loads(text)
        except (ValueError, RecursionError):
            return text
        shown = _Walk(self._redaction, VALUE_MAX).shown(inner, depth - 1)
        return text if shown == inner else json.dumps(shown, ensure_ascii=False)


def cut(text: str, length: int) -> str:
    """Return the beginning of a text of *length* characters with a word that it is one."""
    return f"{text} … [cut: {len(text):,} of {length:,} characters are shown]"


def _names(name: str) -> bool:
    return _IS_SECRET.search(unquote(name)[-100:]) is not None


def _hides(name: str, value: object) -> bool:
    """Whether *value* is a secret because of its name. What is counted, such as tokens, is none."""
    if value is None or isinstance(value, bool) or value in ("", [], {}):
        return False
    return _names(name) and not (isinstance(value, (int, float)) and name[-1:].lower() == "s")


def _without_sign(match: re.Match[str]) -> str:
    name = unquote(match[2])
    signs = _names(name) or _SIGNS.search(name)
    return f"{match[1]}{REDACTED}" if signs else match[0]


def _sought(form: str, pattern: str | None = None) -> str:
    pattern = pattern or re.escape(form)
    return pattern if len(form) >= _SHORT else rf"(?<!\w){pattern}(?!\w)"


def _in_addresses(secret: str) -> str:
    """Return a pattern of *secret*, also in addresses, JSON and HTML: their makers each leave other signs as
    they are."""
    return "".join(map(_sign_in_addresses, secret))


def _sign_in_addresses(sign: str) -> str:
    if sign.isascii() and sign.isalnum():
        return sign
    coded = "".join(f"%(?:25)*{byte:02x}" for byte in sign.encode(errors="surrogateescape"))
    escaped = rf"\\+u{ord(sign):04x}|&#x?0*(?:{ord(sign)}|{ord(sign):x});|{re.escape(html.escape(sign))}"
    return rf"(?:\\{{0,8}}{re.escape(sign)}|(?i:{coded}|{escaped}){'|[+]' if sign == ' ' else ''})"


def _forms(secret: str) -> Iterator[str]:
    raw = secret.encode(errors="surrogateescape")
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield repr(raw)[2:-1]
    yield raw.hex()
    yield raw.hex().upper()
    for before in range(3):
        # What stands before and after a secret moves its bits: what is sought is what does not depend on it.
        coded = base64.b64encode(before * b"\0" + raw).decode().rstrip("=")
        inner = coded[(before * 8 + 5) // 6 : len(coded) - bool((before + len(raw)) % 3)]
        if len(inner) >= _SHORT:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")
