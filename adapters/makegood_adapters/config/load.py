"""Read the configuration: the environment over the file over the defaults, and what is wrong in sentences."""

import codecs
import dataclasses
import difflib
import os
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsError,
    TomlConfigSettingsSource,
)

from makegood_adapters.config.keys import ConfigurationError, ServiceConfig
from makegood_adapters.config.secret_files import (
    SUFFIX,
    file_of,
    read_secret_files,
    secret_keys,
    warning_of,
)

_PREFIX, _BELOW = "MAKEGOOD_", "__"


def load_config(path: Path) -> ServiceConfig:
    """Read *path* and the environment; ConfigurationError names every key that is wrong."""
    if not path.is_file():
        raise ConfigurationError(
            f"There is no configuration file {path}: `makegood init` writes one; or name another."
        )
    found = _Found()

    class FromFile(ServiceConfig):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            """Let the environment win over the file."""
            toml = TomlConfigSettingsSource(settings_cls, path)
            return (
                _Source(settings_cls, lambda: {**env_settings(), **_files_named()}, "environment", found),
                _Source(settings_cls, toml, str(path), found),
            )

    try:
        config = FromFile()  # type: ignore[call-arg]  # its values come from the sources
    except ValidationError as error:
        problems = "; ".join(map(_problem, error.errors(include_input=False)))
        raise ConfigurationError(f"{path} cannot be used: {problems}.") from None
    except SettingsError as error:
        raise ConfigurationError(f"A variable MAKEGOOD_… of the environment is wrong: {error}.") from None
    except ValueError as error:  # not TOML
        if path.read_bytes().startswith(codecs.BOM_UTF8):
            raise ConfigurationError(
                f"{path} begins with a byte order mark, which TOML has none of: save it as UTF-8 without BOM."
            ) from None
        raise ConfigurationError(f"{path} is not valid TOML: {error}.") from None
    config.origins.update(found.origins)
    config.warnings.extend([*found.warnings, *_unknown_variables(), *_unwise(config)])
    return config


@dataclasses.dataclass(slots=True)
class _Found:
    """What is learned while the sources are read."""

    origins: dict[str, str] = dataclasses.field(default_factory=dict)
    warnings: list[str] = dataclasses.field(default_factory=list)


class _Source(PydanticBaseSettingsSource):
    """One source, with the files of its secrets read; notes which values are its own."""

    def __init__(self, settings: type[BaseSettings], read: Any, label: str, found: _Found) -> None:
        super().__init__(settings)
        self._read, self._label, self._found = read, label, found

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return nothing: all values are given at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        given = read_secret_files(self._read(), ServiceConfig)
        for key, value in _leaves(given):
            file = file_of(value)
            self._found.origins.setdefault(key, f"file {file}" if file else self._label)
            if file and (unwise := warning_of(key + SUFFIX, Path(file))):
                self._found.warnings.append(unwise)
        return given


def _leaves(given: object, path: str = "") -> Iterator[tuple[str, object]]:
    match given:
        case Mapping() if given:
            for name, value in given.items():
                yield from _leaves(value, f"{path}.{name}" if path else str(name))
        case [{}, *_]:
            for place, value in enumerate(given):
                yield from _leaves(value, f"{path}.{place}")
        case _:
            yield path, given


def _files_named() -> dict[str, Any]:
    """Return the secrets for which the environment names a file: MAKEGOOD_PUBLIC_KEY_FILE, for instance."""
    named: dict[str, Any] = {}
    for variable, words in _variables():
        *above, last = words
        model: Any = ServiceConfig
        for word in above:
            model = _model_at(model, word)
        if model is None or not last.endswith(SUFFIX) or last.removesuffix(SUFFIX) not in secret_keys(model):
            continue
        if variable.upper().removesuffix(SUFFIX.upper()) in {name.upper() for name in os.environ}:
            raise ConfigurationError(f"{variable} and the same without _FILE are both set: leave one out.")
        inside = named
        for word in above:
            inside = inside.setdefault(word, {})
        inside[last] = os.environ[variable]
    return named


def _variables() -> Iterator[tuple[str, list[str]]]:
    for variable in os.environ:
        if variable.upper().startswith(_PREFIX):
            yield variable, variable[len(_PREFIX) :].lower().split(_BELOW)


def _unknown_variables() -> Iterator[str]:
    """Tell of variables that mean nothing to us; others set some too, such as Kubernetes for each service."""
    keys = [*ServiceConfig.model_fields, *(name + SUFFIX for name in secret_keys(ServiceConfig))]
    for variable, words in _variables():
        if words[0] not in keys:
            yield f"The variable {variable} is not used: there is no such key{_nearest(words[0], keys)}."


def _unwise(config: ServiceConfig) -> Iterator[str]:
    """Tell what a front-end will miss; one that is served has a publishable key."""
    if config.public_key is None:
        return
    if config.link_secret is None and config.public_url is None:  # else it is refused, and told there
        yield (
            "link_secret is not set: results have no address, and output_url is null in every row that the "
            "front-end reads. Make a secret with `openssl rand -hex 32`."
        )
    if config.address_of_pages is None:
        yield (
            "public_url is not set: no address is known as that of a file of ours, so that inputs which the "
            "front-end names are refused, and output_url is null. Set it to the address that the front-end "
            "is built with."
        )


def _model_at(model: Any, key: str | int) -> Any:
    """Return what is below *key* of *model*: a model, a dataclass, or None."""
    if isinstance(key, int):
        return model
    field = getattr(model, "model_fields", {}).get(key)
    if field is None:
        return None
    for kind in (field.annotation, *typing.get_args(field.annotation)):
        if isinstance(kind, type) and (issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind)):
            return kind
    return None


def _keys_of(model: Any) -> list[str]:
    if dataclasses.is_dataclass(model):
        return [field.name for field in dataclasses.fields(model)]
    if model is None:
        return []
    return [*model.model_fields, *(name + SUFFIX for name in secret_keys(model))]


def _nearest(key: str, keys: list[str]) -> str:
    near = difflib.get_close_matches(key, keys, n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


def _problem(error: ErrorDetails) -> str:
    """Return key and mistake in the user's words; pydantic speaks of inputs and arguments."""
    *above, last = error["loc"] or ("",)
    match error["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            model: Any = ServiceConfig
            for key in above:
                model = _model_at(model, key)
            what = f"there is no such key{_nearest(str(last), _keys_of(model))}"
        case "missing":
            what = f"is missing; add it{_or_a_file(above, last)}"
        case _:
            what = error["msg"].removeprefix("Value error, ")
    return f"{'.'.join(map(str, error['loc']))}: {what}"


def _or_a_file(above: list[int | str], last: int | str) -> str:
    model: Any = ServiceConfig
    for key in above:
        model = _model_at(model, key)
    if isinstance(model, type) and issubclass(model, BaseModel) and last in secret_keys(model):
        return f", or {last}{SUFFIX} with the file that holds it"
    return ""
