"""What the bodies of both generations of RunningHub's API share, and the refusals of each shape."""

import json
from collections.abc import Callable
from typing import Any, Literal

from makegood_adapters.runninghub.simulator.codes import V2_CODES, text_of
from makegood_adapters.runninghub.simulator.faults import Reason
from makegood_adapters.runninghub.simulator.habits import Habits
from makegood_adapters.runninghub.simulator.tasks import Result, State, Task

Body = dict[str, Any]

#: v1; v2's run and query, which are not wrapped; v2's other calls.
Shape = Literal["v1", "v2_task", "v2"]


class Wire:
    """Words and types as the site's habits want them; `url` gives the site's address."""

    def __init__(self, habits: Habits, url: Callable[[], str]) -> None:
        self.habits, self.url = habits, url

    def v1(self, code: str, data: Any = None, msg: str | None = None) -> Body:
        """Return the v1 envelope. *msg* is the text that its page shows for a success."""
        text = msg if msg is not None else text_of(code)
        if code == "0" and self.habits.msg != "as_shown":
            text = {"lower": "success", "upper": "SUCCESS", "empty": ""}[self.habits.msg]
        return {"code": self.code(code, number=True), "msg": text, "errorMessages": None, "data": data}

    def v2(self, data: Any, code: int = 0, key: Literal["message", "msg"] = "message") -> Body:
        """Return the envelope of v2's calls that are about no task."""
        return {"code": code, key: "success", "data": data}

    def error(self, shape: Shape, code: str, text: str | None = None) -> Body:
        """Return a refusal for a v1 code in the form of *shape*; -1 and 401 look alike everywhere."""
        if code == "401":
            return {"code": self.code(code, number=True), "message": text_of(code), "data": None}
        if code == "-1":
            return {"code": self.code(code, number=True), "msg": text_of(code)}
        if shape == "v1":
            return self.v1(code, msg=text)
        own = V2_CODES.get(code, code)
        said = text if text is not None and own == code else text_of(own)
        if shape == "v2":
            return {"code": self.code(own, number=True), "message": said, "data": None}
        return {
            "taskId": "",
            "status": "",
            "errorCode": self.code(own, number=False),
            "errorMessage": said,
            "results": None,
        }

    def code(self, code: str, *, number: bool) -> int | str:
        """Return a code as a number or as text."""
        if self.habits.codes != "usual":
            number = self.habits.codes == "number"
        return int(code) if number and code else code

    def task_id(self, task: Task) -> str | int:
        """Return the id as text, or as the number that the documentation's schema says it is."""
        return task.id if self.habits.ids == "text" else int(task.id)

    def state(self, task: Task) -> str:
        """Return the state's word."""
        if task.state is State.CANCEL:
            return self.habits.cancel_word
        if task.state is State.QUEUED and self.habits.first_state == "CREATE":
            return "CREATE"
        return task.state.value

    def file_url(self, result: Result) -> str:
        """Return where a result can be downloaded."""
        return f"{self.url()}/output/{result.name}"

    def tips(self, task: Task) -> str:
        """Return promptTips, which is JSON inside a string."""
        tips: Body = {"result": True, "error": None, "outputs_to_execute": ["9"], "node_errors": {}}
        if task.faults.node_errors:
            tips["node_errors"] = {"9": {"errors": [{"type": "value_not_in_list"}]}}
        return json.dumps(tips)

    def usage(self, task: Task, *, number: bool = False) -> Body:
        """Return the bill; *number* where RunningHub itself gives the duration as one."""
        number = number or self.habits.numbers == "number"
        seconds, coins = task.cost_seconds if task.over else 0, task.coins
        return {
            "taskCostTime": seconds if number else str(seconds),
            "consumeCoins": (coins if self.habits.numbers == "number" else str(coins)) if task.over else None,
            "consumeMoney": None,
            "thirdPartyConsumeMoney": None,
        }

    def socket(self, task: Task) -> str:
        """Return netWssUrl, the address of a running task's progress, which nobody serves here."""
        return f"wss://www.runninghub.cn:443/ws/c_instance?c_port=80&clientId={client_id(task)}"

    def with_reason(self, body: Body, task: Task, *, as_text: bool) -> Body:
        """Return *body* with failedReason as fault and habits want it."""
        how: Reason = self.habits.cancelled_reason
        if task.state is State.FAILED:
            how = task.faults.failed_reason or self.habits.failed_reason
        if how == "absent":
            return body
        given = _reason(task, as_text=as_text) if how == "given" and task.state is State.FAILED else {}
        return {**body, "failedReason": None if how == "null" else given}


def client_id(task: Task) -> str:
    """Return a clientId: 32 characters."""
    return f"{int(task.id):032x}"


def _reason(task: Task, *, as_text: bool) -> Body:
    """Return what a failed node tells; its traceback is a JSON string on v1 and may be a list on v2."""
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
