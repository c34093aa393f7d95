"""Whether a webhook was signed by Replicate: Standard Webhooks, with a secret that Replicate gives out."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from makegood.errors import ProviderUnavailable, WebhookRefused

_log = logging.getLogger(__name__)

#: So that forged messages cannot make us ask Replicate at will.
RENEW_SECONDS: Final = 60.0


class Signatures:
    """Checks messages against the account's secret, which *ask* fetches.

    A signature that does not fit may come with a new secret: the message is refused, the secret is fetched
    again in the background, at most once in *renew_seconds*, and Replicate sends the message again.
    """

    def __init__(self, ask: Callable[[], Awaitable[str]], *, renew_seconds: float = RENEW_SECONDS) -> None:
        self._ask, self._renew_seconds = ask, renew_seconds
        self._webhook: Webhook | None = None
        self._asked_at: float | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def renew(self) -> None:
        """Fetch the secret; without an answer the former one stays, and the log says so."""
        self._asked_at = asyncio.get_running_loop().time()
        try:
            self._webhook = Webhook(await self._ask())
        except (ProviderUnavailable, EmptyWebhookSecretError, ValueError) as error:
            # the type alone for the latter two: their text may hold the secret
            why = str(error) if isinstance(error, ProviderUnavailable) else "it is no secret"
            _log.error("the signing secret of Replicate's webhooks could not be fetched: %s", why)

    def check(self, headers: Mapping[str, str], raw: bytes) -> None:
        """Raise WebhookRefused unless the message was signed within five minutes of now."""
        if self._webhook is None:
            self._renew_soon()
            raise WebhookRefused("the secret of the account is not known yet")
        try:
            self._webhook.verify(raw, dict(headers), json_parse=False)
        except WebhookVerificationError as error:
            self._renew_soon()
            raise WebhookRefused(str(error)) from None
        except ValueError as error:  # headers or a body that the library cannot take apart
            raise WebhookRefused(f"the signature cannot be read ({type(error).__name__})") from None

    async def close(self) -> None:
        """End what goes on in the background."""
        if self._renewing:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    def _renew_soon(self) -> None:
        if self._renewing and not self._renewing.done():
            return
        now = asyncio.get_running_loop().time()
        if self._asked_at is None or now - self._asked_at >= self._renew_seconds:
            self._asked_at = now
            self._renewing = asyncio.create_task(self.renew(), name="secret of Replicate's webhooks")
