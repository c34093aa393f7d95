"""The bodies of RunningHub's second API."""

from typing import Any

from makegood_adapters.runninghub.simulator.tasks import State, Task
from makegood_adapters.runninghub.simulator.wire import Body, Wire, client_id


def created(wire: Wire, task: Task) -> Body:
    """Return the reply to a run call."""
    return {
        "taskId": wire.task_id(task),
        "status": wire.state(task),
        "errorCode": "",
        "errorMessage": "",
        "results": None,
        "clientId": client_id(task),
        "promptTips": wire.tips(task),
    }


def without_id() -> Body:
    """Return a reply without an error that names no task."""
    return {"taskId": "", "status": "", "errorCode": "", "errorMessage": "", "results": None}


def query(wire: Wire, task: Task) -> Body:
    """Return the reply of query; a text comes inline, without an address."""
    failed = task.state is State.FAILED
    body = {
        "taskId": wire.task_id(task),
        "status": wire.state(task),
        "errorCode": wire.code(task.error_code, number=False) if failed else "",
        "errorMessage": "unknown error" if failed else "",
        "usage": wire.usage(task),
        "results": [
            {
                "url": wire.file_url(result) if result.text is None else None,
                "nodeId": result.node,
                "outputType": result.kind,
                "text": result.text,
            }
            for result in task.results
        ]
        if task.state is State.SUCCESS
        else None,
        "clientId": "",
        "promptTips": "",
    }
    if not task.over or task.state is State.SUCCESS:
        return {**body, "failedReason": {}}
    return wire.with_reason(body, task, as_text=wire.habits.traceback == "text")


def uploaded(wire: Wire, name: str, size: int) -> Body:
    """Return the reply to an upload."""
    data: dict[str, Any] = {
        "type": "image",
        "download_url": f"{wire.url()}/output/{name.split('/')[1]}",
        wire.habits.upload_name: name,
        "size": str(size),
    }
    return wire.v2(data, wire.habits.upload_code)
