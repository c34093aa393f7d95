"""The part of the engine that hears from outside: webhooks, reports and messages, which are only hints."""

import logging
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from makegood.errors import AccountElsewhere, InvalidRequest, WebhookRefused
from makegood.mover import POLL
from makegood.outcome import Signature
from makegood.ports import KeptMessage, Provider, Receipt, Reception, Store, Wakeups
from makegood.runtime import Context

log = logging.getLogger("makegood.engine")

#: So many characters of a message without a token are kept; nobody but a person reads it.
BODY_MAX = 10_000
#: So many messages about a job are shown, of each so many characters.
SHOWN_MAX, SHOWN_CHARS_MAX = 30, 65_536
#: A message is read before its token is known if it is no longer, for no more accounts: that takes a moment.
_SHORT_BYTES_MAX, _READERS_MAX = 8_192, 8


class _Reading(NamedTuple):
    """Which task a message names, as each of these accounts reads it."""

    accounts: tuple[str, ...]
    task_id: str | None


class Hearing:
    """What others say about jobs; `Engine` is one. All of it leads to a question to the provider."""

    _store: Store
    _wakeups: Wakeups
    _context: Context

    async def hint(self, job_id: UUID, text: str, *, source: str) -> None:
        """Keep what somebody says about a job, and ask the provider soon; the text decides nothing."""
        await self._store.hints.report(job_id, source, text)
        self._wakeups.wake(POLL)

    async def messages(self, job_id: UUID) -> list[KeptMessage]:
        """Return the last SHOWN_MAX messages about the job, in the order in which they came, each cut after
        SHOWN_CHARS_MAX characters. They are as they came: who shows them takes out what is secret."""
        return await self._store.hints.of(job_id, SHOWN_MAX, SHOWN_CHARS_MAX)

    async def receive_webhook(self, token_hash: bytes, headers: Mapping[str, str], raw: bytes) -> bool:
        """Let the provider of the attempt with this token read the message, keep it, and ask soon.

        *headers* have lower-case names. Returns False when no attempt has this token. A body about no task
        is kept all the same, and what it says decides nothing. Raises WebhookRefused when the provider
        signs and has not signed this, AccountElsewhere when this process does not have the provider; then
        nothing is kept.
        """
        heard = self._context.observers.received
        try:
            told = await self._take_in(token_hash, headers, raw)
        except WebhookRefused:
            heard(None, Reception.REFUSED)
            raise
        except AccountElsewhere as error:
            heard(error.account, Reception.ELSEWHERE)
            raise
        heard(told, Reception.KEPT if told else Reception.UNKNOWN)
        if told:
            self._wakeups.wake(POLL)
        return told is not None

    async def _take_in(self, token_hash: bytes, headers: Mapping[str, str], raw: bytes) -> str | None:
        text, reading = raw.decode(errors="replace"), self._read_before(headers, raw)
        if reading:
            account = await self._store.hints.take_in(token_hash, text, reading.task_id, reading.accounts)
        else:
            attempt = await self._store.hints.addressee(token_hash)
            account = attempt.account if attempt else None
        if account is not None and (not reading or account not in reading.accounts):
            if account not in self._context.accounts:
                raise AccountElsewhere(account)
            task_id = _task_of(self._context.provider(account), headers, raw)
            await self._store.hints.receive(token_hash, text, task_id)
        return account

    def _read_before(self, headers: Mapping[str, str], raw: bytes) -> "_Reading | None":
        """Read a short message before it is known whose it is, as every account does that signs nothing.

        So it is looked up and kept in one step. None: they read different things, or it takes too long to let
        those do it who have no token.
        """
        if len(raw) > _SHORT_BYTES_MAX:
            return None
        readers = {
            account.name: provider
            for account, provider in self._context.providers.items()
            if provider.features.signature is Signature.NONE
        }
        if not 0 < len(readers) <= _READERS_MAX:
            return None
        tasks = {_task_of(provider, headers, raw) for provider in readers.values()}
        return _Reading(tuple(readers), tasks.pop()) if len(tasks) == 1 else None

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


def _task_of(provider: Provider, headers: Mapping[str, str], raw: bytes) -> str | None:
    """Return the task that *provider* reads in a message, None: it is about none. Raises WebhookRefused."""
    try:
        return provider.parse_webhook(headers, raw).task_id
    except ValueError:
        return None


def _check(**texts: tuple[object, int]) -> None:
    for name, (text, longest) in texts.items():
        if not isinstance(text, str) or not 0 < len(text) <= longest or not text.isprintable():
            raise InvalidRequest(f"{name} must be 1 to {longest} printable characters.")
