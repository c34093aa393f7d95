"""The routes of standard models, which only enterprise-shared keys may use."""

from makegood_adapters.runninghub.simulator import wire_v2
from makegood_adapters.runninghub.simulator.door import Answer, Door, Incoming, Route
from makegood_adapters.runninghub.simulator.platform import Platform, Refused
from makegood_adapters.runninghub.simulator.request import Node
from makegood_adapters.runninghub.simulator.wire import Wire

_NO_INPUTS = frozenset({"webhookUrl", "apiKey", "apikey"})


class ModelRoutes:
    """Adds those of every model of the site to *door*."""

    def __init__(self, door: Door, platform: Platform, wire: Wire) -> None:
        self._platform, self._wire = platform, wire
        run = Route(call="create", shape="v2_task", handler=self._run)
        price = Route(call="metadata", shape="v2_task", handler=self._price)
        for endpoint in platform.setting.models:
            door.add("POST", f"/openapi/v2/{endpoint}", run)
            door.add("POST", f"/openapi/v2/price-preview/{endpoint}", price)

    async def _run(self, call: Incoming) -> Answer:
        self._only_for_enterprises(call.key)
        webhook = call.body.get("webhookUrl") or None
        if webhook is not None and not isinstance(webhook, str):
            raise Refused("301")
        endpoint = call.request.path.removeprefix("/openapi/v2/")
        nodes = [
            Node(name, name, self._file_or(str(value)))
            for name, value in call.body.items()
            if name not in _NO_INPUTS
        ]
        task = self._platform.create(call.key, "v2", "model", endpoint, nodes, webhook_url=webhook)
        return Answer(wire_v2.created(self._wire, task), task.faults, task)

    async def _price(self, call: Incoming) -> Answer:
        self._only_for_enterprises(call.key)
        told = {
            "errorCode": "",
            "errorMessage": "",
            "estimatedPrice": 0.1,
            "currency": "CNY",
            "priceText": "0.1 CNY",
            "priceTextEn": "0.1 CNY",
            "freeLimit": False,
        }
        return Answer(told)

    def _file_or(self, value: str) -> str:
        """Return the stored name behind the download address of one of our uploads."""
        mine = f"{self._wire.url()}/output/"
        return f"openapi/{value.removeprefix(mine)}" if value.startswith(mine) else value

    def _only_for_enterprises(self, key: str) -> None:
        if self._platform.setting.keys[self._platform.account_of(key)].type != "SHARED":
            raise Refused("1014")
