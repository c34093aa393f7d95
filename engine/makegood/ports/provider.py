"""A provider: one account at somebody who runs tasks on GPUs."""

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Protocol

from makegood.outcome import (
    JSON,
    Answer,
    CancelReply,
    Capacity,
    Features,
    Hint,
    Output,
    Submission,
)

#: Hears how many bytes of a file have just left.
Moved = Callable[[int], None]


def unheard(size: int) -> None:
    """Be a `Moved` that nobody listens to."""


class Provider(Protocol):
    """One account at one provider. Questions raise ProviderUnavailable when there is no answer."""

    @property
    def features(self) -> Features:
        """What this provider can do."""

    async def upload(self, name: str, data: bytes, moved: Moved = unheard) -> str:
        """Bring an input file to the account that will run the job and return its name there; the same
        bytes may be brought again. *moved* is to be called whenever some of them have left: an upload that is
        silent for `upload_timeout_seconds` is given up. Raises ProviderRefused for good, before sending where
        that is known, and AccountRefused, a kind of ProviderUnavailable, where the account is refused and not
        the file."""

    async def submit(self, request: JSON, files: Mapping[str, str], webhook: str | None) -> Submission:
        """Make the create call exactly once; never raises for what the network did."""

    async def query(self, task_id: str) -> Answer:
        """Ask what has become of the task."""

    async def cancel(self, task_id: str) -> CancelReply:
        """Ask the provider to end the task."""

    async def capacity(self) -> Capacity:
        """Ask how many tasks the account may have, and has."""

    def fetch(self, output: Output, size_max: int) -> AsyncGenerator[bytes, None]:
        """Download one result file in pieces. Raises ProviderUnavailable, also in the midst, when it is
        missing, empty or cut off, and ResultTooLarge when it has more than *size_max* bytes."""

    async def confirm_binding(self, task_id: str, token_hash: bytes) -> bool:
        """Ask the provider whether *task_id* was created with the webhook token of this hash."""

    def parse_webhook(self, headers: Mapping[str, str], raw: bytes) -> Hint:
        """Read which task a webhook is about: ValueError when it is about none. *headers* have lower-case
        names. Raises WebhookRefused when a provider that signs has not signed this."""
