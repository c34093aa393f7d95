"""The part of the engine that tells other services: endpoints hear of transitions by signed webhooks."""

import base64
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from makegood.buckets import check_texts
from makegood.catalog import Catalog
from makegood.errors import EndpointRefused, InvalidRequest, UnknownEndpoint, WebhooksOff
from makegood.mover import WEBHOOK
from makegood.ports import (
    ENDPOINTS_MAX,
    ENDPOINTS_OF_OWNER_MAX,
    SWITCHED_OFF,
    Delivery,
    Endpoint,
    Letter,
    Messenger,
    Posted,
    Store,
    Try,
    Wakeups,
)
from makegood.runtime import Context

#: How long the secret before also signs, usually and at most.
ROTATION_SECONDS, ROTATION_SECONDS_MAX = 86_400.0, 7 * 86_400.0
#: Messages that are sent again by one call.
RESENT_MAX = 1_000
_SECRET_BYTES = 32
_SEQ_MAX = 2**63 - 1  # what a store can count to
_URL_LENGTH_MAX, _TEXT_LENGTH_MAX = 2_000, 500


class Notifying:
    """Endpoints and their messages; `Engine` is one. What is told, and how, is in docs/how-to/webhooks.md."""

    catalog: Catalog
    _store: Store
    _wakeups: Wakeups
    _context: Context
    _new_id: Callable[[], UUID]

    async def add_endpoint(
        self,
        url: str,
        *,
        owner: str | None = None,
        states: Iterable[str] = (),
        types: Iterable[str] = (),
        description: str = "",
    ) -> tuple[Endpoint, str]:
        """Make an endpoint and return it with its secret, which is not told again.

        It hears of what is committed from now on: of jobs of *owner*, None: of all, that enter one of
        *states* and are of one of *types*; none given: all. Raises EndpointRefused, WebhooksOff.
        """
        check_texts(owner=owner)
        wanted = await self._checked(url, states, types, description)
        new = replace(wanted, id=self._new_id(), owner=owner, created_at=await self._store.now())
        secret = _new_secret()
        made = await self._store.endpoints.add(new, secret)
        if made is None:
            raise EndpointRefused(
                f"There may be {ENDPOINTS_MAX:,} endpoints, {ENDPOINTS_OF_OWNER_MAX} of one owner: remove "
                "one that is not needed."
            )
        return made, secret

    async def endpoint(self, endpoint_id: UUID) -> Endpoint:
        """Return the endpoint. Raises UnknownEndpoint."""
        return _found(await self._store.endpoints.get(endpoint_id), endpoint_id)

    async def endpoints(
        self, after: UUID | None = None, limit: int = 100, *, owner: str | None = None
    ) -> list[Endpoint]:
        """Return at most *limit* endpoints in the order of their ids, after *after*; with *owner* its own."""
        check_texts(owner=owner)
        return await self._store.endpoints.page(after, limit, owner)

    async def change_endpoint(
        self,
        endpoint_id: UUID,
        *,
        url: str | None = None,
        states: Iterable[str] | None = None,
        types: Iterable[str] | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> Endpoint:
        """Change what is given, and return the endpoint. What it is to hear counts for messages that are made
        from now on; those on their way go to the new address.

        One that is enabled again hears of what is committed from then on. Raises UnknownEndpoint,
        EndpointRefused, WebhooksOff.
        """
        now = await self.endpoint(endpoint_id)
        wanted = await self._checked(
            now.url if url is None else url,
            now.states if states is None else states,
            now.types if types is None else types,
            now.description if description is None else description,
            reachable=url is not None or enabled is True,
        )
        changed = replace(wanted, id=now.id, created_at=now.created_at)
        now = _found(await self._store.endpoints.change(changed), endpoint_id)
        if enabled is True:
            now = _found(await self._store.endpoints.enable(endpoint_id), endpoint_id)
        elif enabled is False:
            await self._store.endpoints.disable(endpoint_id, SWITCHED_OFF)
            now = await self.endpoint(endpoint_id)
        return now

    async def rotate_secret(self, endpoint_id: UUID, keep_seconds: float = ROTATION_SECONDS) -> str:
        """Give the endpoint a new secret and return it; the one before signs too for *keep_seconds*.

        A secret that has leaked is let go with 0. Raises UnknownEndpoint, InvalidRequest.
        """
        if not 0 <= keep_seconds <= ROTATION_SECONDS_MAX:
            raise InvalidRequest(
                f"keep_seconds must be 0 to {ROTATION_SECONDS_MAX:,.0f}, not {keep_seconds}."
            )
        secret = _new_secret()
        if not await self._store.endpoints.rotate(endpoint_id, secret, keep_seconds):
            raise UnknownEndpoint(endpoint_id)
        return secret

    async def remove_endpoint(self, endpoint_id: UUID) -> None:
        """Forget the endpoint with its log. Raises UnknownEndpoint."""
        if not await self._store.endpoints.remove(endpoint_id):
            raise UnknownEndpoint(endpoint_id)

    async def deliveries(
        self, endpoint_id: UUID, before: int | None = None, limit: int = 100, *, failed: bool = False
    ) -> list[Delivery]:
        """Return messages to the endpoint with a `seq` below *before*, the last one first; with *failed*
        those that were given up. Raises UnknownEndpoint."""
        await self.endpoint(endpoint_id)
        return await self._store.deliveries.page(endpoint_id, before, limit, failed=failed)

    async def tries(self, endpoint_id: UUID, seq: int) -> list[Try]:
        """Return what came of the last tries of one message. Raises UnknownEndpoint."""
        known = 0 < seq < _SEQ_MAX and await self._store.deliveries.page(endpoint_id, seq + 1, 1)
        if not known or known[0].transition.seq != seq:
            raise UnknownEndpoint(endpoint_id, seq)
        return await self._store.deliveries.tries(endpoint_id, seq)

    async def resend(self, endpoint_id: UUID, seqs: Sequence[int]) -> int:
        """Send messages again, whatever became of them, and return how many there are of these. The receiver
        knows them by their `webhook-id`. Raises UnknownEndpoint, EndpointRefused when it is disabled."""
        await self._enabled(endpoint_id)
        if len(seqs) > RESENT_MAX:
            raise InvalidRequest(f"At most {RESENT_MAX:,} messages are sent again at a time.")
        count = await self._store.deliveries.resend(endpoint_id, seqs)
        self._wakeups.wake(WEBHOOK)
        return count

    async def resend_failed(self, endpoint_id: UUID, since: datetime) -> int:
        """Send again what was given up since then, a time with zone, and return how many those are; at most
        RESENT_MAX: call again until there is none. Raises UnknownEndpoint, EndpointRefused when disabled."""
        await self._enabled(endpoint_id)
        if since.tzinfo is None:
            raise InvalidRequest(f"since {since} must have a time zone.")
        count = await self._store.deliveries.resend_failed(endpoint_id, since, RESENT_MAX)
        self._wakeups.wake(WEBHOOK)
        return count

    async def test_endpoint(self, endpoint_id: UUID) -> Posted:
        """Post a message of the type `test` now, once, and return what came of it. Raises UnknownEndpoint,
        WebhooksOff."""
        endpoint = await self.endpoint(endpoint_id)
        signs = await self._store.endpoints.secrets(endpoint_id)
        letter = Letter(id=f"test_{self._new_id().hex}", url=endpoint.url, secrets=signs)
        return await self._messenger.post(letter)

    @property
    def _messenger(self) -> Messenger:
        if self._context.messenger is None:
            raise WebhooksOff
        return self._context.messenger

    async def _enabled(self, endpoint_id: UUID) -> None:
        endpoint = await self.endpoint(endpoint_id)
        if endpoint.disabled_at is not None:
            raise EndpointRefused(
                f"The endpoint is disabled ({endpoint.disabled_why}): enable it, then send again."
            )

    async def _checked(
        self,
        url: str,
        states: Iterable[str],
        types: Iterable[str],
        description: str,
        *,
        reachable: bool = True,
    ) -> Endpoint:
        """Return an endpoint that hears of something and can be posted to, as far as is seen."""
        states, types = tuple(dict.fromkeys(states)), tuple(dict.fromkeys(types))
        known = {state for job_type in self.catalog for state in job_type.states()}
        for what, given, offer in (("state", states, known), ("job type", types, set(self.catalog.names))):
            if wrong := [name for name in given if name not in offer]:
                raise EndpointRefused(f"There is no {what} {wrong[0]!r}, only {', '.join(sorted(offer))}.")
        if len(url) > _URL_LENGTH_MAX:
            raise EndpointRefused(f"The address has {len(url):,} characters; {_URL_LENGTH_MAX:,} are taken.")
        if len(description) > _TEXT_LENGTH_MAX or (description and not description.isprintable()):
            raise EndpointRefused(f"description must be at most {_TEXT_LENGTH_MAX} printable characters.")
        if reachable and (problem := await self._messenger.problem_of(url)):
            raise EndpointRefused(f"Nothing can be posted to this address: {problem}.")
        at = await self._store.now()
        return Endpoint(
            id=UUID(int=0), url=url, created_at=at, states=states, types=types, description=description
        )


def _found(endpoint: Endpoint | None, endpoint_id: UUID) -> Endpoint:
    if endpoint is None:
        raise UnknownEndpoint(endpoint_id)
    return endpoint


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
