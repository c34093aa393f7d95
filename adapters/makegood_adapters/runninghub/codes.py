"""RunningHub's error codes: one table, and what a code means on each kind of endpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, assert_never

from makegood.outcome import Cause


class CodeClass(StrEnum):
    """What kind of thing a code is, before asking which endpoint said it."""

    SUCCESS = "success"
    CONTEXTUAL = "contextual"  # only the text tells
    PENDING = "pending"  # a state of a task
    TERMINAL = "terminal"  # the same request will never do
    REJECTED_RETRYABLE = "rejected-retryable"  # no task was created; later it may be
    KEY = "key"  # the key was refused, which also happens now and then to a good one
    UNCERTAIN = "uncertain"  # a task may exist
    TASK_FAILED = "task failed"
    TASK_RERUNNABLE = "task failed, re-runnable"
    NOT_FOUND = "not found"
    UPLOAD_AGAIN = "upload again"
    ALREADY_OVER = "already over"


class Endpoint(StrEnum):
    """The three kinds of calls; one code can mean different things on them."""

    SUBMIT = "submit"
    READ = "read"
    UPLOAD = "upload"


class Meaning(StrEnum):
    """What the caller has to do with a reply."""

    SUCCESS = "success"
    QUEUED = "queued"
    RUNNING = "running"
    FAILED = "failed"
    FAILED_TRANSIENTLY = "failed transiently"
    NOT_FOUND = "not found"
    ALREADY_OVER = "already over"
    LATER = "later"  # refused, nothing was created; may be repeated
    NEVER = "never"  # refused, nothing was created; repeating is useless
    UNCERTAIN = "uncertain"  # something may have been created
    UNAVAILABLE = "unavailable"  # a question without an answer


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the table: what a refusal is about, and the documented pause before a repetition."""

    name: str
    kind: CodeClass
    cause: Cause = Cause.REQUEST
    after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Interpretation:
    """A code as read on one endpoint; `code` is "" when the reply had none."""

    code: str
    name: str
    meaning: Meaning
    listed: bool
    cause: Cause = Cause.REQUEST
    after_seconds: float | None = None
    passing: bool = False
    """Trouble that may be over in a moment: a question is worth repeating at once."""


_C: Final = CodeClass
_ROOM, _PACE, _ACCOUNT, _TYPE = Cause.ROOM, Cause.PACE, Cause.ACCOUNT, Cause.TYPE

#: RunningHub error table of 2026-02, completed by codes that clients have measured (401, -1, 605,
#: 817, 1520, 1601). 415 asks for 30 to 120 s; 814 is a full personal queue and takes long to drain.
CODES: Final[Mapping[str, Code]] = MappingProxyType(
    {
        "0": Code("success", _C.SUCCESS),
        "1": Code("business error", _C.CONTEXTUAL),
        "-1": Code("ApiKey verification failed", _C.KEY, _ACCOUNT),
        "401": Code("ApiKey verification failed", _C.KEY, _ACCOUNT),
        "301": Code("PARAMS_INVALID", _C.TERMINAL),
        "380": Code("WORKFLOW_NOT_EXISTS", _C.TERMINAL, _TYPE),
        "412": Code("TOKEN_INVALID (wrong API path)", _C.TERMINAL),
        "415": Code("TASK_INSTANCE_MAXED", _C.REJECTED_RETRYABLE, _ROOM, 30),
        "416": Code("TASK_CREATE_FAILED_BY_NOT_ENOUGH_WALLET", _C.TERMINAL, _ACCOUNT),
        "421": Code("TASK_QUEUE_MAXED", _C.REJECTED_RETRYABLE, _ROOM),
        "423": Code("TASK_NOT_FOUNED", _C.TERMINAL),
        "433": Code("VALIDATE_PROMPT_FAILED", _C.TERMINAL),
        "435": Code("TASK_USER_EXCLAPI_INSTANCE_NOT_FOUND", _C.TERMINAL),
        "436": Code("TASK_USER_EXCLAPI_REQUIRED", _C.TERMINAL, _ACCOUNT),
        "500": Code("UNKNOWN_ERROR", _C.UNCERTAIN),
        "605": Code("Your balance is insufficient", _C.TERMINAL, _ACCOUNT),
        "801": Code("APIKEY_UNSUPPORTED_FREE_USER", _C.TERMINAL, _ACCOUNT),
        "802": Code("APIKEY_UNAUTHORIZED", _C.TERMINAL, _ACCOUNT),
        "803": Code("APIKEY_INVALID_NODE_INFO", _C.TERMINAL, _TYPE),
        "804": Code("APIKEY_TASK_IS_RUNNING", _C.PENDING),
        "805": Code("APIKEY_TASK_STATUS_ERROR", _C.TASK_FAILED),
        "806": Code("APIKEY_USER_NOT_FOUND", _C.TERMINAL, _ACCOUNT),
        "807": Code("APIKEY_TASK_NOT_FOUND", _C.NOT_FOUND),
        "808": Code("APIKEY_UPLOAD_FAILED", _C.UPLOAD_AGAIN),
        "809": Code("APIKEY_FILE_SIZE_EXCEEDED", _C.TERMINAL),
        "810": Code("WORKFLOW_NOT_SAVED_OR_NOT_RUNNING", _C.TERMINAL, _TYPE),
        "811": Code("CORPAPIKEY_INVALID", _C.KEY, _ACCOUNT),
        "812": Code("CORPAPIKEY_INSUFFICIENT_FUNDS", _C.TERMINAL, _ACCOUNT),
        "813": Code("APIKEY_TASK_IS_QUEUED", _C.PENDING),
        "814": Code("PERSONAL_QUEUE_COUNT_LIMIT", _C.REJECTED_RETRYABLE, _ROOM, 300),
        "817": Code("APIKEY_TASK_CANCEL_NOT_ALLOWED", _C.ALREADY_OVER),
        "901": Code("WEBAPP_NOT_EXISTS", _C.TERMINAL, _TYPE),
        "1000": Code("Unknown error", _C.UNCERTAIN),
        "1001": Code("Invalid URL", _C.TERMINAL),
        "1002": Code("Invalid API key", _C.TERMINAL, _ACCOUNT),
        "1003": Code("Rate limit exceeded", _C.REJECTED_RETRYABLE, _PACE),
        "1004": Code("Task not found", _C.NOT_FOUND),
        "1005": Code("Internal error", _C.UNCERTAIN),
        "1006": Code("Task timeout", _C.TASK_RERUNNABLE),
        "1007": Code("Invalid parameters", _C.TERMINAL),
        "1008": Code("File size exceeded", _C.TERMINAL),
        "1009": Code("Wrong HTTP method", _C.TERMINAL),
        "1010": Code("Service unavailable", _C.UNCERTAIN),
        "1011": Code("System is currently busy", _C.REJECTED_RETRYABLE, _PACE),
        "1012": Code("Upstream error", _C.UNCERTAIN),
        "1013": Code("File processing failed", _C.UPLOAD_AGAIN),
        "1014": Code("Restricted to Enterprise-Shared keys", _C.TERMINAL, _ACCOUNT),
        "1015": Code("Generation failed", _C.TASK_RERUNNABLE),
        "1101": Code("Node info error", _C.TERMINAL, _TYPE),
        "1501": Code("Content verification", _C.TERMINAL),
        "1504": Code("Model timeout", _C.TASK_RERUNNABLE),
        "1505": Code("Photorealistic real people", _C.TERMINAL),
        "1520": Code("TASK_USER_CONCURRENT_LIMIT", _C.REJECTED_RETRYABLE, _ROOM),
        "1601": Code("param apiKey is required", _C.TERMINAL, _ACCOUNT),
    }
)

#: What v2 says instead of an answer when a route of it is not there, or is not what we take it for.
NO_SUCH_ROUTE: Final = frozenset({"412", "1001", "1009"})
#: A key that another site has given out is refused with one of these.
WRONG_SITE: Final = frozenset({"-1", "401", "802", "806", "1002"})
#: Codes by which an upload refuses the file itself; any other refusal of an upload may pass.
_FILE_REFUSED: Final = frozenset({"301", "809", "1007", "1008", "1501", "1505"})
#: Codes that answer "which task?" with "none", whatever they mean elsewhere (1007: measured).
_NO_SUCH_TASK: Final = frozenset({"423", "807", "1004", "1007"})

_SUBMIT: Final[Mapping[CodeClass, Meaning]] = MappingProxyType(
    {
        CodeClass.SUCCESS: Meaning.SUCCESS,
        CodeClass.TERMINAL: Meaning.NEVER,
        CodeClass.REJECTED_RETRYABLE: Meaning.LATER,
        CodeClass.UPLOAD_AGAIN: Meaning.LATER,
        CodeClass.KEY: Meaning.LATER,
    }
)
_READ: Final[Mapping[CodeClass, Meaning]] = MappingProxyType(
    {
        CodeClass.SUCCESS: Meaning.SUCCESS,
        CodeClass.TASK_FAILED: Meaning.FAILED,
        CodeClass.TASK_RERUNNABLE: Meaning.FAILED_TRANSIENTLY,
        CodeClass.ALREADY_OVER: Meaning.ALREADY_OVER,
    }
)

_UNLISTED: Final[Mapping[Endpoint, Meaning]] = MappingProxyType(
    {
        Endpoint.SUBMIT: Meaning.UNCERTAIN,
        Endpoint.READ: Meaning.UNAVAILABLE,
        Endpoint.UPLOAD: Meaning.LATER,
    }
)
_PASSING: Final = frozenset({CodeClass.KEY, CodeClass.UNCERTAIN, CodeClass.UPLOAD_AGAIN})


def normalise(code: Any) -> str:
    """Return a code as text, "" when there is none; codes come as int or as string.

    A missing code is never success, so neither None nor a boolean nor a float becomes "0".
    """
    if isinstance(code, bool) or not isinstance(code, int | str):
        return ""
    return str(code).strip() if isinstance(code, str) or abs(code) < 10**9 else ""


def interpret(endpoint: Endpoint, code: Any, message: str = "") -> Interpretation:
    """Tell what *code* means as a reply of *endpoint*.

    On a submission everything that does not prove that no task exists is UNCERTAIN: also a state
    of a task, a failure of a task, and a code that the table does not list. On a question whatever
    is no answer is UNAVAILABLE. *message* matters on a question only: pending replies have been
    seen with code 0 and the state in the text.
    """
    text = normalise(code)
    row = CODES.get(text)
    if row is None:
        # One client takes 200 for the success of an upload.
        uploaded = endpoint is Endpoint.UPLOAD and text == "200"
        meaning = Meaning.SUCCESS if uploaded else _UNLISTED[endpoint]
        return Interpretation(text, "unlisted code" if text else "no code", meaning, listed=False)
    match endpoint:
        case Endpoint.SUBMIT:
            meaning = _SUBMIT.get(row.kind, Meaning.UNCERTAIN)
        case Endpoint.UPLOAD:
            never = Meaning.NEVER if text in _FILE_REFUSED else Meaning.LATER
            meaning = Meaning.SUCCESS if row.kind is CodeClass.SUCCESS else never
        case Endpoint.READ:
            meaning = _read(text, row, message)
        case _:
            assert_never(endpoint)
    passing = row.kind in _PASSING or row.cause is Cause.PACE
    return Interpretation(text, row.name, meaning, True, row.cause, row.after_seconds, passing)


def _read(text: str, row: Code, message: str) -> Meaning:
    if text in _NO_SUCH_TASK:
        return Meaning.NOT_FOUND
    if text == "813" or (text == "0" and message == CODES["813"].name):
        return Meaning.QUEUED
    if text == "804" or (text == "0" and message == CODES["804"].name):
        return Meaning.RUNNING
    return _READ.get(row.kind, Meaning.UNAVAILABLE)
