"""User tokens: those of the issuer are taken, and no other, whatever its header says."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import OctKey

from makegood.errors import InvalidRequest
from makegood_adapters.http.callers import Caller, CallerKind, joined
from makegood_adapters.http.gatekeeper import Gatekeeper
from makegood_adapters.http.problems import ApiProblem
from tests.api.issuer import (
    AUDIENCE,
    BY_SECRET,
    ISSUER,
    NOW,
    PUBLIC,
    SECRET,
    Issuer,
    a_gate,
    a_key,
    an_issuer,
    by_secret,
    claims,
    forged,
    signed,
)


async def caller(gate: Gatekeeper, token: str, **headers: str) -> Caller:
    return await gate.identify({"authorization": f"Bearer {token}", **headers}, "192.0.2.1")


async def refused(gate: Gatekeeper, token: str, **headers: str) -> str:
    """Return why the token is refused, as the standard tells it."""
    with pytest.raises(ApiProblem) as problem:
        await caller(gate, token, **headers)
    assert problem.value.code == "unauthenticated"
    begin, _, why = problem.value.headers["WWW-Authenticate"].partition('error_description="')
    assert begin == 'Bearer error="invalid_token", '
    assert problem.value.detail == why.removesuffix('"') + "."
    return why


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [("ES256", "ES256"), ("RS256", "RS256"), ("Ed25519", "Ed25519"), ("Ed25519", "EdDSA")],
)
async def test_a_token_of_the_issuer_names_its_owner(kind: str, algorithm: str) -> None:
    async with an_issuer() as issuer:
        issuer.keys = [(a_key("other"), "ES256"), (a_key(f"mine-{kind}", kind), algorithm)]
        async with a_gate(issuer.auth) as gate:
            for audience in (AUDIENCE, ["another", AUDIENCE]):
                found = await caller(gate, issuer.token(1, aud=audience))
                assert (found.kind, found.owner) == (CallerKind.USER, "ada")
            assert (await caller(gate, issuer.token(1), apikey=PUBLIC)).owner == "ada"
    assert issuer.fetches == 1


async def test_a_token_by_the_shared_secret_names_its_owner() -> None:
    async with a_gate(BY_SECRET) as gate:
        found = await caller(gate, by_secret(exp=NOW + 90))
        assert (found.owner, found.expires_at) == ("ada", NOW + 90), "what goes on for long ends with it"
    async with a_gate(BY_SECRET.model_copy(update={"owner_claim": "email"})) as gate:
        assert (await caller(gate, by_secret(email="ada@example.org"))).owner == "ada@example.org"
        assert await refused(gate, by_secret()) == 'The token has no claim email"'


def public_pem(issuer: Issuer) -> bytes:
    return issuer.keys[0][0].as_bytes("PEM", private=False)  # type: ignore[union-attr]  # an EC key


FORGED: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "alg none": (
        lambda i: forged({"alg": "none", "kid": "one"}, claims()),
        "The signature of the token is not right",
    ),
    "alg none with a signature": (
        lambda i: forged({"alg": "none", "kid": "one"}, claims(), b"x"),
        "The signature of the token is not right",
    ),
    "HS256 by the public key": (
        lambda i: forged({"alg": "HS256", "kid": "one"}, claims(), public_pem(i)),
        "The signature of the token is not right",
    ),
    "HS256 by the public key as published": (
        lambda i: forged(
            {"alg": "HS256", "kid": "one"}, claims(), json.dumps(i.document()["keys"][0]).encode()
        ),
        "The signature of the token is not right",
    ),
    "HS256 by an empty secret": (
        lambda i: forged({"alg": "HS256", "kid": "one"}, claims(), b""),
        "The signature of the token is not right",
    ),
    "by a key of the same id": (
        lambda i: signed(a_key("strange"), "ES256", kid="one"),
        "The signature of the token is not right",
    ),
    "by another key of the issuer": (
        lambda i: signed(i.keys[0][0], "ES256", kid="two"),
        "The signature of the token is not right",
    ),
    "by a key that nobody has": (
        lambda i: signed(a_key("strange"), "ES256", kid="strange"),
        "The token is signed with a key that its issuer does not have",
    ),
    "by a key of which there are two": (
        lambda i: signed(i.keys[0][0], "ES256"),
        "The token is signed with a key that its issuer does not have",
    ),
    "with its own key": (
        lambda i: signed(a_key("own"), "ES256", kid="one", jwk=a_key("own").as_dict(private=False)),
        "The header of the token has jwk, which is not taken",
    ),
    "with the address of a key": (
        lambda i: signed(a_key("own"), "ES256", kid="one", jku="https://evil.example/jwks"),
        "The header of the token has jku, which is not taken",
    ),
    "with the address of a certificate": (
        lambda i: signed(a_key("own"), "ES256", kid="one", x5u="https://evil.example/cert"),
        "The header of the token has x5u, which is not taken",
    ),
    "with what must be understood": (
        lambda i: forged({"alg": "ES256", "kid": "one", "crit": ["exp"]}, claims()),
        "The header of the token has crit, which is not taken",
    ),
    "a changed payload": (
        lambda i: (t := i.token().split("."))[0] + "." + i.token(sub="bob").split(".")[1] + "." + t[2],
        "The signature of the token is not right",
    ),
    "without its signature": (
        lambda i: i.token().rpartition(".")[0] + ".",
        "The signature of the token is not right",
    ),
    "a kid that is a path": (
        lambda i: signed(i.keys[0][0], "ES256", kid="../../dev/null"),
        "The token is signed with a key that its issuer does not have",
    ),
    "a kid that is a number": (
        lambda i: forged({"alg": "ES256", "kid": 1}, claims()),
        "The token names no usable key",
    ),
    "an encrypted one": (lambda i: "a.b.c.d.e", "This is no signed token (JWT)"),
    "no token": (lambda i: "nonsense", "This is no signed token (JWT)"),
    "a deep header": (
        lambda i: forged({"alg": "ES256"}, {}).replace("ey", "W1tbW1tbW1tb" * 600, 1)[:8_000],
        "This is no signed token (JWT)",
    ),
    "a huge one": (lambda i: i.token(padding="x" * 8_000), "The token is longer than 8192 characters"),
    "of another type": (
        lambda i: signed(i.keys[0][0], "ES256", kid="one", typ="logout+jwt"),
        "The token is of another type than JWT",
    ),
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_token_that_was_forged_is_nobodys(name: str) -> None:
    forge, why = FORGED[name]
    async with an_issuer() as issuer:
        issuer.keys.append((a_key("two"), "ES256"))
        async with a_gate(issuer.auth) as gate:
            assert await refused(gate, forge(issuer)) == f'{why}"'


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"iss": "https://evil.example"}, "The token is of another issuer"),
    "no issuer": ({"iss": None}, "The token lacks iss"),
    "issuers": ({"iss": [ISSUER]}, "The token is of another issuer"),
    "another audience": ({"aud": "others"}, "The token is for another audience"),
    "other audiences": ({"aud": ["others", "more"]}, "The token is for another audience"),
    "no audience": ({"aud": None}, "The token lacks aud"),
    "an empty audience": ({"aud": []}, "The token is for another audience"),
    "an odd audience": ({"aud": [AUDIENCE, 1]}, "The token is for another audience"),
    "over": ({"exp": NOW - 31}, "The token has expired"),
    "no end": ({"exp": None}, "The token lacks exp"),
    "an end that is no number": ({"exp": "tomorrow"}, "The token says no usable end"),
    "an end that is not a number": ({"exp": float("nan")}, "The token says no usable end"),
    "an end beyond all": ({"exp": float("inf")}, "The token says no usable end"),
    "an end beyond any number": ({"exp": 10**400}, "The token says no usable end"),
    "not yet": ({"nbf": NOW + 31}, "The token is not valid yet"),
    "from the future": ({"iat": NOW + 31}, "The token was issued in the future"),
    "no owner": ({"sub": None}, "The token has no claim sub"),
    "a number as owner": ({"sub": 7}, "The claim sub is no text"),
    "an empty owner": ({"sub": ""}, "The claim sub is not 1 to 500 printable characters"),
    "an owner with a line": ({"sub": "a\nb"}, "The claim sub is not 1 to 500 printable characters"),
    "a NUL": ({"sub": "a\x00"}, "The claim sub is not 1 to 500 printable characters"),
    "a long owner": ({"sub": "a" * 501}, "The claim sub is not 1 to 500 printable characters"),
    "the backend": ({"role": "service_role"}, "A token of the role service_role is no user"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_signed_token_with_a_wrong_claim_is_nobodys(name: str) -> None:
    given, why = WRONG[name]
    async with a_gate(BY_SECRET) as gate:
        assert (await refused(gate, by_secret(**given))).startswith(why)


async def test_clocks_may_differ_by_thirty_seconds() -> None:
    async with a_gate(BY_SECRET) as gate:
        for claim, at in (("exp", -29), ("nbf", 30), ("iat", 30)):
            token = signed(OctKey.import_key(SECRET.encode()), "HS256", claims(**{claim: NOW + at}))
            assert (await caller(gate, token)).owner == "ada"


@pytest.mark.parametrize("secret", ["", "x" * 32, SECRET + "x"])
async def test_a_token_by_another_secret_is_nobodys(secret: str) -> None:
    async with a_gate(BY_SECRET) as gate:
        token = forged({"alg": "HS256"}, claims(), secret.encode())
        assert await refused(gate, token) == 'The signature of the token is not right"'
        for algorithm in ("HS384", "HS512"):
            strong = OctKey.import_key(SECRET.encode() * 2)
            assert await refused(gate, signed(strong, algorithm))
        assert await refused(gate, signed(a_key("one"), "ES256", kid="one"))
        assert await refused(gate, forged({"alg": "none"}, claims()))


async def test_the_key_of_a_page_is_anonymous_wherever_it_stands() -> None:
    anon = by_secret(role="anon", sub=None, iss="supabase", aud=None)
    async with a_gate(BY_SECRET) as gate:
        for headers in (
            {"apikey": PUBLIC},
            {"authorization": f"Bearer {PUBLIC}"},
            {"authorization": f"bearer  {PUBLIC}", "apikey": PUBLIC},
            {"authorization": f"Bearer {anon}"},
        ):
            found = await gate.identify(headers, "192.0.2.1")
            assert (found.kind, found.owner, found.scopes) == (CallerKind.ANONYMOUS, None, frozenset())
        nobody = await gate.identify({}, "192.0.2.1")
        assert nobody.kind is CallerKind.NONE
        assert await refused(gate, by_secret(role="anon", exp=NOW - 31)) == 'The token has expired"'


@pytest.mark.parametrize(
    "headers",
    [
        {"apikey": "another"},
        {"apikey": ""},
        {"apikey": "another", "authorization": f"Bearer {PUBLIC}"},
        {"authorization": "Basic YTpi"},
        {"authorization": "Bearer"},
        {"authorization": ""},
        {"authorization": f"Bearer {by_secret()}, Bearer {by_secret(sub='bob')}"},
        {"authorization": f"Bearer {by_secret()} {PUBLIC}"},
        {"authorization": "Bearer \udcff\udcfe"},
        {"apikey": "\udcff"},
        {"authorization": "Bearer mgk_0123456789ab_" + "x" * 43},
        {"authorization": "Bearer mgk_"},
    ],
    ids=repr,
)
async def test_credentials_that_are_none_are_never_taken_for_nobody(headers: dict[str, str]) -> None:
    async with a_gate(BY_SECRET) as gate:
        with pytest.raises(ApiProblem) as problem:
            await gate.identify(headers, "192.0.2.1")
        assert problem.value.code == "unauthenticated"


async def test_of_two_callers_in_one_request_none_is_taken() -> None:
    async with a_gate(BY_SECRET) as gate:
        one = by_secret()
        headers = joined([("Authorization", f"Bearer {one}"), ("authorization", f"Bearer {one}")])
        with pytest.raises(ApiProblem) as problem:
            await gate.identify(headers, "192.0.2.1")
        assert "is not one `Bearer` with one token" in str(problem.value)
        assert (await gate.identify(joined([("Authorization", f"Bearer {one}")]), "192.0.2.1")).owner


async def test_a_service_without_users_says_so() -> None:
    async with a_gate(None) as gate:
        assert "configured without [auth]" in await refused(gate, by_secret())


async def test_without_a_publishable_key_nothing_is_taken_for_one() -> None:
    async with a_gate(BY_SECRET, public_key=None) as gate:
        for offered in ("", "None", PUBLIC):
            assert (await gate.identify({"apikey": offered}, "192.0.2.1")).kind is CallerKind.NONE
        assert (await caller(gate, by_secret(), apikey=PUBLIC)).owner == "ada"
        assert await refused(gate, PUBLIC) == 'This is no signed token (JWT)"'


async def test_a_gate_for_tokens_of_anybody_is_not_opened() -> None:
    for update in ({"issuer": None}, {"audience": None}):
        with pytest.raises(InvalidRequest, match="Set both"):
            async with a_gate(BY_SECRET.model_copy(update=update)):
                raise AssertionError("it was opened")
