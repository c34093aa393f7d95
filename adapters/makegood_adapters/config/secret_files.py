"""Secrets from files: `api_key_file = "/run/secrets/key"` in place of `api_key`, for every secret."""

import stat
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from makegood_adapters.config.keys import ConfigurationError

SUFFIX = "_file"
#: A key is short; what is longer is another file.
_BYTES_MAX = 64 * 1024


def read_secret_files(data: Mapping[str, Any], model: type[BaseModel], path: str = "") -> dict[str, Any]:
    """Return *data* with the contents of the files that it names in place of their names.

    One newline at the end is no part of a secret, nor is the mark by which some editors begin UTF-8. Raises
    ConfigurationError, which names the key.
    """
    given = dict(data)
    for name in secret_keys(model):
        if (file := given.pop(name + SUFFIX, None)) is None:
            continue
        key = f"{path}{name}{SUFFIX}"
        if name in given:
            raise ConfigurationError(f"{path}{name} and {key} are both given: leave one out.")
        given[name] = _FromFile(_read(key, file), str(file))
    for name, inner in _parts(model):
        value = given.get(name)
        if isinstance(value, Mapping):
            given[name] = read_secret_files(value, inner, f"{path}{name}.")
        elif isinstance(value, list):
            given[name] = [
                read_secret_files(each, inner, f"{path}{name}.{at}.") if isinstance(each, Mapping) else each
                for at, each in enumerate(value)
            ]
    return given


def secret_keys(model: type[BaseModel]) -> list[str]:
    """Return the keys of *model* that hold one secret each."""
    return [
        name
        for name, field in model.model_fields.items()
        if field.annotation is SecretStr or SecretStr in typing.get_args(field.annotation)
    ]


def warning_of(key: str, file: Path) -> str | None:
    """Return what is unwise about the rights of *file*, None if nothing is."""
    if file.stat().st_mode & stat.S_IROTH:
        return f"{key}: every user of this machine can read {file}: chmod 600 it."
    return None


def file_of(value: object) -> str | None:
    """Return the file that *value* was read from, None if it was not."""
    return value.file if isinstance(value, _FromFile) else None


class _FromFile(str):
    """A secret, with the file that it comes from."""

    file: str

    def __new__(cls, text: str, file: str) -> "_FromFile":
        made = super().__new__(cls, text)
        made.file = file
        return made


def _read(key: str, file: object) -> str:
    if not isinstance(file, str) or not file:
        raise ConfigurationError(f"{key} must be the path of a file.")
    try:
        raw = Path(file).read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "that is no path"
        raise ConfigurationError(f"{key}: {file} cannot be read: {why}.") from None
    if len(raw) > _BYTES_MAX:
        raise ConfigurationError(f"{key}: {file} has {len(raw):,} bytes, which is no secret.")
    try:
        text = raw.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{key}: {file} is not UTF-8 text.") from None
    if not text:
        raise ConfigurationError(f"{key}: {file} is empty; write the secret into it.")
    return text


def _parts(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the keys of *model* below which are others, with their model."""
    for name, field in model.model_fields.items():
        for kind in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield name, kind
                break
