"""The routes about keys and accounts, and those that list what a site has."""

import json
from typing import Any

from makegood_adapters.runninghub.simulator.apps import APP_INPUTS
from makegood_adapters.runninghub.simulator.door import Answer, Door, Incoming, Route
from makegood_adapters.runninghub.simulator.platform import Platform, Refused
from makegood_adapters.runninghub.simulator.wire import Body, Wire

_COUNTS = ("likeCount", "downloadCount", "useCount", "pv", "collectCount")


class AccountRoutes:
    """Adds them to *door*."""

    def __init__(self, door: Door, platform: Platform, wire: Wire) -> None:
        self._platform, self._wire = platform, wire
        account = Route(call="account", shape="v1", handler=self._account)
        door.add("POST", "/uc/openapi/accountStatus", account)
        queue = Route(call="queue", shape="v2", handler=self._queue)
        door.add("GET", "/openapi/v2/queue/status", queue)
        graph = Route(call="metadata", shape="v1", handler=self._graph)
        door.add("POST", "/api/openapi/getJsonApiFormat", graph)
        demo = Route(call="metadata", shape="v1", handler=self._demo)
        door.add("GET", "/api/webapp/apiCallDemo", demo)
        keys = Route(call="metadata", shape="v2", handler=self._keys)
        door.add("GET", "/openapi/v2/api-key/list", keys)
        resources = Route(call="metadata", shape="v2", handler=self._resources)
        door.add("POST", "/openapi/v2/resource/list", resources)
        apps = Route(call="metadata", shape="v2", handler=self._apps)
        door.add("POST", "/openapi/v2/aiapp/list", apps)
        webapps = Route(call="metadata", shape="v1", handler=self._apps, open=True)
        door.add("POST", "/api/webapp/list", webapps)

    async def _account(self, call: Incoming) -> Answer:
        account = self._platform.setting.keys[self._platform.account_of(call.key)]
        data = {
            "remainCoins": str(self._platform.coins_of(call.key)),
            "currentTaskCounts": str(sum(self._platform.load_of(call.key))),
            "remainMoney": None if account.money is None else str(account.money),
            "currency": None if account.money is None else "CNY",
            "apiType": account.type,
        }
        return Answer(self._wire.v1("0", data))

    async def _queue(self, call: Incoming) -> Answer:
        account = self._platform.setting.keys[self._platform.account_of(call.key)]
        running, queued = self._platform.load_of(call.key)
        reported = self._platform.habits.reported_limit
        data = {
            "apiKeyType": account.type,
            "concurrentLimit": account.limit if reported is None else reported,
            "runningCount": str(running),
            "queuedCount": str(queued),
            "totalCurrentTasks": str(running + queued),
            "instanceCount": account.limit if account.type == "EXCLUSIVE" else 0,
        }
        return Answer(self._wire.v2(data))

    async def _graph(self, call: Incoming) -> Answer:
        workflow = self._platform.setting.workflows.get(str(call.body.get("workflowId")))
        if workflow is None:
            raise Refused("380")
        if not workflow.saved:
            raise Refused("810")
        prompt = {"prompt": json.dumps(dict(workflow.graph))}
        return Answer(self._wire.v1("0", prompt, msg="SUCCESS"))

    async def _demo(self, call: Incoming) -> Answer:
        app = str(call.body.get("webappId"))
        if app not in self._platform.setting.apps:
            raise Refused("901")
        inputs = [
            {
                "nodeId": node,
                "nodeName": name,
                "fieldName": field,
                "fieldValue": value,
                "fieldData": json.dumps([[value], {"image_upload": True}]),
                "fieldType": kind,
                "description": field,
                "descriptionEn": field,
            }
            for node, name, field, kind, value in APP_INPUTS.get(app, ())
        ]
        data = {**_told_of(app), "curl": self._curl(app, inputs), "nodeInfoList": inputs, "covers": []}
        return Answer(self._wire.v1("0", data))

    def _curl(self, app: str, inputs: list[dict[str, str]]) -> str:
        fields = ("nodeId", "fieldName", "fieldValue")
        nodes = [{name: node[name] for name in fields} for node in inputs]
        body = json.dumps({"webappId": app, "apiKey": "your-key", "nodeInfoList": nodes})
        where = f"{self._wire.url()}/task/openapi/ai-app/run"
        return f"curl -X POST {where} -H 'Content-Type: application/json' -d '{body}'"

    async def _keys(self, call: Incoming) -> Answer:
        account = self._platform.account_of(call.key)
        keys = self._platform.setting.keys
        told = [
            {
                "key": f"***{key[-4:]}",
                "apiKeyName": f"key {number}",
                "status": 1,
                "quotaLimit": None,
                "quotaUsed": 0,
                "visible": False,
                "createdAt": "2026-01-01T00:00:00",
            }
            for number, key in enumerate(keys, 1)
            if self._platform.account_of(key) == account
        ]
        return Answer(self._wire.v2(told, key="msg"))

    async def _resources(self, call: Incoming) -> Answer:
        """Return none: the simulator has no models to choose from."""
        return Answer(self._wire.v2(_page(call, [])))

    async def _apps(self, call: Incoming) -> Answer:
        records = [_told_of(app) for app in self._platform.setting.apps]
        page = _page(call, records)
        is_v1 = call.request.path.startswith("/api/")
        return Answer(self._wire.v1("0", page) if is_v1 else self._wire.v2(page))


def _told_of(app: str) -> Body:
    return {
        "id": app,
        "webappId": app,
        "name": f"App {app}",
        "webappName": f"App {app}",
        "description": "An app of the simulator",
        "tags": [],
        "statisticsInfo": dict.fromkeys(_COUNTS, "0"),
    }


def _page(call: Incoming, records: list[Body]) -> dict[str, Any]:
    """Return one page of a listing; a page or size that is no number is the first, of twenty."""
    page, size = (_number(call.body.get(name), usual) for name, usual in (("current", 1), ("size", 20)))
    start = (page - 1) * size
    return {
        "records": records[start : start + size],
        "total": len(records),
        "size": size,
        "current": page,
        "pages": -(-len(records) // size),
        "hasNext": start + size < len(records),
        "hasPrevious": page > 1,
    }


def _number(value: Any, usual: int) -> int:
    text = str(value)
    return int(text) if text.isdecimal() and 0 < int(text) < 1000 else usual
