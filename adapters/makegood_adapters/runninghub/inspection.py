"""What only a person asks RunningHub: which inputs an app has, and what became of a webhook."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from makegood_adapters.exchange import Exchange, Reply
from makegood_adapters.runninghub.client import RunningHubClient
from makegood_adapters.runninghub.codes import Endpoint, Meaning, interpret
from makegood_adapters.runninghub.patience import Patience
from makegood_adapters.runninghub.replies import Wording, code_of, object_of, whole_number
from makegood_adapters.runninghub.webhook import task_id_of


@dataclass(frozen=True, slots=True)
class Found:
    """An app or workflow; `fields` are the (node, field) pairs that it lists, empty if it lists none."""

    name: str
    fields: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What RunningHub says of a webhook that it sent, or tried to; `id` is its name, not that of the task."""

    id: str
    arrived: bool
    response: str
    repetitions: int | None


class Inspection:
    """Asks with the patience of any question; each raises ProviderUnavailable when there is no answer."""

    def __init__(self, client: RunningHubClient, patience: Patience, wording: Wording) -> None:
        self._client, self._patience, self._wording = client, patience, wording

    async def target(self, kind: Literal["app", "workflow"], identity: str) -> Found | None:
        """Return what is run under this id; None where the site has no such call."""
        if kind == "app":
            exchange = await self._patience.ask(lambda: self._client.app_inputs(identity))
        else:
            exchange = await self._patience.ask(lambda: self._client.workflow_graph(identity))
        if isinstance(exchange, Reply) and exchange.body is None and exchange.status in (404, 405):
            return None
        data = self._data(exchange, f"does not run {kind} {identity}")
        if kind == "app":
            return Found(self._wording.clean(str(data.get("webappName") or "")), _listed(data))
        return Found("", _in_graph(data.get("prompt")))

    async def delivery(self, task_id: str) -> Delivery | None:
        """Return what became of the webhook of a task that is over; None: there was none so far."""
        exchange = await self._patience.ask(lambda: self._client.webhook_detail(task_id))
        if code_of(self._wording.usable(exchange)) == "1":
            return None
        data = self._data(exchange, "does not tell about the webhook")
        return Delivery(
            id=task_id_of(data.get("id")) or "",
            arrived=data.get("callbackStatus") == "SUCCESS",
            response=self._wording.clean(str(data.get("callbackResponse") or "")),
            repetitions=whole_number(data.get("retryCount")),
        )

    async def send_again(self, delivery: Delivery) -> None:
        """Have a webhook sent once more, to where it went first; a duplicate is harmless."""
        exchange = await self._patience.ask(lambda: self._client.retry_webhook(delivery.id))
        self._data(exchange, "does not send the webhook again")

    def _data(self, exchange: Exchange, otherwise: str) -> Mapping[str, Any]:
        body = self._wording.usable(exchange)
        message = self._wording.message(body)
        read = interpret(Endpoint.READ, code_of(body), message)
        if read.meaning is not Meaning.SUCCESS:
            raise self._wording.unavailable(otherwise, self._wording.refusal(read, message))
        return object_of(body.get("data"))


def _listed(data: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    nodes = data.get("nodeInfoList")
    found = [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []
    return frozenset((str(node.get("nodeId")), str(node.get("fieldName"))) for node in found)


def _in_graph(prompt: Any) -> frozenset[tuple[str, str]]:
    """Return the nodes and inputs of a graph in ComfyUI's API format, which comes as JSON inside a text."""
    try:
        graph = object_of(json.loads(prompt)) if isinstance(prompt, str) else {}
    except (ValueError, RecursionError):
        graph = {}
    inputs = {node: object_of(object_of(told).get("inputs")) for node, told in graph.items()}
    return frozenset((str(node), str(name)) for node, names in inputs.items() for name in names)
