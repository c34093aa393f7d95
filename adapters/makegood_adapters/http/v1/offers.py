"""What a caller may do to a thing, as buttons need it: what it is called, what to send, and why not now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote
from uuid import UUID

from makegood.administration import askable
from makegood.fairness import Rule
from makegood.fairness import Scope as RuleScope
from makegood.job import Attempt, Job
from makegood.lifecycle import BaseJob
from makegood_adapters.http.callers import Caller, Scope
from makegood_adapters.http.v1.views import View


class FieldType(StrEnum):
    """What a field takes: a text, a number, or an array of texts."""

    TEXT = "text"
    NUMBER = "number"
    LIST = "list"


class OfferField(View):
    """A value that the caller has to give, and what it is called."""

    name: str
    label: str
    type: FieldType = FieldType.TEXT


class Offer(View):
    """Something that the caller may do: `POST` the `body` with the values of all `fields` to `path`, which is
    below the root of the API. `title` says what is done to what, `danger` that it ends something for good.
    `refused` says why it cannot be done, or would move nothing, as things stand; null: it can."""

    label: str
    title: str
    path: str
    body: dict[str, Any]
    fields: list[OfferField]
    danger: bool
    refused: str | None


_BY = OfferField(name="by", label="Your name")
_REASON = OfferField(name="reason", label="Reason, kept for good")
_FILES = OfferField(name="files", label="Keys of its files in your storage", type=FieldType.LIST)
#: The name comes last: a page mostly knows it, so that whoever acts begins with what is new.
_SIGNED = (_REASON, _BY)
_GRANT = (
    OfferField(name="amount", label="Credits", type=FieldType.NUMBER),
    OfferField(name="source_ref", label="Order or ticket; each adds its credits once"),
    *_SIGNED,
)
#: By which events a person ends a job, beside cancelling it, what that is called, and what is to be given.
_ENDS = (
    (BaseJob.fail.name, "End as failed", _SIGNED),
    (BaseJob.complete.name, "End as complete", (_FILES, *_SIGNED)),
)


@dataclass(frozen=True, slots=True)
class Offers:
    """Makes what is offered to one caller: nothing of that for which it has not the scope."""

    caller: Caller

    def of_rule(self, scope: RuleScope, name: str, pause: Rule | None, refused: str | None) -> list[Offer]:
        """Return what may be done to a pool or job type: begin a pause, or end the *pause* that it has."""
        body = {"scope": scope.value, "name": name}
        if pause:
            title = f"Resume {scope} {name}"
            return self._may("Resume", title, "/operations/pauses/end", body, (_BY,), refused=refused)
        title = f"Start no more jobs of {scope} {name}"
        return self._may("Pause", title, "/operations/pauses", body, _SIGNED, refused=refused)

    def of_job(
        self,
        job: Job,
        attempts: Sequence[Attempt],
        hindrances: Mapping[str, str | None],
        unasked: Sequence[str],
    ) -> list[Offer]:
        """Return what may be done to a job; *hindrances* and *unasked* guards are those of `Engine`."""
        at, of = f"/operations/jobs/{job.id}", f": job {_short(job.id)}"
        idle = None if askable(attempts) else "No task of it is open at the provider."
        cancel, again = hindrances[BaseJob.cancel.name], job.cancel_requested_at is not None
        # Whoever asks once more is heard: the words are kept, and the provider is asked soon.
        ask, stop = "Ask the provider now", "Cancel again" if again and cancel is None else "Cancel"
        return [
            *self._may(ask, ask + of, f"{at}/ask", {}, (_BY,), refused=idle),
            *self._may(stop, stop + of, f"{at}/cancel", {}, _SIGNED, refused=cancel, danger=True),
            *(
                offer
                for event, label, fields in _ENDS
                for offer in self._may(
                    label,
                    label + of + (_held_back(unasked) if event == BaseJob.complete.name else ""),
                    f"{at}/end",
                    {"event": event},
                    fields,
                    refused=hindrances[event],
                    danger=True,
                )
            ),
        ]

    def of_attempt(self, attempt: Attempt, refused: str | None) -> list[Offer]:
        """Return what may be done to an attempt; *refused* is what `Engine.unresolvable` says."""
        return self._may(
            "Settle: there is no task",
            f"Settle attempt {attempt.number}",
            f"/operations/jobs/{attempt.job_id}/attempts/{attempt.number}/resolve",
            {},
            _SIGNED,
            refused=refused,
        )

    def of_wallet(self, owner: str) -> list[Offer]:
        """Return what may be done to a wallet."""
        path = f"/owners/{quote(owner, safe='')}/grants"
        return self._may("Grant credits", f"Grant credits to {owner}", path, {}, _GRANT, needs=Scope.CREDITS)

    def _may(
        self,
        label: str,
        title: str,
        path: str,
        body: dict[str, Any],
        fields: Sequence[OfferField],
        *,
        refused: str | None = None,
        danger: bool = False,
        needs: Scope = Scope.OPERATIONS,
    ) -> list[Offer]:
        if not self.caller.may(needs):
            return []
        offer = Offer(
            label=label,
            title=title,
            path=path,
            body=body,
            fields=list(fields),
            danger=danger,
            refused=refused,
        )
        return [offer]


def _held_back(guards: Sequence[str]) -> str:
    """Say which guards are asked only when the files are there."""
    return f" (may be held back by {', '.join(guards)})" if guards else ""


def _short(job_id: UUID) -> str:
    """Return an id as people tell it from others: the beginning tells when the job was made."""
    text = str(job_id)
    return f"{text[:8]}…{text[-4:]}"
