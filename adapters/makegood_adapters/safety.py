"""What makes a configuration unsafe: each problem names its key and what to do, and none of them a secret."""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, SecretStr

from makegood.keyring import KEY_PREFIX
from makegood_adapters.access import AuthConfig
from makegood_adapters.config import ServiceConfig, is_loopback

#: HS256 is as strong as its secret: this is what its hash gives.
SECRET_BYTES_MIN = 32
#: Parts of secrets that stand in manuals and examples.
_SAMPLES = (
    "super-secret-jwt-token",
    "reallyreallyreallyreallyverysafe",
    "your-256-bit-secret",
    "string-secret-at-least-256-bits",
    "changeme",
    "change-me",
    "change-this",
)
#: A shorter password, such as a word, may be part of any key.
_TELLING_MIN = 8
#: A text of fewer different characters was typed, not drawn.
_DIFFERENT_MIN = 10
_JWT = re.compile(r"[\w-]+\.([\w-]+)\.[\w-]*")


def problems_of(config: ServiceConfig) -> list[str]:
    """Return what makes *config* unsafe to serve with, an empty list if nothing does."""
    found = [*_tokens(config.auth), *_public_key(config), *_pages(config)]
    for network in config.limits.trusted_proxies:
        if network.prefixlen == 0:
            found.append(
                f"limits.trusted_proxies: {network} is everybody, so that every caller could write its own "
                "address and no limit would hold. Name the addresses of your proxies alone."
            )
    for origin in config.http.origins:
        if origin.startswith("http://") and not is_loopback(urlsplit(origin).hostname):
            found.append(
                f"http.origins: {origin} is a page without TLS, so that whoever is between can put a "
                "script into it that calls with the user's token. Serve the page over https, and name that."
            )
    if not config.auth.knows_users and not is_loopback(config.host):
        found.append(
            f"host: on {config.host} others can call, and without [auth] whoever calls may name any user in "
            'the body. Set auth.jwks_url or auth.jwt_secret, or listen on host = "127.0.0.1".'
        )
    return found


def _tokens(auth: AuthConfig) -> Iterator[str]:
    if auth.jwks_url is not None and auth.jwt_secret is not None:
        yield (
            "auth.jwks_url and auth.jwt_secret: both are set, and a service that takes either can be shown a "
            "token of the weaker kind. Leave out the one that your issuer does not use."
        )
    if auth.jwks_url is not None:
        yield from _address(auth.jwks_url)
    if auth.jwt_secret is not None:
        yield from _shared_secret(auth.jwt_secret.get_secret_value())
    if auth.knows_users:
        for name, what in (("issuer", "iss"), ("audience", "aud")):
            if getattr(auth, name) is None:
                yield (
                    f"auth.{name}: is missing, so that a token made for another service would do. Set it to "
                    f"what your tokens have as `{what}`."
                )
    elif auth.issuer is not None or auth.audience is not None:
        yield (
            "auth: has an issuer or audience and nothing to check a token by. Set auth.jwks_url, or "
            "auth.jwt_secret, or leave [auth] out."
        )


def _pages(config: ServiceConfig) -> Iterator[str]:
    url = config.public_url
    if url is None:
        return
    if url.startswith("http://") and not is_loopback(urlsplit(url).hostname):
        yield (
            "public_url: begins with http://, so that whoever is between reads the tokens of users and their "
            "files. Put a proxy with TLS in front, and name its https:// address."
        )
    if not config.auth.knows_users and not is_loopback(urlsplit(url).hostname):
        yield (
            "public_url: pages elsewhere can call through it, and without [auth] whoever calls may name any "
            "user in the body. Set auth.jwks_url or auth.jwt_secret, or leave public_url out."
        )
    if config.link_secret is None:
        yield (
            "link_secret: is missing, and pages that are served under public_url would never see a result: "
            "nothing signs its address. Make one with `openssl rand -hex 32`."
        )


def _address(url: str) -> Iterator[str]:
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        yield (
            "auth.jwks_url: is no address. It is written https://issuer.example/.well-known/jwks.json, as "
            "your issuer tells it."
        )
        return
    if parts.username or parts.password:
        yield "auth.jwks_url: has a user or password in it. Key sets are public: leave them out."
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        yield (
            "auth.jwks_url: begins with http://, so that whoever is between could put their own keys there. "
            "Use https://."
        )


def _shared_secret(secret: str) -> Iterator[str]:
    length = len(secret.encode())
    if length < SECRET_BYTES_MIN:
        yield (
            f"auth.jwt_secret: has {length} bytes and needs {SECRET_BYTES_MIN}, or it can be guessed from "
            "one token. Make one with `openssl rand -base64 32`, and give it to the issuer too."
        )
    elif any(sample in secret.lower() for sample in _SAMPLES) or len(set(secret)) < _DIFFERENT_MIN:
        yield (
            "auth.jwt_secret: is an example that everybody knows, or one that is easily guessed. Make one "
            "with `openssl rand -base64 32`, and give it to the issuer too."
        )


def _public_key(config: ServiceConfig) -> Iterator[str]:
    if config.public_key is None:
        return
    key = config.public_key.get_secret_value()
    for name, secret in _secrets(config):
        if key in secret or (len(secret) >= _TELLING_MIN and secret in key):
            yield (
                f"public_key: has {name} in it, or is a part of it, and every page of yours would show it. "
                f"Set the publishable key of the front-end here, and another {name}."
            )
    if KEY_PREFIX in key:
        yield "public_key: is a service key, which no page may show. Revoke it, and set a publishable key."
    if "sb_secret_" in key:
        yield "public_key: is a secret key (sb_secret_…). Set the publishable one (sb_publishable_…)."
    if _role(key) == "service_role":
        yield "public_key: is a token of the role service_role. Set that of the role anon."
    if len(key) < 8 or not key.isascii() or not key.isprintable() or " " in key:
        yield (
            "public_key: must be 8 or more printable ASCII characters without spaces, for it is sent in a "
            "header. Set another one, in the front-end too."
        )


def _secrets(config: BaseModel, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every other secret of the configuration with the key where it stands."""
    for name in type(config).model_fields:
        value, place = getattr(config, name), f"{path}{name}"
        if isinstance(value, SecretStr) and place != "public_key":
            text = value.get_secret_value()
            parts = _split(text) if "://" in text else None
            yield place, (parts.password or "") if parts else text
        elif isinstance(value, BaseModel):
            yield from _secrets(value, f"{place}.")
        elif isinstance(value, list):
            for number, each in enumerate(value):
                if isinstance(each, BaseModel):
                    yield from _secrets(each, f"{place}.{number}.")


def _role(key: str) -> str | None:
    """Return the role in a token, which nobody has checked; None in any other text."""
    if found := _JWT.fullmatch(key):
        try:
            claims = json.loads(base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)))
        except (ValueError, RecursionError):
            return None
        role = claims.get("role") if isinstance(claims, dict) else None
        return role if isinstance(role, str) else None
    return None


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None
