"""A service does not start with an unsafe configuration: each rule names its key and no secret."""

import base64
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from makegood_adapters.access import AuthConfig, LimitsConfig
from makegood_adapters.config import ServiceConfig
from makegood_adapters.http.callers import Scope
from makegood_adapters.safety import problems_of
from tests.api.issuer import SECRET

HOUSE = Path(__file__).resolve().parents[2]
LINK = "9f86d081884c7d659a2feaa0c55ad015"
DATABASE = "postgresql://shop:p4ssw0rd-of-the-database@db/shop"
AUTH = {"jwt_secret": SECRET, "issuer": "https://issuer.example", "audience": "authenticated"}
KEYS = {"jwks_url": "https://issuer.example/jwks.json", **{k: AUTH[k] for k in ("issuer", "audience")}}


def token(role: str) -> str:
    body = base64.urlsafe_b64encode(json.dumps({"role": role}).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJl"


SAFE: dict[str, dict[str, Any]] = {
    "nothing but loopback": {},
    "loopback by name": {"host": "localhost"},
    "loopback of IPv6": {"host": "::1"},
    "a secret": {"auth": AUTH, "host": "0.0.0.0"},
    "keys of an issuer": {"auth": KEYS, "host": "::"},
    "keys on this machine": {"auth": {**KEYS, "jwks_url": "http://127.0.0.1:9999/auth/v1/jwks"}},
    "a publishable key": {"public_key": "sb_publishable_0123456789"},
    "a password that is a word": {
        "database_url": "postgresql://shop:shop@db/shop",
        "public_key": "shop_publishable_01",
    },
    "a publishable token": {"public_key": token("anon"), "auth": AUTH},
    "pages": {
        "http": {"origins": ["https://shop.example", "http://localhost:5173", "http://127.0.0.1:8080"]}
    },
    "every page": {"http": {"origins": ["*"]}},
    "pages on this machine": {"public_url": "http://localhost:8000", "link_secret": LINK},
    "pages elsewhere": {"public_url": "https://api.shop.example", "link_secret": LINK, "auth": AUTH},
    "proxies": {"limits": {"trusted_proxies": ["10.0.0.0/8", "192.168.1.4", "fd00::/8"]}},
}

UNSAFE: dict[str, tuple[dict[str, Any], str]] = {
    "a page without TLS": (
        {"http": {"origins": ["https://shop.example", "http://shop.example"]}},
        "http.origins: http://shop.example is a page without TLS",
    ),
    "a short secret": ({"auth": {**AUTH, "jwt_secret": "x7Kq2mZ9" * 3}}, "auth.jwt_secret: has 24 bytes"),
    "the sample of a platform": (
        {"auth": {**AUTH, "jwt_secret": "your-super-secret-jwt-token-with-at-least-32-characters-long"}},
        "auth.jwt_secret: is an example",
    ),
    "the sample of a local stack": (
        {"auth": {**AUTH, "jwt_secret": "super-secret-jwt-token-with-at-least-32-characters-long"}},
        "auth.jwt_secret: is an example",
    ),
    "one letter": ({"auth": {**AUTH, "jwt_secret": "a" * 40}}, "auth.jwt_secret: is an example"),
    "both kinds of tokens": ({"auth": AUTH | KEYS}, "auth.jwks_url and auth.jwt_secret: both are set"),
    "keys over http": (
        {"auth": {**KEYS, "jwks_url": "http://issuer.example/jwks"}},
        "auth.jwks_url: begins with http://",
    ),
    "keys in a file": ({"auth": {**KEYS, "jwks_url": "file:///etc/keys"}}, "auth.jwks_url: is no address"),
    "no address": ({"auth": {**KEYS, "jwks_url": "https://[nonsense"}}, "auth.jwks_url: is no address"),
    "a password for keys": (
        {"auth": {**KEYS, "jwks_url": "https://me:pw@issuer.example/jwks"}},
        "auth.jwks_url: has a user or password",
    ),
    "no issuer": ({"auth": {**KEYS, "issuer": None}}, "auth.issuer: is missing"),
    "no audience": ({"auth": {**AUTH, "audience": None}}, "auth.audience: is missing"),
    "an issuer alone": ({"auth": {"issuer": "https://issuer.example"}}, "auth: has an issuer or audience"),
    "a page with the secret": ({"auth": AUTH, "public_key": SECRET}, "public_key: has auth.jwt_secret"),
    "a page with more than the secret": (
        {"auth": AUTH, "public_key": f"pk-{SECRET}"},
        "public_key: has auth.jwt_secret",
    ),
    "a page with half the secret": (
        {"auth": AUTH, "public_key": SECRET[:16]},
        "public_key: has auth.jwt_secret",
    ),
    "a page with the password": (
        {"public_key": "p4ssw0rd-of-the-database"},
        "public_key: has database_url in it",
    ),
    "a page with the provider's key": (
        {"public_key": "0123456789abcdef", "accounts": [{"name": "a", "api_key": "0123456789abcdef"}]},
        "public_key: has accounts.0.api_key in it",
    ),
    "a page with a service key": (
        {"public_key": "mgk_0123456789ab_" + "x" * 43},
        "public_key: is a service key",
    ),
    "a page with a secret key": ({"public_key": "sb_secret_0123456789"}, "public_key: is a secret key"),
    "a page with the backend's token": (
        {"public_key": token("service_role")},
        "public_key: is a token of the role service_role",
    ),
    "a page with no key": ({"public_key": "x y"}, "public_key: must be 8 or more"),
    "everybody as proxy": (
        {"limits": {"trusted_proxies": ["0.0.0.0/0"]}},
        "limits.trusted_proxies: 0.0.0.0/0",
    ),
    "everybody of IPv6": ({"limits": {"trusted_proxies": ["::/0"]}}, "limits.trusted_proxies: ::/0"),
    "pages without TLS": (
        {"public_url": "http://api.shop.example", "link_secret": LINK, "auth": AUTH},
        "public_url: begins with http://",
    ),
    "pages without results": (
        {"public_url": "https://api.shop.example", "auth": AUTH},
        "link_secret: is missing",
    ),
    "pages without users": (
        {"public_url": "https://api.shop.example", "link_secret": LINK},
        "public_url: pages elsewhere can call through it, and without [auth] whoever calls may name any user",
    ),
    "open without users": ({"host": "0.0.0.0"}, "host: on 0.0.0.0 others can call"),
    "a name without users": ({"host": "shop.example"}, "host: on shop.example others can call"),
}


def config(given: dict[str, Any]) -> ServiceConfig:
    return ServiceConfig(**{"database_url": DATABASE, **given})


@pytest.mark.parametrize("name", SAFE)
def test_a_safe_configuration_has_no_problem(name: str) -> None:
    assert problems_of(config(SAFE[name])) == []


@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_configuration_names_its_key_and_no_secret(name: str) -> None:
    given, begins = UNSAFE[name]
    [problem] = problems_of(config(given))
    assert problem.startswith(begins)
    assert problem.endswith(".")
    for secret in (SECRET, "p4ssw0rd", "0123456789abcdef", "pw@"):
        assert secret not in problem


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"limits": {"user": {"submits": "often"}}}, "'often' is no rate: write it like 600/minute"),
        ({"limits": {"failures": "0/minute"}}, "'0/minute' is no rate"),
        ({"limits": {"trusted_proxies": ["proxy"]}}, "proxy is no network: write it like 10.0.0.0/8"),
        ({"auth": {"jwt_sekret": "x"}}, "Extra inputs are not permitted"),
        ({"auth": {"owner_claim": ""}}, "at least 1 character"),
    ],
    ids=str,
)
def test_a_value_that_is_none_is_refused_when_it_is_read(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        config(given)


def test_what_the_page_about_callers_configures_is_safe(tmp_path: Path) -> None:
    text = (HOUSE / "docs" / "how-to" / "callers.md").read_text("utf-8")
    [shown] = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert problems_of(config({"host": "0.0.0.0", **tomllib.loads(shown)})) == []
    for scope in Scope:
        assert f"| `{scope}` |" in text


def test_what_the_configuration_file_shows_of_auth_and_limits_is_what_holds(tmp_path: Path) -> None:
    text = (HOUSE / "config" / "makegood.toml").read_text("utf-8")
    shown = text[text.index("# [auth]") : text.index("# How long, in seconds, a job of any type")]
    lines = [line.removeprefix("# ") for line in shown.splitlines()]
    read = tomllib.loads("\n".join(line for line in lines if re.match(r"\[|\w+ = ", line)))
    assert AuthConfig(**read["auth"]).owner_claim == AuthConfig().owner_claim
    given, default = LimitsConfig(**read["limits"]), LimitsConfig()
    assert (given.trusted_proxies, given.failures) == (default.trusted_proxies, default.failures)
    for name in ("of_user", "of_service", "of_address"):
        assert getattr(given, name) == getattr(default, name)
