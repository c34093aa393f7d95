"""The keys of an issuer: fetched rarely whoever asks, used while it is away, and read with care."""

import asyncio
import base64
import json
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from makegood_adapters.http import jwks
from makegood_adapters.http.jwks import BYTES_MAX, OLD_SECONDS, PAUSE_SECONDS, STALE_SECONDS, read_keys
from makegood_adapters.http.problems import ApiProblem
from tests.api.issuer import Clock, a_gate, a_key, an_issuer, claims, signed
from tests.api.test_tokens import caller, refused

UNKNOWN = "The token is signed with a key that its issuer does not have"


async def test_a_flood_of_unknown_keys_is_no_flood_of_requests() -> None:
    clock = Clock()
    async with an_issuer() as issuer, a_gate(issuer.auth, clock) as gate:
        assert (await caller(gate, issuer.token())).owner == "ada"
        strange = [signed(a_key("strange"), "ES256", kid=f"strange-{n}") for n in range(50)]
        for token in strange:
            assert (await refused(gate, token)).startswith(UNKNOWN)
        assert issuer.fetches == 1
        clock.passed += PAUSE_SECONDS
        await asyncio.gather(*(refused(gate, token) for token in strange))
        assert issuer.fetches == 2
        assert (await caller(gate, issuer.token())).owner == "ada"


async def test_many_who_come_first_wait_for_one_request() -> None:
    async with an_issuer() as issuer, a_gate(issuer.auth) as gate:
        found = await asyncio.gather(*(caller(gate, issuer.token(sub=f"u{n}")) for n in range(30)))
        assert [each.owner for each in found] == [f"u{n}" for n in range(30)]
        assert issuer.fetches == 1


async def test_who_leaves_while_the_keys_are_fetched_takes_them_from_nobody() -> None:
    async with an_issuer() as issuer, a_gate(issuer.auth) as gate:
        issuer.held = asyncio.Event()
        first = asyncio.create_task(caller(gate, issuer.token()))
        await issuer.asked.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        issuer.held.set()
        assert (await caller(gate, issuer.token(sub="bob"))).owner == "bob"
        assert issuer.fetches == 1


async def test_a_new_key_of_the_issuer_is_known_and_an_old_one_forgotten() -> None:
    clock = Clock()
    async with an_issuer() as issuer, a_gate(issuer.auth, clock) as gate:
        old = issuer.token()
        assert (await caller(gate, old)).owner == "ada"
        issuer.keys = [(a_key("next"), "ES256")]
        clock.passed += PAUSE_SECONDS
        assert (await caller(gate, issuer.token())).owner == "ada"
        assert (await refused(gate, old)).startswith(UNKNOWN)


async def test_keys_are_used_while_the_issuer_is_away_for_a_day() -> None:
    clock = Clock()
    async with an_issuer() as issuer, a_gate(issuer.auth, clock) as gate:
        await caller(gate, issuer.token())
        issuer.reply = lambda: web.Response(status=500)  # each time another: one is sent once
        clock.passed = STALE_SECONDS
        token = issuer.token(iat=clock.now(), exp=clock.now() + 3_600)
        assert (await caller(gate, token)).owner == "ada"
        clock.passed = STALE_SECONDS + PAUSE_SECONDS
        with pytest.raises(ApiProblem) as problem:
            await caller(gate, token)
        assert (problem.value.code, problem.value.headers["Retry-After"]) == ("unavailable", "5")
        issuer.reply = None
        clock.passed += PAUSE_SECONDS
        assert (await caller(gate, token)).owner == "ada"


async def test_a_key_that_was_withdrawn_is_believed_for_an_hour_at_most() -> None:
    clock = Clock()
    async with an_issuer() as issuer, a_gate(issuer.auth, clock) as gate:
        token = issuer.token(exp=clock.now() + 86_400)
        await caller(gate, token)
        issuer.keys = [(a_key("next"), "ES256")]
        clock.passed = OLD_SECONDS + 1
        assert (await refused(gate, token)).startswith(UNKNOWN)


@pytest.mark.parametrize(
    "reply",
    [
        lambda _: web.Response(status=404),
        lambda url: web.Response(status=302, headers={"Location": url}),
        lambda _: web.Response(text="<html>"),
        lambda _: web.Response(text="[" * 50_000),
        lambda _: web.json_response([]),
        lambda _: web.json_response({"keys": {}}),
        lambda _: web.json_response({"keys": []}),
        lambda _: web.Response(body=b" " * (BYTES_MAX + 1)),
    ],
    ids=["404", "redirect", "page", "deep", "list", "no list", "empty", "huge"],
)
async def test_what_is_no_key_set_leaves_users_unknown_for_now(reply: Any) -> None:
    async with an_issuer() as issuer, a_gate(issuer.auth) as gate:
        issuer.reply = partial(reply, issuer.url)
        for _ in range(3):
            with pytest.raises(ApiProblem) as problem:
                await caller(gate, issuer.token())
            assert problem.value.code == "unavailable"
        assert issuer.fetches == 1


async def test_an_issuer_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async with an_issuer() as issuer, a_gate(issuer.auth) as gate, AsyncExitStack() as stack:
        stack.enter_context(monkeypatch.context()).setattr(jwks, "FETCH_SECONDS", 0.01)
        issuer.held = asyncio.Event()
        with pytest.raises(ApiProblem) as problem:
            await caller(gate, issuer.token())
        issuer.held.set()
    assert problem.value.code == "unavailable"


def test_only_keys_for_our_algorithms_are_taken() -> None:
    def published(kid: str, kind: str = "ES256", **given: Any) -> dict[str, Any]:
        return {**a_key(kid, kind).as_dict(private=False), **given}

    listed: list[Any] = [
        published("good"),
        published("rsa", "RS256", alg="RS256", use="sig"),
        published("edwards", "Ed25519", alg="EdDSA"),
        {**published("weak", "RS256"), "n": base64.urlsafe_b64encode(b"\xc5" * 128).decode().rstrip("=")},
        published("large", "ES384"),
        published("for encryption", use="enc"),
        published("for another", alg="ES384"),
        published("for none", "RS256", alg="none"),
        published("confusing", "RS256", alg="HS256"),
        {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "kid": "shared"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "no point"},
        {"kty": "LMS", "kid": "to come"},
        {**published("good"), "crv": "a curve to come", "kid": "of it"},
        {**published("edwards", "Ed25519"), "crv": "ML-DSA-44", "kid": "also to come"},
        {**published("good"), "x": "AAAA"},
        {**published("odd"), "kid": 7},
        "nonsense",
        None,
    ]
    assert set(read_keys(json.dumps({"keys": listed}).encode())) == {"good", "rsa", "edwards"}


async def test_a_token_without_a_key_id_is_for_the_only_key() -> None:
    async with an_issuer() as issuer, a_gate(issuer.auth) as gate:
        assert (await caller(gate, signed(issuer.keys[0][0], "ES256", claims()))).owner == "ada"
