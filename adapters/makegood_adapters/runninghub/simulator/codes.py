"""The simulated site's error codes: the text of each, and what v2 says instead of a v1 code."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: RunningHub's table of 2026-02, completed by what clients have measured.
TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "-1": "ApiKey verification failed",
        "0": "success",
        "1": "webhook event not exists",
        "301": "PARAMS_INVALID",
        "380": "WORKFLOW_NOT_EXISTS",
        "401": "ApiKey verification failed: API Key不存在",
        "412": "TOKEN_INVALID",
        "415": "TASK_INSTANCE_MAXED",
        "416": "TASK_CREATE_FAILED_BY_NOT_ENOUGH_WALLET",
        "421": "TASK_QUEUE_MAXED",
        "423": "TASK_NOT_FOUNED",
        "433": "VALIDATE_PROMPT_FAILED",
        "435": "TASK_USER_EXCLAPI_INSTANCE_NOT_FOUND",
        "436": "TASK_USER_EXCLAPI_REQUIRED",
        "500": "UNKNOWN_ERROR",
        "605": "Your balance is insufficient",
        "801": "APIKEY_UNSUPPORTED_FREE_USER",
        "802": "APIKEY_UNAUTHORIZED",
        "803": "APIKEY_INVALID_NODE_INFO",
        "804": "APIKEY_TASK_IS_RUNNING",
        "805": "APIKEY_TASK_STATUS_ERROR",
        "806": "APIKEY_USER_NOT_FOUND",
        "807": "APIKEY_TASK_NOT_FOUND",
        "808": "APIKEY_UPLOAD_FAILED",
        "809": "APIKEY_FILE_SIZE_EXCEEDED",
        "810": "WORKFLOW_NOT_SAVED_OR_NOT_RUNNING",
        "811": "CORPAPIKEY_INVALID",
        "812": "CORPAPIKEY_INSUFFICIENT_FUNDS",
        "813": "APIKEY_TASK_IS_QUEUED",
        "814": "PERSONAL_QUEUE_COUNT_LIMIT",
        "817": "APIKEY_TASK_CANCEL_NOT_ALLOWED",
        "901": "WEBAPP_NOT_EXISTS",
        "1000": "Unknown error, please retry or contact support",
        "1001": "Invalid URL",
        "1002": "Invalid API key",
        "1003": "Rate limit exceeded, please slow down requests",
        "1004": "Task not found, please check the task ID",
        "1005": "Internal error",
        "1006": "Task timeout",
        "1007": "Invalid parameters",
        "1008": "File size exceeded",
        "1009": "Wrong HTTP method",
        "1010": "Service unavailable",
        "1011": "System is currently busy, please retry later",
        "1012": "Upstream error",
        "1013": "File processing failed",
        "1014": "Standard Model API restricted to Enterprise-Shared keys",
        "1015": "Generation failed, please try again",
        "1101": "Node info error",
        "1501": "Content verification failed",
        "1504": "Model timeout",
        "1505": "Photorealistic real people are not allowed",
        "1520": "TASK_USER_CONCURRENT_LIMIT",
        "1601": "param apiKey is required",
    }
)

#: v2 has codes of its own for these; all others are the same there.
V2_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {"301": "1007", "421": "1520", "803": "1101", "807": "1004", "808": "1013", "809": "1008"}
)


def text_of(code: str) -> str:
    """Return the text that comes with a code."""
    return TEXTS.get(code, "error")
