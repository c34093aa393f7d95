"""The configuration as it is in effect, for people: every value, where it comes from, and no secret."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

from makegood_adapters.config.keys import ServiceConfig

MASK = "********"


@dataclass(frozen=True, slots=True)
class Told:
    """One value: its path, what it is (masked if it is a secret), and where it comes from."""

    key: str
    value: str
    origin: str


def told(config: ServiceConfig) -> list[Told]:
    """Return every value of *config* in the order of its keys."""
    return [
        Told(
            key, MASK if isinstance(value, SecretStr) else _text(value), config.origins.get(key) or "default"
        )
        for key, value in _values(config)
    ]


def secrets_of(config: ServiceConfig) -> list[str]:
    """Return every secret of *config*, and the passwords inside of addresses."""
    found: dict[str, None] = {}
    for _, value in _values(config):
        if isinstance(value, SecretStr) and (secret := value.get_secret_value()):
            found[secret] = None
            if password := _password(secret):
                found[password] = None
                found[unquote(password)] = None
    return list(found)


def _values(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _values(getattr(value, name), f"{path}.{name}" if path else name)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _values(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, list) and value and isinstance(value[0], BaseModel | SecretStr):
        for place, each in enumerate(value):
            yield from _values(each, f"{path}.{place}")
    elif isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _values(each, f"{path}.{name}")
    else:
        yield path, value


def _text(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case list():
            return ", ".join(map(str, value)) or "none"
        case dict():
            return "none"
        case _:
            return str(value)


def _password(address: str) -> str | None:
    """Return the password of an address; what everybody can read in the same address is none."""
    try:
        parts = urlsplit(address)
        password = parts.password
    except ValueError:
        return None
    known = {parts.username, parts.hostname, parts.path.removeprefix("/")}
    return password if password and password not in known else None
