"""What must become of a job: told by what is true at the provider and by who spoke first, by nothing else.

    the provider's task      what happened                                 the job ends    its price is
    has succeeded            anything                                      completed       captured
    has failed               anything                                      failed          given back
    is being worked on       the wish to cancel came before the deadline   cancelled       captured
    waits for its turn       the wish to cancel came before the deadline   cancelled       given back
    either of these two      the deadline came before the wish             failed          given back
    cannot be asked about    anything: the deadline ends it                failed          given back

Where the reply to the create call was lost, nobody knows of the task until a webhook names it, and the
provider confirms that only of a task that is over. So a deadline that comes before any webhook ends the job
as failed, given back, and so it does where the task is not over; else the table holds.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import NamedTuple


class Source(StrEnum):
    """Who may bring about, or hint at, the end of a job at the provider."""

    WEBHOOK_OK = "a webhook that tells success"
    WEBHOOK_FAIL = "a webhook that tells failure"
    POLL = "the poll"
    DEADLINE = "the deadline"
    REPORT = "a client that reports a failure"
    CANCEL = "the owner's wish to cancel"


class Truth(StrEnum):
    """What the provider's task is, from before anybody speaks until everybody has."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    WORKING = "being worked on"
    WAITING = "waiting at the provider"
    MUTE = "unknown, for the provider does not answer"


class Ending(NamedTuple):
    """The last state, and whether the price was captured; else it was given back."""

    state: str
    captured: bool


COMPLETED = Ending("completed", captured=True)
FAILED = Ending("failed", captured=False)
OVER = (Truth.SUCCEEDED, Truth.FAILED)
WEBHOOKS = (Source.WEBHOOK_OK, Source.WEBHOOK_FAIL)
_CANCELLED = {
    Truth.WORKING: Ending("cancelled", captured=True),
    Truth.WAITING: Ending("cancelled", captured=False),
}


def ending(truth: Truth, order: Sequence[Source], *, reply_lost: bool) -> Ending:
    """Return the ending of a job about which all six spoke in this order."""
    deadline, news = order.index(Source.DEADLINE), min(order.index(webhook) for webhook in WEBHOOKS)
    never_found = reply_lost and (truth not in OVER or deadline < news)
    if truth is Truth.MUTE or never_found:
        return FAILED
    if truth is Truth.SUCCEEDED:
        return COMPLETED
    if truth is Truth.FAILED or deadline < order.index(Source.CANCEL):
        return FAILED
    return _CANCELLED[truth]


def endings(truth: Truth, at_once: Collection[Source]) -> set[Ending]:
    """Return the endings that are right when these spoke at one moment; none: the job goes on."""
    if truth is Truth.SUCCEEDED:
        return {COMPLETED}
    if truth in (Truth.FAILED, Truth.MUTE):
        return {FAILED}
    right = {FAILED} if Source.DEADLINE in at_once else set()
    return right | ({_CANCELLED[truth]} if Source.CANCEL in at_once else set())
