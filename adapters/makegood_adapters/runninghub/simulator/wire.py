"""The bodies of RunningHub's replies and webhooks, in both generations of its API."""

import json
from typing import Any

from makegood_adapters.runninghub.simulator.tasks import State, Task

Body = dict[str, Any]

#: The text of each code that the simulator says by itself.
TEXTS = {
    "0": "success",
    "301": "PARAMS_INVALID",
    "415": "TASK_INSTANCE_MAXED",
    "416": "TASK_CREATE_FAILED_BY_NOT_ENOUGH_WALLET",
    "421": "TASK_QUEUE_MAXED",
    "433": "VALIDATE_PROMPT_FAILED",
    "803": "APIKEY_INVALID_NODE_INFO",
    "807": "APIKEY_TASK_NOT_FOUND",
    "809": "APIKEY_FILE_SIZE_EXCEEDED",
    "817": "APIKEY_TASK_CANCEL_NOT_ALLOWED",
    "901": "WEBAPP_NOT_EXISTS",
    "1601": "param apiKey is required",
}
#: v2 has codes of its own for these.
V2_CODES = {"301": "1007", "421": "1520", "803": "1101", "807": "1004"}
V2_TEXTS = {
    "1007": "Invalid parameters",
    "1520": "TASK_USER_CONCURRENT_LIMIT",
    "1101": "Node info error",
    "1004": "Task not found, please check the task ID",
}
BAD_KEY: Body = {
    "code": 401,
    "message": "ApiKey verification failed: API Key不存在",
    "data": None,
}


def v1(code: str, data: Any = None, text: str | None = None) -> Body:
    """Return the v1 envelope; its code is a number."""
    msg = text if text is not None else TEXTS.get(code, "error")
    return {"code": int(code), "msg": msg, "errorMessages": None, "data": data}


def v2_error(code: str) -> Body:
    """Return a v2 refusal for a v1 code: unwrapped, without a task id; its code is text."""
    own = V2_CODES.get(code, code)
    return {
        "taskId": "",
        "status": "",
        "errorCode": own,
        "errorMessage": V2_TEXTS.get(own, TEXTS.get(own, "error")),
        "results": None,
    }


def created(task: Task) -> Body:
    """Return the reply to a create call in the generation in which it was made.

    `netWssUrl` must be there even if null: an official client insists on the key.
    """
    tips: Body = {"result": True, "error": None, "outputs_to_execute": ["9"], "node_errors": {}}
    if task.faults.node_errors:
        tips["node_errors"] = {"9": {"errors": [{"type": "value_not_in_list"}]}}
    if task.request.api == "v1":
        data = {
            "netWssUrl": None,
            "taskId": task.id,
            "clientId": _client_id(task),
            "taskStatus": task.state.value,
            "promptTips": json.dumps(tips),
        }
        return v1("0", data)
    return {
        "taskId": task.id,
        "status": task.state.value,
        "errorCode": "",
        "errorMessage": "",
        "results": None,
        "clientId": _client_id(task),
        "promptTips": json.dumps(tips),
    }


def outputs(task: Task, base_url: str) -> Body:
    """Return the reply of v1 outputs, which mixes states into its codes."""
    match task.state:
        case State.QUEUED:
            return v1("813", None, "APIKEY_TASK_IS_QUEUED")
        case State.RUNNING:
            return v1("804", {"netWssUrl": None}, "APIKEY_TASK_IS_RUNNING")
        case State.SUCCESS:
            items = [
                {
                    "fileUrl": f"{base_url}/output/{result.name}",
                    "fileType": result.kind,
                    "nodeId": result.node,
                    **_usage(task),
                }
                for result in task.results
            ]
            return v1("0", items)
        case State.FAILED:
            reason = {"failedReason": _failed_reason(task, as_text=True)}
            return v1("805", reason, "APIKEY_TASK_STATUS_ERROR")
        case State.CANCEL:
            return v1("805", {"failedReason": {}}, "APIKEY_TASK_STATUS_ERROR")


def query(task: Task, base_url: str, cancel_word: str) -> Body:
    """Return the reply of v2 query."""
    failed = task.state is State.FAILED
    return {
        "taskId": task.id,
        "status": cancel_word if task.state is State.CANCEL else task.state.value,
        "errorCode": task.error_code if failed else "",
        "errorMessage": "unknown error" if failed else "",
        "failedReason": _failed_reason(task, as_text=False) if failed else {},
        "usage": _usage(task),
        "results": [
            {
                "url": f"{base_url}/output/{result.name}",
                "nodeId": result.node,
                "outputType": result.kind,
                "text": None,
            }
            for result in task.results
        ]
        if task.state is State.SUCCESS
        else None,
        "clientId": "",
        "promptTips": "",
    }


def webhook(task: Task, base_url: str, cancel_word: str) -> Body:
    """Return the body of a webhook: v1 puts its outputs into a string, v2 its query in an object."""
    inner: Any = query(task, base_url, cancel_word)
    if task.request.api == "v1":
        reply = outputs(task, base_url)
        if isinstance(reply["data"], list):
            for item in reply["data"]:
                item["taskCostTime"] = task.cost_seconds  # a number here, a string elsewhere
        inner = json.dumps(reply)
    return {"event": "TASK_END", "taskId": task.id, "eventData": inner}


def webhook_detail(task: Task, base_url: str, cancel_word: str) -> Body:
    """Return what getWebhookDetail says; its times carry no zone and its eventData is a string."""
    if task.webhook_id is None or task.finished_at is None:
        return v1("1", None, "webhook event not exists")
    last = task.deliveries[-1] if task.deliveries else None
    updated = last.at if last else task.finished_at
    event = webhook(task, base_url, cancel_word)["eventData"]
    data = {
        "id": task.webhook_id,
        "userApiKey": "***",
        "taskId": task.id,
        "webhookUrl": task.request.webhook_url,
        "eventData": event if isinstance(event, str) else json.dumps(event),
        "callbackStatus": "SUCCESS" if last and last.ok else "FAILED",
        "callbackResponse": (last.error or f"HTTP {last.status}") if last else None,
        "retryCount": max(0, len(task.deliveries) - 1),
        "createTime": task.finished_at.strftime("%Y-%m-%dT%H:%M:%S"),
        "updateTime": updated.strftime("%Y-%m-%dT%H:%M:%S"),
    }
    return v1("0", data)


def _client_id(task: Task) -> str:
    return f"{int(task.id):032x}"


def _usage(task: Task) -> Body:
    return {
        "taskCostTime": str(task.cost_seconds if task.over else 0),
        "consumeCoins": str(task.coins) if task.over else None,
        "consumeMoney": None,
        "thirdPartyConsumeMoney": None,
    }


def _failed_reason(task: Task, *, as_text: bool) -> Body:
    """Return failedReason; its traceback is a JSON string on v1 and may be an array on v2."""
    trace = [f'  File "execution.py", line 1208, in execute\n{task.error}']
    return {
        "current_outputs": "{}",
        "current_inputs": "{}",
        "node_id": "9",
        "node_name": "SimulatedNode",
        "exception_type": task.error_type,
        "exception_message": task.error,
        "traceback": json.dumps(trace) if as_text else trace,
    }
