"""How likely each mishap is, and the draw: the same seed and order of calls give the same mishaps."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Annotated, Any, Final, Self

from pydantic import Field
from pydantic.dataclasses import dataclass

from makegood_adapters.runninghub.simulator.faults import Call, Faults, Seconds
from makegood_adapters.runninghub.simulator.plain import CHECKED, read

Chance = Annotated[float, Field(ge=0, le=1)]

#: What a submission that says "something went wrong" may say; undocumented whether a task exists.
UNCERTAIN_CODES: Final = ("500", "1000", "1005", "1010", "1012")


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Odds:
    """A probability from 0 to 1 for every mishap; `Odds.all(0.05)` turns on everything at once.

    A mishap with several forms, such as a broken create reply with and without a task behind it,
    takes one of them, each as likely. A create call draws at most one mishap of its reply, one of
    the task, one of cancelling and one of the webhook; any other call draws at most one.
    `slow_seconds` is no probability but how long slow replies, tasks, webhooks and files take.
    """

    create_busy: Chance = 0.0
    create_rejected: Chance = 0.0
    create_unauthorised: Chance = 0.0
    create_slow: Chance = 0.0
    create_dropped: Chance = 0.0
    create_status: Chance = 0.0
    create_html: Chance = 0.0
    create_redirect: Chance = 0.0
    create_without_id: Chance = 0.0
    create_empty: Chance = 0.0
    create_truncated: Chance = 0.0
    create_not_json: Chance = 0.0
    create_uncertain: Chance = 0.0
    create_complaints: Chance = 0.0
    task_fails: Chance = 0.0
    task_fails_for_now: Chance = 0.0
    task_unexplained: Chance = 0.0
    task_empty: Chance = 0.0
    task_text: Chance = 0.0
    task_slow: Chance = 0.0
    task_at_once: Chance = 0.0
    task_unseen: Chance = 0.0
    cancel_too_late: Chance = 0.0
    cancel_ignored: Chance = 0.0
    cancel_slow: Chance = 0.0
    webhook_never: Chance = 0.0
    webhook_twice: Chance = 0.0
    webhook_early: Chance = 0.0
    webhook_late: Chance = 0.0
    webhook_out_of_order: Chance = 0.0
    webhook_other_shape: Chance = 0.0
    read_too_many: Chance = 0.0
    read_busy: Chance = 0.0
    read_status: Chance = 0.0
    read_unauthorised: Chance = 0.0
    read_slow: Chance = 0.0
    read_dropped: Chance = 0.0
    read_broken: Chance = 0.0
    upload_failed: Chance = 0.0
    upload_status: Chance = 0.0
    upload_dropped: Chance = 0.0
    file_refused: Chance = 0.0
    file_truncated: Chance = 0.0
    file_html: Chance = 0.0
    file_unavailable: Chance = 0.0
    file_dropped: Chance = 0.0
    file_slow: Chance = 0.0
    slow_seconds: Seconds = 0.2

    @classmethod
    def all(cls, chance: float, *, slow_seconds: float = 0.2) -> Self:
        """Return odds in which every mishap is as likely as *chance*."""
        names = [known.name for known in fields(cls) if known.name != "slow_seconds"]
        return cls(**dict.fromkeys(names, chance), slow_seconds=slow_seconds)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read an object with the fields to change; raises ValueError with a sentence."""
        return read(cls, value)


def _both(**faults: Any) -> tuple[Faults, ...]:
    """Return a broken reply with and without a task behind it."""
    return Faults(**faults), Faults(**faults, no_task=True)


def _codes(*codes: str) -> tuple[Faults, ...]:
    return tuple(Faults(refuse=code) for code in codes)


_UNAUTHORISED: Final = (Faults(refuse="-1", reply_status=401), *_codes("401", "811"))
_TOO_MANY: Final = (Faults(reply_status=429, retry_after_seconds=1, no_task=True), *_codes("1003"))

#: Each mishap with its forms; in a group at most one is drawn, in this order.
_REPLY: Final[Mapping[str, tuple[Faults, ...]]] = {
    "create_busy": (*_codes("415", "421", "1011"), *_TOO_MANY),
    "create_rejected": _codes("301", "416", "433", "803", "1501"),
    "create_unauthorised": _UNAUTHORISED,
    "create_dropped": _both(drop_reply=True),
    "create_status": (*_both(reply_status=502), *_both(reply_status=504)),
    "create_html": _both(reply="html"),
    "create_redirect": (Faults(reply="redirect", no_task=True),),
    "create_without_id": _both(reply="no_task_id"),
    "create_empty": _both(reply="empty"),
    "create_truncated": (*_both(reply="truncated"), *_both(reply="cut")),
    "create_not_json": _both(reply="not_json"),
    "create_uncertain": (*_codes(*UNCERTAIN_CODES), *(Faults(reply_code=code) for code in UNCERTAIN_CODES)),
    "create_complaints": (Faults(node_errors=True),),
    "create_slow": (Faults(reply_seconds=1),),
}
_TASK: Final[Mapping[str, tuple[Faults, ...]]] = {
    "task_fails": (Faults(fail="The sampler gave up.", exception_type="ValueError"),),
    "task_fails_for_now": (
        Faults(fail="Generation failed, please try again", transient=True),
        Faults(fail="[Errno 116] Stale file handle", exception_type="OSError"),
        Faults(fail="The task took too long.", fail_code="1006"),
        Faults(fail="The model took too long.", fail_code="1504"),
    ),
    "task_unexplained": (
        Faults(fail="unexplained", failed_reason="empty"),
        Faults(fail="unexplained", failed_reason="null"),
        Faults(fail="unexplained", failed_reason="absent"),
    ),
    "task_empty": (Faults(no_outputs=True),),
    "task_text": (Faults(text="a red square"),),
    "task_slow": (Faults(queued_seconds=1), Faults(running_seconds=1)),
    "task_at_once": (Faults(at_once=True), Faults(at_once=True, fail="The prompt was refused.")),
    "task_unseen": (Faults(unseen_seconds=1),),
}
_CANCEL: Final[Mapping[str, tuple[Faults, ...]]] = {
    "cancel_too_late": (Faults(cancel="success_wins"),),
    "cancel_ignored": (Faults(cancel="ignored"),),
    "cancel_slow": (Faults(cancel_seconds=1),),
}
_WEBHOOK: Final[Mapping[str, tuple[Faults, ...]]] = {
    "webhook_never": (Faults(webhooks=0),),
    "webhook_twice": (Faults(webhooks=2), Faults(webhooks=3)),
    "webhook_early": (Faults(webhook_before_reply=True),),
    "webhook_late": (Faults(webhook_delay_seconds=1),),
    "webhook_out_of_order": (Faults(webhook_out_of_order=True, webhook_delay_seconds=1),),
    "webhook_other_shape": (Faults(webhook_shape="v1"), Faults(webhook_shape="v2")),
}
_READ: Final[Mapping[str, tuple[Faults, ...]]] = {
    "read_too_many": _TOO_MANY,
    "read_busy": _codes("1005", "1010", "1011", "1012"),
    "read_status": tuple(Faults(reply_status=status) for status in (500, 502, 503)),
    "read_unauthorised": _UNAUTHORISED,
    "read_slow": (Faults(reply_seconds=1),),
    "read_dropped": (Faults(drop_reply=True),),
    "read_broken": tuple(
        Faults(reply=broken) for broken in ("html", "empty", "truncated", "cut", "not_json")
    ),
}
_UPLOAD: Final[Mapping[str, tuple[Faults, ...]]] = {
    "upload_failed": _codes("808", "1013"),
    "upload_status": (Faults(reply_status=500), *_UNAUTHORISED),
    "upload_dropped": (Faults(drop_reply=True),),
}
_FILE: Final[Mapping[str, tuple[Faults, ...]]] = {
    "file_refused": (Faults(file="expired"),),
    "file_truncated": (Faults(file="truncated"),),
    "file_html": (Faults(file="html"),),
    "file_unavailable": (Faults(file="unavailable"),),
    "file_dropped": (Faults(file="dropped"),),
    "file_slow": (Faults(file_seconds=1),),
}
GROUPS: Final[Mapping[str, tuple[Mapping[str, tuple[Faults, ...]], ...]]] = MappingProxyType(
    {"create": (_REPLY, _TASK, _CANCEL, _WEBHOOK), "upload": (_UPLOAD,), "download": (_FILE,)}
)
#: The durations above are in units of `Odds.slow_seconds`.
_SLOW: Final = (
    "reply_seconds",
    "queued_seconds",
    "running_seconds",
    "unseen_seconds",
    "cancel_seconds",
    "webhook_delay_seconds",
    "file_seconds",
)


class Draw:
    """Draws mishaps; the n-th call of a kind always draws the same for the same seed."""

    def __init__(self, odds: Odds, seed: int) -> None:
        self._odds, self._seed = odds, seed
        self._calls: Counter[Call] = Counter()

    def take(self, call: Call) -> Faults:
        """Return the faults of the next call of this kind."""
        self._calls[call] += 1
        chance = random.Random(f"{self._seed}:{call}:{self._calls[call]}")
        drawn = Faults()
        for group in GROUPS.get(call, (_READ,)):
            drawn = drawn.with_faults(self._one_of(group, chance))
        return drawn

    def _one_of(self, group: Mapping[str, tuple[Faults, ...]], chance: random.Random) -> Faults:
        for name, forms in group.items():
            if chance.random() < getattr(self._odds, name):
                faults = chance.choice(forms)
                slow = {
                    known: getattr(faults, known) * self._odds.slow_seconds
                    for known in _SLOW
                    if getattr(faults, known)
                }
                return faults.with_faults(Faults(**slow)) if slow else faults
        return Faults()
