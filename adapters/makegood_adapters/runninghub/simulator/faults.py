"""What shall go wrong with which task or call, as plain values that also travel as JSON."""

from collections.abc import Mapping
from dataclasses import field, fields, replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field
from pydantic.dataclasses import dataclass

from makegood_adapters.runninghub.simulator.plain import CHECKED, read
from makegood_adapters.runninghub.simulator.request import TaskRequest

Stage = Literal["queued", "running"]
Call = Literal[
    "create",
    "query",
    "outputs",
    "status",
    "cancel",
    "upload",
    "account",
    "queue",
    "webhook_detail",
    "webhook_retry",
    "metadata",
    "download",
]
BrokenReply = Literal["html", "empty", "truncated", "cut", "not_json", "redirect", "no_task_id"]
FileFault = Literal["expired", "truncated", "html", "unavailable", "dropped"]
Reason = Literal["given", "empty", "null", "absent"]

Seconds = Annotated[float, Field(ge=0)]
Code = Annotated[str, Field(pattern=r"^-?\d{1,5}$")]


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Faults:
    """What goes wrong with one task, or with one other call; the default is nothing.

    **The reply**, of a create call or of the call that a rule names. `refuse` is the v1 error code
    of the reply, told in its v2 form on v2, and nothing is done. `reply_code` is a code in the reply
    of a call that was carried out all the same. `reply_status` is an HTTP status, with an HTML page
    unless there is a code too; `retry_after_seconds` becomes its header. `reply` breaks the body:
    a page or a redirect to one, none at all, JSON that ends early in a complete or in a cut
    transfer, no JSON, a success without a task id. `drop_reply` closes the connection instead.
    The task was created behind all these but `refuse`, unless `no_task` says otherwise.
    `reply_seconds` delays whatever comes; `node_errors` puts a complaint in promptTips.

    **The task.** `fail` is the exception message it fails with and `exception_type` its class;
    `transient` gives that failure the code 1015 instead of 805, `fail_code` any other, and
    `failed_reason` overrules the site's habit. `no_outputs` succeeds with an empty result, `text`
    with a text instead of a file. `queued_seconds` and `running_seconds` replace the pace; `hold`
    stops the task in a stage until it is released; `at_once` ends it before the create reply, which
    tells so. `unseen_seconds` overrules how long reads do not know it. `cancel` is what becomes of
    a cancel request that was accepted, `cancel_seconds` how long it takes.

    **The webhook.** `webhooks` is how often it is delivered, 0 for never; `webhook_before_reply`
    finishes the task at once and holds the create reply until the webhook was tried;
    `webhook_delay_seconds` lets it wait, `webhook_out_of_order` until that of a later task was
    tried; `webhook_shape` overrules the shape that belongs to the create call.

    **The files.** `file` is what a download of a result gets, `file_seconds` how long it takes.
    """

    refuse: Code | None = None
    no_task: bool = False
    reply_seconds: Seconds = 0.0
    drop_reply: bool = False
    reply: BrokenReply | None = None
    reply_status: Annotated[int, Field(ge=200, le=599)] | None = None
    reply_code: Code | None = None
    retry_after_seconds: Annotated[int, Field(ge=0)] | None = None
    node_errors: bool = False
    fail: str | None = None
    exception_type: str | None = None
    transient: bool = False
    fail_code: Code | None = None
    failed_reason: Reason | None = None
    no_outputs: bool = False
    text: str | None = None
    queued_seconds: Seconds | None = None
    running_seconds: Seconds | None = None
    hold: Stage | None = None
    at_once: bool = False
    unseen_seconds: Seconds | None = None
    cancel: Literal["success_wins", "ignored"] | None = None
    cancel_seconds: Seconds | None = None
    webhooks: Annotated[int, Field(ge=0)] = 1
    webhook_before_reply: bool = False
    webhook_delay_seconds: Seconds = 0.0
    webhook_out_of_order: bool = False
    webhook_shape: Literal["v1", "v2"] | None = None
    file: FileFault | None = None
    file_seconds: Seconds = 0.0

    def with_faults(self, other: "Faults") -> "Faults":
        """Return these faults, overruled by those that *other* has."""
        given = {f.name: getattr(other, f.name) for f in fields(other) if getattr(other, f.name) != f.default}
        return replace(self, **given)

    @property
    def breaks_reply(self) -> bool:
        """Whether the caller does not get the reply that belongs to what was done."""
        return self.drop_reply or any((self.reply, self.reply_status, self.reply_code))


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Match:
    """Which tasks or calls a rule is for: all that is given must hold; nothing given fits every task.

    `call` names the kind of call. The others say which task it must be about: `arrival` is the
    number of the create call that was accepted or refused by a fault, from 1; `input_sha256` is the
    digest of an input file in hex, so that a file's bytes mark its job, and of the file itself for
    an upload; `value` is the text of some node's value, or of the node `node` if that is given too;
    `instance` the kind of machine that is asked for: default, plus or ultra. `key` is the API key of the
    call.
    """

    call: Call = "create"
    key: str | None = None
    arrival: Annotated[int, Field(ge=1)] | None = None
    app: str | None = None
    input_sha256: str | None = None
    node: str | None = None
    instance: str | None = None
    value: str | None = None

    def fits(
        self,
        call: Call,
        request: TaskRequest | None = None,
        *,
        key: str | None = None,
        sha256: str | None = None,
    ) -> bool:
        """Tell whether the rule is for this call about this task, or for the upload of this file."""
        if call != self.call or self.key not in (None, key):
            return False
        inputs = () if request is None else request.inputs
        if self.input_sha256 is not None and self.input_sha256 not in (*inputs, sha256):
            return False
        about_task = (self.arrival, self.app, self.node, self.value, self.instance)
        if all(wanted is None for wanted in about_task):
            return True
        if request is None or self.arrival not in (None, request.arrival):
            return False
        if self.app not in (None, request.app) or self.instance not in (None, request.instance):
            return False
        if self.node is None and self.value is None:
            return True
        return any(
            self.node in (None, node.node) and self.value in (None, node.value) for node in request.nodes
        )


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Rule:
    """Faults for the next `times` tasks or calls that match, None for all of them."""

    faults: Faults
    match: Match = field(default_factory=Match)
    times: Annotated[int, Field(ge=1)] | None = 1

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read `{"match": {…}, "faults": {…}, "times": 1}`; raises ValueError with a sentence."""
        if not isinstance(value, Mapping) or not isinstance(value.get("faults"), Mapping):
            raise ValueError('A rule is an object like {"match": {…}, "faults": {…}, "times": 1}.')
        return read(cls, value)


class FaultPlan:
    """The rules in the order in which they were added; the first that fits is used."""

    def __init__(self) -> None:
        self._rules: list[tuple[Rule, int | None]] = []

    def add(self, rule: Rule) -> None:
        """Add a rule behind the others."""
        self._rules.append((rule, rule.times))

    def add_first(self, rule: Rule) -> None:
        """Add a rule before the others."""
        self._rules.insert(0, (rule, rule.times))

    def remove(self, rule: Rule) -> None:
        """Take a rule away, if it has not been used up."""
        self._rules = [kept for kept in self._rules if kept[0] is not rule]

    def take(
        self,
        call: Call,
        request: TaskRequest | None = None,
        *,
        key: str | None = None,
        sha256: str | None = None,
    ) -> Faults | None:
        """Return the faults for this call and use up the rule once; None if no rule is for it."""
        for place, (rule, left) in enumerate(self._rules):
            if rule.match.fits(call, request, key=key, sha256=sha256):
                if left is not None and left <= 1:
                    del self._rules[place]
                elif left is not None:
                    self._rules[place] = (rule, left - 1)
                return rule.faults
        return None
