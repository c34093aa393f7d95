"""The routes that create, read and cancel tasks, and tell of their webhooks."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from makegood_adapters.runninghub.simulator import wire_v1, wire_v2
from makegood_adapters.runninghub.simulator.clock import at_rest
from makegood_adapters.runninghub.simulator.door import Answer, Door, Incoming, Route
from makegood_adapters.runninghub.simulator.platform import Platform, Refused
from makegood_adapters.runninghub.simulator.request import Api, Kind, Node
from makegood_adapters.runninghub.simulator.tasks import Task
from makegood_adapters.runninghub.simulator.wire import Body, Wire

_REPLY_HELD_SECONDS: Final = 30.0


class TaskRoutes:
    """Adds them to *door*."""

    def __init__(self, door: Door, platform: Platform, wire: Wire) -> None:
        self._platform, self._wire = platform, wire
        run = Route(call="create", shape="v1", handler=self._run_app)
        door.add("POST", "/task/openapi/ai-app/run", run)
        door.add("POST", "/task/openapi/quick-ai-app/run", run)
        create = Route(call="create", shape="v1", handler=self._run_workflow)
        door.add("POST", "/task/openapi/create", create)
        run_v2 = Route(call="create", shape="v2_task", handler=self._run_v2)
        door.add("POST", "/openapi/v2/run/{kind:ai-app|workflow}/{app}", run_v2)
        for name, handler in (("status", wire_v1.status), ("outputs", wire_v1.outputs)):
            read = Route(call=name, shape="v1", handler=self._reader(handler))  # type: ignore[arg-type]  # a literal
            door.add("POST", f"/task/openapi/{name}", read)
        query = Route(call="query", shape="v2_task", handler=self._query)
        door.add("POST", "/openapi/v2/query", query)
        cancel = Route(call="cancel", shape="v1", handler=self._cancel)
        door.add("POST", "/task/openapi/cancel", cancel)
        detail = Route(call="webhook_detail", shape="v1", handler=self._webhook_detail)
        door.add("POST", "/task/openapi/getWebhookDetail", detail)
        retry = Route(call="webhook_retry", shape="v1", handler=self._webhook_retry)
        door.add("POST", "/task/openapi/retryWebhook", retry)

    def webhook_body(self, task: Task) -> Body:
        """Return the body of a webhook: v1 puts its outputs into a string, v2 its query in an object."""
        return {
            "event": "TASK_END",
            "taskId": self._wire.task_id(task),
            "eventData": self._event(task),
        }

    def _event(self, task: Task) -> Any:
        if (task.faults.webhook_shape or task.request.api) == "v1":
            return wire_v1.webhook_data(self._wire, task)
        return wire_v2.query(self._wire, task)

    # Creating

    async def _run_app(self, call: Incoming) -> Answer:
        nodes = _nodes(call.body.get("nodeInfoList"), needed=True)
        return await self._create(call, "v1", "app", str(call.body.get("webappId")), nodes)

    async def _run_workflow(self, call: Incoming) -> Answer:
        nodes = _workflow_nodes(call.body)
        return await self._create(call, "v1", "workflow", str(call.body.get("workflowId")), nodes)

    async def _run_v2(self, call: Incoming) -> Answer:
        found = call.request.match_info
        if found["kind"] == "ai-app":
            nodes = _nodes(call.body.get("nodeInfoList"), needed=True)
            return await self._create(call, "v2", "app", found["app"], nodes)
        return await self._create(call, "v2", "workflow", found["app"], _workflow_nodes(call.body))

    async def _create(self, call: Incoming, api: Api, kind: Kind, app: str, nodes: list[Node]) -> Answer:
        webhook = call.body.get("webhookUrl") or None
        if webhook is not None and not isinstance(webhook, str):
            raise Refused("301")
        personal = str(call.body.get("usePersonalQueue")).lower() == "true"
        instance = str(call.body.get("instanceType") or "default")
        task = self._platform.create(
            call.key, api, kind, app, nodes, webhook_url=webhook, personal_queue=personal, instance=instance
        )
        if task.faults.at_once:
            async with at_rest(self._platform.clock):
                await self._platform.wait_for(lambda: task.over, _REPLY_HELD_SECONDS)
        # The reply tells the state at acceptance, also where it is held back.
        body = (wire_v1.created if api == "v1" else wire_v2.created)(self._wire, task)
        if task.faults.webhook_before_reply:
            async with at_rest(self._platform.clock):
                await self._platform.wait_for(lambda: _webhook_tried(task), _REPLY_HELD_SECONDS)
        return Answer(body, task.faults, task)

    # Reading

    def _reader(self, answer: Callable[[Wire, Task], Body]) -> Callable[[Incoming], Any]:
        async def read(call: Incoming) -> Answer:
            return Answer(answer(self._wire, _task_of(call)))

        return read

    async def _query(self, call: Incoming) -> Answer:
        if call.task is not None:
            return Answer(wire_v2.query(self._wire, call.task))
        # Already v2's own code, which this habit chooses.
        raise Refused(self._platform.habits.unknown_code)

    async def _cancel(self, call: Incoming) -> Answer:
        task = _task_of(call, self._platform.habits.cancel_unknown_code)
        if task.over:
            raise Refused("817")
        self._platform.lives.cancel(task)
        return Answer(self._wire.v1("0"))

    # Webhooks

    async def _webhook_detail(self, call: Incoming) -> Answer:
        task = _task_of(call)
        return Answer(wire_v1.webhook_detail(self._wire, task, self._event(task)))

    async def _webhook_retry(self, call: Incoming) -> Answer:
        wanted = call.body.get("webhookId")
        for task in self._platform.tasks.values():
            if task.webhook_id == wanted is not None and self._platform.find(call.key, task.id) is task:
                url = str(call.body.get("webhookUrl") or task.request.webhook_url)
                self._platform.lives.redeliver(task, url)
                return Answer(self._wire.v1("0", msg=""))
        raise Refused("1")


def _task_of(call: Incoming, unknown: str = "807") -> Task:
    """Return the task of a v1 call. Raises Refused, with the code *unknown* if there is none."""
    told = str(call.body.get("taskId"))
    if not told.isdecimal() or int(told) == 0:
        raise Refused("301", "taskId must be positive")
    if call.task is None:
        raise Refused(unknown)
    return call.task


def _workflow_nodes(body: Mapping[str, Any]) -> list[Node]:
    """Read nodeInfoList, or all inputs of the graph in `workflow`, which replaces it. Raises Refused."""
    graph = body.get("workflow")
    if not graph:
        return _nodes(body.get("nodeInfoList"), needed=False)
    try:
        nodes = [
            Node(str(number), str(field), str(value))
            for number, node in json.loads(graph).items()
            for field, value in node["inputs"].items()
            if not isinstance(value, list | dict)
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Refused("433") from None
    return nodes


def _nodes(value: Any, *, needed: bool) -> list[Node]:
    """Read nodeInfoList; numbers are accepted as text and the other way round. Raises Refused."""
    if not value and not needed:
        return []
    if not isinstance(value, list) or not value:
        raise Refused("301")
    nodes = []
    for item in value:
        if not isinstance(item, dict) or not {"nodeId", "fieldName", "fieldValue"} <= item.keys():
            raise Refused("803")
        node, field, value = (str(item[key]) for key in ("nodeId", "fieldName", "fieldValue"))
        nodes.append(Node(node, field, value, str(item.get("fieldData") or "")))
    return nodes


def _webhook_tried(task: Task) -> bool:
    return bool(task.deliveries) or task.life is None or task.life.done()
