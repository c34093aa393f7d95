"""Every error that makegood raises on purpose, in one tree.

MakegoodError
├── DeclarationError      a job type is wrong; raised when its class or file is read
├── InvalidRequest        the caller's request cannot be served as it stands; nothing was changed
│   ├── UnknownJobType, UnknownJob, UnknownFile, UnknownKey: there is none, or none that this caller may see
│   ├── JobTypeRefused    the store knows other rules under the version that this process has
│   ├── FileNotTaken, FileTooLarge, FileNameTaken, UploadsExhausted: nothing is kept of a file
│   ├── UnknownEndpoint, EndpointRefused, WebhooksOff: nothing is posted there; nothing was changed
│   ├── InvalidInput
│   ├── KeyReused         the same idempotency key with another request
│   ├── KeyNameTaken      another service key has the name
│   └── ActiveJob         the owner has a job of the exclusive scope that is not over
├── InsufficientCredits   the wallet cannot carry the price; nothing was charged
├── Refusal               the machine says no; nothing was changed
│   ├── IllegalTransition no such edge; lists what is allowed
│   ├── GuardFailed       the edge exists, a guard said no; names the guards
│   └── Conflict          lost too many races; reload and decide again
├── StoreError            the database
│   ├── StoreUnavailable  cannot be reached; the caller may try again
│   └── OutcomeUnknown    no answer to COMMIT within the settings' bound
├── StorageError          where files are kept; the caller may try again
├── AccountElsewhere      another process works with the account; nothing was kept
├── WebhookRefused        a webhook is not signed as its provider signs; nothing was kept
├── ProviderRefused       the provider will never take this, however often it is asked
└── ProviderUnavailable   the provider gave no usable answer to a question; nothing was changed
    ├── AccountRefused    it answered that the account itself cannot be used
    └── ResultTooLarge    a result is larger than may be brought home; asking again is no use
"""

import re
from collections.abc import Iterable, Sequence
from uuid import UUID


class MakegoodError(Exception):
    """Root of the tree."""


def code_of(error: BaseException) -> str | None:
    """Return the stable code of an error of ours, for logs and alarms: its class's name in small letters,
    such as `store_unavailable`; None for one that is not ours."""
    if not isinstance(error, MakegoodError):
        return None
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()


class DeclarationError(MakegoodError, TypeError):
    """Report every problem of one declaration at once.

    `problems` holds them, each with a text; those of a machine or tool file are `machine.Problem`.
    """

    def __init__(self, subject: str, problems: Sequence[object]) -> None:
        self.subject, self.problems = subject, tuple(problems)
        listed = "\n  - ".join(map(str, problems))
        super().__init__(f"{subject} cannot be used:\n  - {listed}")


class InvalidRequest(MakegoodError):
    """The caller can repair this; nothing was changed and nothing charged."""


class UnknownJobType(InvalidRequest):
    """No such job type in the catalog."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, tuple(sorted(known))
        offer = ", ".join(self.known) or "none is registered"
        super().__init__(f"There is no job type {name!r}. Known job types: {offer}.")


class JobTypeRefused(InvalidRequest):
    """The store refused the rules of the job type, so this process takes no new jobs of it."""

    def __init__(self, name: str, version: int, why: str) -> None:
        self.name, self.version, self.why = name, version, why
        super().__init__(f"New jobs of {name!r} are not taken: {name}@{version}: {why}. Nothing was charged.")


class JobTypeClosed(InvalidRequest):
    """The job type takes no new jobs until somebody resumes it; `why` tells an operator the reason."""

    _told = "until it is resumed: the provider refused the last ones"

    def __init__(self, name: str, why: str) -> None:
        self.name, self.why = name, why
        super().__init__(f"No new jobs of {name!r} are taken {self._told}. Nothing was charged.")


class JobTypeUnserved(JobTypeClosed):
    """No process has a provider account of the job type's pool, so that nobody could run a job of it."""

    _told = "at the moment: there is nobody who could run them"

    def __init__(self, name: str, pool: str) -> None:
        super().__init__(name, f"no process has a provider account of its pool {pool!r}")


class UnknownJob(InvalidRequest):
    """No such job, or none that this caller may see."""

    def __init__(self, job_id: UUID) -> None:
        self.job_id = job_id
        super().__init__(f"There is no job {job_id}.")


class UnknownFile(InvalidRequest):
    """No such file, or none that this caller may use."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"There is no file {key!r}.")


class FileNotTaken(InvalidRequest):
    """A file that is brought is none, or of a kind that no job type takes; nothing of it is kept."""

    def __init__(self, found: str, kinds: Iterable[str]) -> None:
        self.found, self.kinds = found, tuple(sorted(kinds))
        wanted = ", ".join(self.kinds) or "none, for no job type takes a file"
        super().__init__(f"The file is {found}. Taken are: {wanted}. Nothing was kept.")


class FileTooLarge(InvalidRequest):
    """A file that is brought has more than `bytes_max` bytes; nothing of it is kept."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        super().__init__(f"At most {bytes_max:,} bytes are taken of a file. Nothing was kept.")


class FileNameTaken(InvalidRequest):
    """The owner has brought another file under this name, which is not to be replaced."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"There is a file {name!r} already: choose another name, or ask that it be replaced. "
            "Nothing was kept."
        )


class UploadsExhausted(InvalidRequest):
    """The owner has brought so much in a day that this file does not fit; `again_seconds` tells when the
    oldest of it no longer counts."""

    def __init__(self, day_bytes_max: int, again_seconds: float) -> None:
        self.day_bytes_max, self.again_seconds = day_bytes_max, again_seconds
        super().__init__(
            f"At most {day_bytes_max:,} bytes may be brought in a day, and with this file it would be more: "
            "use files that you have brought already, or come again later. Nothing was kept."
        )


class UnknownEndpoint(InvalidRequest):
    """No such endpoint, or it has no such message."""

    def __init__(self, endpoint_id: UUID, seq: int | None = None) -> None:
        self.endpoint_id, self.seq = endpoint_id, seq
        of = f"There is no endpoint {endpoint_id}"
        super().__init__(f"{of}." if seq is None else f"{of} with a message {seq}.")


class EndpointRefused(InvalidRequest):
    """The endpoint cannot be as it was asked for; the text says why and what to do."""


class WebhooksOff(InvalidRequest):
    """This process has nothing that carries webhooks, so it makes no endpoints."""

    def __init__(self) -> None:
        super().__init__("This process sends no webhooks: give its engine a `messenger`.")


#: So many problems of one input are told: who sends thousands of wrong fields gets no megabytes back.
PROBLEMS_MAX = 50


class InvalidInput(InvalidRequest):
    """The input does not fit its job type; `problems` holds (field, what is wrong), of many the first."""

    def __init__(self, job_type: str, problems: Sequence[tuple[str, str]]) -> None:
        self.job_type, self.problems = job_type, tuple(problems[:PROBLEMS_MAX])
        listed = "; ".join(f"{field}: {text}" for field, text in self.problems)
        if len(problems) > PROBLEMS_MAX:
            listed += f"; and {len(problems) - PROBLEMS_MAX:,} more"
        super().__init__(f"The input of {job_type!r} is not valid. {listed}. Nothing was charged.")


class KeyReused(InvalidRequest):
    """An idempotency key stands for exactly one request."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"The idempotency key {key!r} was used before with another request; use a new key.")


class UnknownKey(InvalidRequest):
    """No such service key, or one that can no longer be changed."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(f"There is no service key {key_id!r} that is neither over nor revoked.")


class KeyNameTaken(InvalidRequest):
    """Two service keys that are not revoked never have one name: it says in the history who acted."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There is a service key {name!r} already: choose another name, or revoke that one.")


class ActiveJob(InvalidRequest):
    """The owner has a job of the exclusive scope already: `job_id`, in `state`, which is not over."""

    def __init__(self, owner: str, scope: str, job_id: UUID, state: str) -> None:
        self.owner, self.scope, self.job_id, self.state = owner, scope, job_id, state
        super().__init__(
            f"{owner} has the job {job_id} under way (it is {state!r}), and of {scope!r} one at a time is "
            "taken: wait until it is over, or cancel it, and submit again. Nothing was charged."
        )


class InsufficientCredits(MakegoodError):
    """The price is more than the wallet can spend now; amounts are whole credits."""

    def __init__(self, owner: str, price: int, available: int) -> None:
        self.owner, self.price, self.available = owner, price, available
        super().__init__(
            f"The job costs {price} credits and {owner} has {available}. Nothing was charged: "
            f"add {price - available} credits and submit again."
        )


class Refusal(MakegoodError):
    """The machine refused an event; job, money and history are as they were."""


class IllegalTransition(Refusal):
    """The table has no such edge; `allowed` names the events that may leave the state."""

    def __init__(self, event: str, state: str, allowed: Iterable[str]) -> None:
        self.event, self.state, self.allowed = event, state, tuple(allowed)
        can = ", ".join(self.allowed) or "none, the state is final"
        super().__init__(f"{event!r} is not allowed in state {state!r}. Allowed: {can}.")


class GuardFailed(Refusal):
    """The edge exists but guards said no; `unmet` names them."""

    def __init__(self, event: str, state: str, unmet: Iterable[str], why: str = "") -> None:
        self.event, self.state, self.unmet, self.why = event, state, tuple(unmet), why
        names = ", ".join(self.unmet)
        super().__init__(f"{event!r} in state {state!r} is held back by {names}. {why}".rstrip())


class Conflict(Refusal):
    """Other writers moved the job at each of `tries` attempts to move it."""

    def __init__(self, job_id: UUID, event: str, tries: int) -> None:
        self.job_id, self.event, self.tries = job_id, event, tries
        super().__init__(f"{event!r} on job {job_id} lost {tries} races; read the job again.")


class StoreError(MakegoodError):
    """The database did not do what was asked."""


class StorageError(MakegoodError):
    """Files cannot be kept or read at present, for instance since the disk is full; the message says why."""


class StoreUnavailable(StoreError):
    """The database cannot be reached."""


class OutcomeUnknown(StoreError):
    """COMMIT was sent and nobody could say whether it happened; run the same call again."""


class ProviderUnavailable(MakegoodError):
    """A question to the provider has no usable answer; it may be asked again."""


class AccountRefused(ProviderUnavailable):
    """The provider refuses the account itself, its key, money or membership, and no job is at fault.

    `code` is the provider's; `lasting` tells that only a person can change it.
    """

    def __init__(self, message: str, code: str, *, lasting: bool) -> None:
        self.code, self.lasting = code, lasting
        super().__init__(message)


class ResultTooLarge(ProviderUnavailable):
    """A result file has more than `size_max` bytes: it will not fit, however often it is fetched."""

    def __init__(self, size_max: int) -> None:
        self.size_max = size_max
        super().__init__(f"The result is larger than {size_max:,} bytes, the most that is brought home.")


class AccountElsewhere(MakegoodError):
    """A message is about an account whose provider this process does not have, so that it cannot be read."""

    def __init__(self, account: str) -> None:
        self.account = account
        super().__init__(
            f"This process does not have the provider of account {account!r} and cannot read its webhooks: "
            "send them to a process that has it, or give it to this one. Nothing was kept."
        )


class WebhookRefused(MakegoodError):
    """A webhook is not signed by the provider whose it claims to be; nothing of it is kept."""


class ProviderRefused(MakegoodError):
    """The provider will never take this input; the message may be shown to its owner."""
