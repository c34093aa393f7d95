"""Webhooks of ours: signed by Standard Webhooks, posted once, to the public Internet alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import aiohttp
from pydantic import BaseModel
from standardwebhooks.webhooks import Webhook
from yarl import URL

from makegood.ports import Letter, Posted
from makegood_adapters.exchange import retry_after_seconds
from makegood_adapters.http.v1.views import JobSummary, MoneyView, TransitionView
from makegood_adapters.internet import (
    NotPublic,
    addresses_of,
    check_public,
    leads_inside,
    problem_of_url,
    public_connector,
)

#: So much of an answer is read, for so long, for the log; its status is all that counts.
_ANSWER_BYTES_MAX: Final = 1024
_ANSWER_SECONDS: Final = 2.0
_RESOLVE_SECONDS: Final = 5.0
_CONNECTIONS_MAX: Final = 200
_REDIRECTS: Final = range(300, 400)
_AGENT: Final = "makegood-webhooks/1"


class TransitionData(BaseModel):
    """What a message tells: the transition, and its job and money as they stand when the message is sent."""

    transition: TransitionView
    job: JobSummary
    money: MoneyView


class TransitionMessage(BaseModel):
    """The body of a message. `type` is `job.` and the state that was entered, `timestamp` when it was."""

    type: str
    timestamp: datetime
    data: TransitionData


class TrialMessage(BaseModel):
    """The body of a message that somebody has asked for to see whether it arrives."""

    type: Literal["test"] = "test"
    timestamp: datetime
    data: dict[str, Any]


class WebhookMessenger:
    """Implements `makegood.ports.Messenger`; open it with `WebhookMessenger.open()`.

    Nothing of the environment counts, such as proxies. Redirects are not followed, no cookies are kept, and
    an answer is not unpacked. With *private*, for development, http and private addresses are allowed.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        private: bool = False,
        timeout_seconds: float = 15.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._session, self._private, self._timeout = session, private, timeout_seconds
        self._now = now  # receivers hold signatures against the time of the world, not of our database

    @classmethod
    @asynccontextmanager
    async def open(
        cls, *, private: bool = False, timeout_seconds: float = 15.0
    ) -> AsyncIterator["WebhookMessenger"]:
        """Yield a messenger with a session of its own."""
        async with aiohttp.ClientSession(
            connector=public_connector(private=private, limit=_CONNECTIONS_MAX),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": _AGENT},
        ) as session:
            yield cls(session, private=private, timeout_seconds=timeout_seconds)

    async def problem_of(self, url: str) -> str | None:
        """See `Messenger.problem_of`. Where the name leads is looked at for a quick answer; what counts is
        where each connection really goes."""
        if (problem := problem_of_url(url, private=self._private)) or self._private:
            return problem
        parts = urlsplit(url)
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                found = await addresses_of(parts.hostname or "", parts.port or 443)
            for each in found:
                check_public(each["host"])
        except NotPublic:
            return "its name leads to an address that is not on the public Internet"
        except (OSError, UnicodeError):  # a TimeoutError is an OSError
            return "its name leads nowhere at present"
        return None

    async def post(self, letter: Letter) -> Posted:
        """See `Messenger.post`."""
        if problem := problem_of_url(letter.url, private=self._private):
            return Posted(problem=problem)
        body = body_of(letter, self._now())
        headers = {"Content-Type": "application/json", **signed(letter, body, self._now())}
        began = time.monotonic()
        bounds = aiohttp.ClientTimeout(total=self._timeout)
        try:
            async with self._session.post(
                URL(letter.url), data=body, headers=headers, allow_redirects=False, timeout=bounds
            ) as answer:
                took = time.monotonic() - began
                text = await _beginning(answer)
                problem = None
                if answer.status in _REDIRECTS:
                    problem = f"HTTP {answer.status}: redirects are not followed, give the address itself"
                return Posted(
                    status=answer.status,
                    problem=problem,
                    body=text,
                    seconds=took,
                    retry_after_seconds=_asked_pause(answer),
                )
        except TimeoutError:
            problem = f"no answer within {self._timeout:g} seconds"
        except aiohttp.ClientConnectorCertificateError:
            problem = "its certificate is not valid, or not for its name"
        except aiohttp.ClientConnectorError as error:
            problem = "its name leads to no public address" if leads_inside(error) else "no connection"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # only the type: texts of errors may hold the address, and that a password of the receiver's
            problem = f"the exchange broke off ({type(error).__name__})"
        return Posted(problem=problem, seconds=time.monotonic() - began)


def body_of(letter: Letter, now: datetime) -> bytes:
    """Return the JSON of a letter. Actor and reason of a transition are the operator's, and not told."""
    if letter.transition is None or letter.job is None or letter.money is None:
        data = {"message": "This is a test. Whoever verifies its signature is ready."}
        return TrialMessage(timestamp=now, data=data).model_dump_json().encode()
    return (
        TransitionMessage(
            type=f"job.{letter.transition.to_state}",
            timestamp=letter.transition.at,
            data=TransitionData(
                transition=TransitionView.of(letter.transition),
                job=JobSummary(**JobSummary.fields_of(letter.job, letter.status)),
                money=MoneyView.of(letter.money),
            ),
        )
        .model_dump_json()
        .encode()
    )


def signed(letter: Letter, body: bytes, now: datetime) -> dict[str, str]:
    """Return the three headers of Standard Webhooks; every secret that is valid now signs."""
    text = body.decode()
    return {
        "webhook-id": letter.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(s).sign(letter.id, now, text) for s in letter.secrets),
    }


async def _beginning(answer: aiohttp.ClientResponse) -> str:
    """Return the first KiB as text, or what of it came in time: it is for people, and decides nothing."""
    data = bytearray()
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            while len(data) < _ANSWER_BYTES_MAX and (
                piece := await answer.content.read(_ANSWER_BYTES_MAX - len(data))
            ):
                data += piece
    except (aiohttp.ClientError, OSError):  # a TimeoutError is one
        pass
    return data.decode(errors="replace")


def _asked_pause(answer: aiohttp.ClientResponse) -> float | None:
    if answer.status not in (429, 503):
        return None
    return retry_after_seconds(answer.headers.get("Retry-After"))
