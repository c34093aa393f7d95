"""Read a job's request for RunningHub, and write it as the create call of either generation of its API."""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from makegood.outcome import JSON

Api = Literal["v1", "v2"]

INSTANCE_TYPES: Final = ("default", "plus", "ultra")
RETAIN_SECONDS: Final = range(10, 181)

_TARGETS: Final = ("app", "workflow")
#: Our name of an option -> RunningHub's.
_OPTIONS: Final = {
    "instance_type": "instanceType",
    "access_password": "accessPassword",
    "use_personal_queue": "usePersonalQueue",
    "retain_seconds": "retainSeconds",
    "add_metadata": "addMetadata",
}
#: v1 takes these for workflows alone, and would leave them out without a word.
_WORKFLOW_ONLY: Final = ("use_personal_queue", "retain_seconds", "add_metadata")
_NODE_KEYS: Final = ("node", "field", "value")
_FILE_KEYS: Final = ("file", "address")


#: Names and addresses at RunningHub by the names of a job's files; an address may not be known.
_Known = Mapping[str, Mapping[str, str | None]]


@dataclass(frozen=True, slots=True)
class Call:
    """One create call: what is to be run, with which values and options, and whom to tell of its end."""

    target: Literal["app", "workflow"]
    id: str
    nodes: tuple[Mapping[str, str], ...]
    options: Mapping[str, Any]
    webhook: str | None

    def path_and_body(self, api: Api) -> tuple[str, dict[str, Any]]:
        """Return the route and the JSON body without the key; ids stay text, numbers are sent as text."""
        body: dict[str, Any] = {"nodeInfoList": [dict(node) for node in self.nodes]}
        for name, value in self.options.items():
            # v2's page writes this one as text.
            as_text = api == "v2" and name == "use_personal_queue"
            body[_OPTIONS[name]] = str(value).lower() if as_text else value
        if self.webhook is not None:
            body["webhookUrl"] = self.webhook
        if api == "v2":
            kind = "ai-app" if self.target == "app" else "workflow"
            return f"/openapi/v2/run/{kind}/{self.id}", body
        if self.target == "app":
            return "/task/openapi/ai-app/run", {"webappId": self.id, **body}
        return "/task/openapi/create", {"workflowId": self.id, **body}


def read_request(
    request: JSON,
    files: Mapping[str, str],
    webhook: str | None,
    api: Api,
    addresses: Mapping[str, str] | None = None,
) -> Call:
    """Return the call that *request* stands for; *addresses* are those of the uploads, by their names there.

    *request* is `{"app": id, "nodes": [...]}` or `{"workflow": id, "nodes": [...]}`, with the options
    `instance_type`, `access_password`, `use_personal_queue`, `retain_seconds`, `add_metadata`. ValueError
    says what is wrong with it; nothing has been sent then.
    """
    _known(request, (*_TARGETS, "nodes", *_OPTIONS), "the request")
    targets = [name for name in _TARGETS if name in request]
    if len(targets) != 1:
        raise ValueError(f"it names {' and '.join(targets) or 'no app or workflow'}; name exactly one")
    target: Literal["app", "workflow"] = "app" if targets == ["app"] else "workflow"
    identity = request[target]
    if not isinstance(identity, str) or not (identity.isascii() and identity.isdigit()):
        raise ValueError(f"{target} must be RunningHub's id as text of digits, not {identity!r}")
    if target == "app" and "nodes" not in request:
        raise ValueError("it has no nodes, and an app is run with some")
    nodes = request.get("nodes", [])
    if not isinstance(nodes, list | tuple):
        raise ValueError(f"nodes must be a list, not {nodes!r}")
    options = {name: value for name, value in request.items() if name in _OPTIONS and value is not None}
    for name, value in options.items():
        if problem := _problem(name, value):
            raise ValueError(f"{name} {problem}, not {value!r}")
        if target == "app" and api == "v1" and name in _WORKFLOW_ONLY:
            raise ValueError(f'{name} is for workflows; for an app the account needs api = "v2"')
    known = {
        "file": files,
        "address": {name: (addresses or {}).get(stored) for name, stored in files.items()},
    }
    return Call(target, identity, tuple(_node(node, known) for node in nodes), options, webhook)


def _problem(name: str, value: object) -> str | None:
    match name:
        case "instance_type":
            return None if value in INSTANCE_TYPES else f"must be one of {', '.join(INSTANCE_TYPES)}"
        case "access_password":
            return None if isinstance(value, str) and value else "must be a text"
        case "retain_seconds":
            whole = isinstance(value, int) and not isinstance(value, bool)
            wanted = f"must be a whole number from {RETAIN_SECONDS[0]} to {RETAIN_SECONDS[-1]}"
            return None if whole and value in RETAIN_SECONDS else wanted
        case _:
            return None if isinstance(value, bool) else "must be true or false"


def _node(node: object, known: _Known) -> dict[str, str]:
    if not isinstance(node, Mapping):
        raise ValueError(f"a node must be an object of node, field and value, not {node!r}")
    _known(node, (*_NODE_KEYS, "data"), "a node")
    for key in _NODE_KEYS:
        if key not in node:
            raise ValueError(f"a node has no {key!r}")
    place = f"node {node['node']} {node['field']}"
    read = {
        "nodeId": _name(node["node"], place),
        "fieldName": _name(node["field"], place),
        "fieldValue": _text(node["value"], known, place),
    }
    if "data" not in node:
        return read
    if not isinstance(node["data"], str):
        raise ValueError(f"{place}: data must be a text, not {node['data']!r}")
    return {**read, "fieldData": node["data"]}


def _name(value: object, place: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError(f"{place}: node and field must be texts")
    return str(value)


def _text(value: object, known: _Known, place: str) -> str:
    match value:
        case Mapping():
            kind, name = next(iter(value.items()), ("", None))
            if len(value) != 1 or kind not in _FILE_KEYS or not isinstance(name, str):
                raise ValueError(
                    f'{place}: a value that is an object must be {{"file": name}} or {{"address": name}}'
                )
            if name not in known[kind]:
                raise ValueError(f"{place}: the job has no file {name!r}")
            found = known[kind][name]
            if found is None:
                raise ValueError(
                    f"{place}: RunningHub has told no address of the file {name!r}; it tells one of what is "
                    'uploaded with upload_api = "v2"'
                )
            return found
        case bool():
            return "true" if value else "false"
        case float() if not math.isfinite(value):
            raise ValueError(f"{place}: {value} is no value")
        case str() | int() | float():
            return str(value)
        case _:
            raise ValueError(f"{place}: a value must be a text, a number, true or false, not {value!r}")


def _known(given: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            offer = f"did you mean {close[0]!r}?" if close else f"there is {', '.join(known)}"
            raise ValueError(f"{where} has no key {key!r}; {offer}")
