"""The bodies of RunningHub's first API."""

import json

from makegood_adapters.runninghub.simulator.tasks import State, Task
from makegood_adapters.runninghub.simulator.wire import Body, Wire, client_id


def created(wire: Wire, task: Task) -> Body:
    """Return the reply to a create call.

    `netWssUrl` must be there even if null: an official client insists on the key.
    """
    data = {
        "netWssUrl": wire.socket(task) if task.state is State.RUNNING else None,
        "taskId": wire.task_id(task),
        "clientId": client_id(task),
        "taskStatus": wire.state(task),
        "promptTips": wire.tips(task),
    }
    return wire.v1("0", data)


def without_id(wire: Wire) -> Body:
    """Return a success that names no task."""
    return wire.v1("0", None)


def status(wire: Wire, task: Task) -> Body:
    """Return the reply of status."""
    word = "QUEUED" if task.state is State.QUEUED else wire.state(task)
    return wire.v1("0", {"taskStatus": word} if wire.habits.status_object else word, msg="")


def outputs(wire: Wire, task: Task, *, numbers: bool = False) -> Body:
    """Return the reply of outputs, which mixes states into its codes."""
    match task.state:
        case State.QUEUED:
            return _pending(wire, "813", None)
        case State.RUNNING:
            return _pending(wire, "804", {"netWssUrl": wire.socket(task)})
        case State.SUCCESS:
            items = [
                {
                    "fileUrl": wire.file_url(result),
                    "fileType": result.kind,
                    "nodeId": result.node,
                    **wire.usage(task, number=numbers),
                }
                for result in task.results
            ]
            return wire.v1("0", items)
        case State.FAILED | State.CANCEL:
            return wire.v1("805", wire.with_reason({}, task, as_text=True))


def _pending(wire: Wire, code: str, data: Body | None) -> Body:
    match wire.habits.pending:
        case "codes":
            return wire.v1(code, data)
        case "msg_only":
            return {**wire.v1("0", data), "msg": wire.v1(code)["msg"]}
        case "null_data":
            return wire.v1(code, data) if code == "813" else wire.v1("0", None)


def webhook_data(wire: Wire, task: Task) -> str:
    """Return a webhook's eventData: the outputs as a string, in which durations are numbers."""
    return json.dumps(outputs(wire, task, numbers=True))


def webhook_detail(wire: Wire, task: Task, event: object) -> Body:
    """Return what getWebhookDetail says; its times carry no zone and its eventData is a string."""
    if task.webhook_id is None or task.finished_at is None:
        return wire.v1("1")
    last = task.deliveries[-1] if task.deliveries else None
    updated = last.at if last else task.finished_at
    data = {
        "id": task.webhook_id,
        "userApiKey": "***",
        "taskId": wire.task_id(task),
        "webhookUrl": task.request.webhook_url,
        "eventData": event if isinstance(event, str) else json.dumps(event),
        "callbackStatus": "SUCCESS" if last and last.ok else "FAILED",
        "callbackResponse": (last.error or f"HTTP {last.status}") if last else None,
        "retryCount": max(0, len(task.deliveries) - 1),
        "createTime": task.finished_at.strftime("%Y-%m-%dT%H:%M:%S"),
        "updateTime": updated.strftime("%Y-%m-%dT%H:%M:%S"),
    }
    return wire.v1("0", data)
