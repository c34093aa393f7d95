"""What is known after a create call: accepted, rejected or uncertain, and nothing is guessed."""

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from makegood.outcome import Accepted, Cause, Rejected, Retry, Submission, Uncertain
from makegood_adapters.exchange import Exchange, NoReply, Reply
from makegood_adapters.runninghub.codes import Endpoint, Interpretation, Meaning, interpret
from makegood_adapters.runninghub.replies import Wording, code_of, object_of
from makegood_adapters.runninghub.webhook import task_id_of

_log = logging.getLogger(__name__)

#: HTTP statuses that are decided on the request's head, before anything can create a task. 403 is
#: not among them: a firewall may also block the reply to a request that has been carried out.
_REFUSED_BY_HTTP: Final = frozenset({301, 302, 303, 307, 308, 400, 404, 405, 411, 413, 414, 415})
_REFUSED_FOR_NOW_BY_HTTP: Final[Mapping[int, Cause]] = {401: Cause.ACCOUNT, 429: Cause.PACE}


def judge(exchange: Exchange, wording: Wording) -> Submission:
    """Return what *exchange*, the only one of a create call, proves.

    Rejected only where RunningHub, HTTP or the lack of a connection proves that there is no task: every
    listed code that says so, or a request that never left.
    """
    if isinstance(exchange, NoReply):
        if exchange.sent:
            return Uncertain(exchange.problem)
        return Rejected("connection", exchange.problem, Retry.LATER, cause=Cause.PACE)
    body = exchange.body
    if body is None:
        return _by_http_status(exchange, exchange.problem, wording)
    data, message = object_of(body.get("data")), wording.message(body)
    read = interpret(Endpoint.SUBMIT, code_of(body), message)
    task_id = task_id_of(data.get("taskId")) or task_id_of(body.get("taskId"))
    if task_id is not None:
        # A task that has a name can be asked about, whatever else the reply complains of.
        _warn_of_complaints(task_id, read, data.get("promptTips", body.get("promptTips")), wording)
        return Accepted(task_id)
    said = wording.refusal(read, message)
    if not read.listed:
        return _by_http_status(exchange, said, wording)
    if exchange.status >= 500:
        return Uncertain(wording.clean(f"HTTP {exchange.status} with {said}"))
    match read.meaning:
        case Meaning.LATER:
            after = exchange.retry_after_seconds or read.after_seconds
            return Rejected(read.code, said, Retry.LATER, after, read.cause)
        case Meaning.NEVER:
            return Rejected(read.code, said, Retry.NEVER, cause=read.cause)
        case Meaning.SUCCESS:
            return Uncertain("success without a usable taskId")
        case _:
            return Uncertain(said)


def _by_http_status(reply: Reply, problem: str, wording: Wording) -> Submission:
    code = f"http {reply.status}"
    if (cause := _REFUSED_FOR_NOW_BY_HTTP.get(reply.status)) is not None:
        text = f"{problem}. {wording.of_key}" if cause is Cause.ACCOUNT else problem
        return Rejected(code, wording.clean(text), Retry.LATER, reply.retry_after_seconds, cause)
    if reply.status in _REFUSED_BY_HTTP:
        moved = "; a redirect: base_url of the account must be the site's own address, with https://"
        return Rejected(code, wording.clean(problem + moved * (reply.status < 400)), Retry.NEVER)
    return Uncertain(wording.clean(problem))


def _warn_of_complaints(task_id: str, read: Interpretation, tips: Any, wording: Wording) -> None:
    """Log what a reply with a task id also says; the task may fail, and may cost, because of it.

    `promptTips` is JSON inside a string; its `node_errors` can be filled although a task runs.
    """
    try:
        errors = object_of(json.loads(tips)).get("node_errors") if isinstance(tips, str) else None
    except (ValueError, RecursionError):
        errors = None
    if errors:
        text = wording.clean(tips)
        _log.warning("RunningHub: task %s has node errors: %s", task_id, text)
    if read.listed and read.meaning is not Meaning.SUCCESS:
        _log.warning("RunningHub: task %s came with code %s", task_id, read.code)
