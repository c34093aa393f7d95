"""Job types and providers that other packages bring by entry points; a broken one disables only itself."""

import inspect
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Protocol

from makegood.catalog import Catalog
from makegood.errors import DeclarationError, MakegoodError
from makegood.lifecycle import BaseJob
from makegood.machine.kinds import registered
from makegood.ports import Provider

log = logging.getLogger("makegood.plugins")

#: The groups of entry points. The name of a provider is the one that accounts have in the configuration.
JOB_TYPES, PROVIDERS = "makegood.job_types", "makegood.providers"


class OpenProvider(Protocol):
    """What an entry point of `makegood.providers` is: opens one account for as long as the service runs.

    `base_url` is empty where the configuration says none. ValueError tells what is wrong with an account.
    """

    def __call__(self, *, name: str, base_url: str, api_key: str) -> AbstractAsyncContextManager[Provider]:
        """Open the account; leaving the context closes it."""


@dataclass(slots=True)
class Plugins:
    """What was found. `broken` names each plugin that is left out, as `group: name`, with the reason; so are
    tool files and accounts, which disable only themselves, too."""

    job_types: dict[str, tuple[type[BaseJob], ...]] = field(default_factory=dict)
    providers: dict[str, OpenProvider] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def join(self, types: Sequence[type[BaseJob]]) -> list[type[BaseJob]]:
        """Return *types* and those of the plugins; a plugin whose names are taken is left out."""
        joined = [*types]
        for name, brought in list(self.job_types.items()):
            try:
                Catalog([*joined, *brought])
                _check_tables([*joined, *brought])
            except DeclarationError as error:
                del self.job_types[name]
                self.leave_out(JOB_TYPES, name, error)
            else:
                joined += brought
        return joined

    def leave_out(self, group: str, name: str, error: BaseException) -> None:
        """Note and log, once, why a plugin is not used."""
        told = " ".join(str(error).split()) or "no reason is given"
        if not isinstance(error, (MakegoodError, _WrongObject)):
            told = f"{type(error).__name__}: {told}"
        self.broken[f"{group}: {name}"] = told
        if group in (JOB_TYPES, PROVIDERS):
            log.error("the plugin %r of %s is not used: %s", name, group, told, exc_info=error)
        else:
            log.error("the %s %r is not used: %s", group, name, told, exc_info=error)


class _WrongObject(Exception):
    """The entry point leads to something else than its group is for."""


def load_plugins(found: Iterable[metadata.EntryPoint] | None = None) -> Plugins:
    """Load the plugins of the installed packages, or those *found*, in the order of their names."""
    if found is None:
        found = [point for group in (JOB_TYPES, PROVIDERS) for point in metadata.entry_points(group=group)]
    plugins = Plugins()
    for point in sorted(found, key=lambda point: (point.group, point.name, point.value)):
        try:
            _load(plugins, point)
        except (Exception, SystemExit) as error:  # whatever a foreign module does while it is imported
            plugins.leave_out(point.group, point.name, error)
    return plugins


def _load(plugins: Plugins, point: metadata.EntryPoint) -> None:
    taken = plugins.job_types if point.group == JOB_TYPES else plugins.providers
    if point.name in taken:
        raise _WrongObject(f"another package brings a plugin of this name; {point.value} is left out")
    loaded: object = point.load()
    if point.group == JOB_TYPES:
        plugins.job_types[point.name] = _job_types(loaded)
    elif callable(loaded):
        plugins.providers[point.name] = _opener(loaded)
    else:
        raise _WrongObject(f"{loaded!r} cannot be called to open a provider account")


def _job_types(loaded: object) -> tuple[type[BaseJob], ...]:
    if isinstance(loaded, type):
        brought: tuple[object, ...] = (loaded,)
    elif callable(loaded):
        listed = loaded()
        if not isinstance(listed, Iterable):
            raise _WrongObject(f"{loaded!r} returns {listed!r}, not job types")
        brought = tuple(listed)
    else:
        raise _WrongObject(f"{loaded!r} is neither a job type nor a function that returns some")
    for each in brought:
        if not isinstance(each, type) or not issubclass(each, BaseJob):
            raise _WrongObject(f"{each!r} is no job type: it does not extend BaseJob")
        # Guards and hooks come after the class, so that its definition could not judge them.
        if problems := registered(each.states(), each.events()):
            raise DeclarationError(f"{each.name}@{each.version}", problems)
    return tuple(each for each in brought if isinstance(each, type) and issubclass(each, BaseJob))


def _opener(loaded: Callable[..., Any]) -> OpenProvider:
    try:
        inspect.signature(loaded).bind(name="", base_url="", api_key="")
    except TypeError as error:
        told = f"{loaded!r} is called with name, base_url and api_key, and does not take them: {error}"
        raise _WrongObject(told) from None
    except ValueError:
        pass  # a callable of C tells nothing
    return loaded


def _check_tables(types: Iterable[type[BaseJob]]) -> None:
    """Refuse two tools on one table of the front-end, unless both are files that say whose a row is; versions
    of one tool share theirs."""
    owners: dict[str, list[type[BaseJob]]] = {}
    for job_type in types:
        table = getattr(job_type, "table", "")
        for owner in owners.setdefault(table, []) if table else ():
            if owner.name != job_type.name and not _are_told_apart(owner, job_type):
                raise DeclarationError(job_type.name, [f"its table {table!r} belongs to {owner.name!r}"])
        owners.setdefault(table, []).append(job_type)


def _are_told_apart(one: type[BaseJob], other: type[BaseJob]) -> bool:
    first, second = getattr(one, "wire", None), getattr(other, "wire", None)
    return first is not None and second is not None and "table" not in first.claims_of(second)
