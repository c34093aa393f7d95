"""The part of the engine that hears from outside: webhooks, reports and messages, which are only hints."""

import logging
from collections.abc import Mapping
from uuid import UUID

from makegood.errors import AccountElsewhere, InvalidRequest
from makegood.mover import POLL
from makegood.ports import Receipt, Store, Wakeups
from makegood.runtime import Context

log = logging.getLogger("makegood.engine")

#: So many characters of a message without a token are kept; nobody but a person reads it.
BODY_MAX = 10_000


class Hearing:
    """What others say about jobs; `Engine` is one. All of it leads to a question to the provider."""

    _store: Store
    _wakeups: Wakeups
    _context: Context

    async def hint(self, job_id: UUID, text: str, *, source: str) -> None:
        """Keep what somebody says about a job, and ask the provider soon; the text decides nothing."""
        await self._store.hints.report(job_id, source, text)
        self._wakeups.wake(POLL)

    async def receive_webhook(self, token_hash: bytes, headers: Mapping[str, str], raw: bytes) -> bool:
        """Let the provider of the attempt with this token read the message, keep it, and ask soon.

        *headers* have lower-case names. Returns False when no attempt has this token. A body about no task
        is kept all the same, and what it says decides nothing. Raises WebhookRefused when the provider
        signs and has not signed this, AccountElsewhere when this process does not have the provider; then
        nothing is kept.
        """
        attempt = await self._store.hints.addressee(token_hash)
        if attempt is None:
            return False
        if attempt.account not in self._context.accounts:
            raise AccountElsewhere(attempt.account)
        try:
            task_id = self._context.provider(attempt.account).parse_webhook(headers, raw).task_id
        except ValueError:
            task_id = None
        await self._store.hints.receive(token_hash, raw.decode(errors="replace"), task_id)
        self._wakeups.wake(POLL)
        return True

    async def receive_hint(self, task_id: str, body: str, *, source: str) -> Receipt:
        """Keep a message that names a provider's task and not our token, and ask the provider soon.

        It is for callers that know no more: an older webhook, a person's script. What it says decides
        nothing. While no attempt has the task, the message waits for one, for a day at most. *source* is the
        sender, say its address: of one the first PARKED_OF_SOURCE_MAX wait. Raises InvalidRequest.
        """
        _check(task_id=(task_id, 200), source=(source, 100))
        if source == "webhook":
            raise InvalidRequest("source 'webhook' is for messages with a token: name another one.")
        receipt = await self._store.hints.hear(task_id, source, body[:BODY_MAX])
        if receipt is Receipt.KNOWN:
            self._wakeups.wake(POLL)
        elif receipt is Receipt.FULL:
            log.info("a message of %s about the unknown task %s is not kept: too many wait", source, task_id)
        return receipt


def _check(**texts: tuple[object, int]) -> None:
    for name, (text, longest) in texts.items():
        if not isinstance(text, str) or not 0 < len(text) <= longest or not text.isprintable():
            raise InvalidRequest(f"{name} must be 1 to {longest} printable characters.")
