"""What the doctor looks at of the whole service: configuration, files, job types, accounts, webhooks."""

import logging
import platform
import resource
from pathlib import Path

from makegood import Catalog
from makegood.errors import DeclarationError, MakegoodError, ProviderUnavailable
from makegood_adapters.accounts import ACCOUNT, open_accounts
from makegood_adapters.blobs import open_blobs
from makegood_adapters.cli.doctor.checks import Checks
from makegood_adapters.cli.doctor.database import examine_database
from makegood_adapters.config import ConfigurationError, ServiceConfig, load_config, secrets_of
from makegood_adapters.error_tracker import check_sentry
from makegood_adapters.http import problem_of_hooks
from makegood_adapters.http.release import release
from makegood_adapters.job_types import DEADLINE, TOOL_FILE, load_catalog
from makegood_adapters.plugins import Plugins, load_plugins
from makegood_adapters.redaction import Redaction
from makegood_adapters.safety import problems_of

_REMEDIES = {
    TOOL_FILE: "repair the file; `makegood check` tells every mistake with its line",
    ACCOUNT: "repair the account in the configuration",
    DEADLINE: "correct the name below [deadlines], or repair what is left out",
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


async def examine_service(path: Path) -> Checks:
    """Look at everything that `makegood serve --config PATH` will need; nothing is changed, but the folder
    for files is made if it is missing."""
    logging.getLogger("makegood").addHandler(logging.NullHandler())  # what is wrong is told here, once
    checks = Checks()
    checks.ok("versions", f"makegood {release()}, Python {platform.python_version()}")
    try:
        config = load_config(path)
    except ConfigurationError as error:
        checks.fail("configuration", str(error), "repair it; nothing else can be looked at until then")
        return checks
    checks.clean = Redaction(secrets_of(config)).clean
    _configuration(config, path, checks)
    if config.sentry_dsn is not None:
        _errors(config.sentry_dsn.get_secret_value(), checks)
    plugins = load_plugins()
    catalog = _job_types(config, plugins, checks)
    await examine_database(config, catalog, checks)
    await _blobs(config, checks)
    await _accounts(config, plugins, checks)
    if catalog:
        _pools(config, catalog, checks)
    for name, told in plugins.broken.items():
        group = name.partition(":")[0]
        checks.fail(name, told, _REMEDIES.get(group, "repair or remove the package that brings it"))
    await _hooks(config, checks)
    return checks


def _configuration(config: ServiceConfig, path: Path, checks: Checks) -> None:
    if not config.warnings:
        checks.ok("configuration", f"{path} can be used; `makegood config` shows what is in effect")
    for warning in config.warnings:
        checks.warn("configuration", warning, "repair it, or leave it if you know better")
    for problem in problems_of(config):
        key, _, told = problem.partition(": ")
        checks.fail(f"safety: {key}", told, "the service does not start until this is repaired")
    if config.host not in _LOOPBACK:
        told = f"the service listens on {config.host}, beyond this machine, without TLS"
        checks.warn(
            "exposure", told, "listen on loopback and put a proxy with TLS in front, or be sure there is"
        )
        if config.metrics_public:
            checks.warn(
                "exposure", "everybody who reaches the port may read /metrics", "metrics_public = false"
            )
    wanted = config.http.connections_max
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        checks.warn(
            "open files",
            f"the system allows {hard:,} open files, http.connections_max is {wanted:,}",
            "raise the limit (systemd: LimitNOFILE=), or lower http.connections_max",
        )


def _errors(dsn: str, checks: Checks) -> None:
    try:
        check_sentry(dsn)
    except ConfigurationError as error:
        checks.fail("errors", str(error), "the service does not start until this is repaired")
    else:
        checks.ok("errors", "are told to Sentry too; nothing was sent to it now")


def _job_types(config: ServiceConfig, plugins: Plugins, checks: Checks) -> Catalog | None:
    try:
        catalog = load_catalog(config, plugins)
    except DeclarationError as error:
        checks.fail("job types", str(error), "the service does not start until this is repaired")
        return None
    names = catalog.names
    if names:
        checks.ok("job types", f"{len(names)} can be ordered: {', '.join(names)}")
    else:
        checks.fail("job types", "none can be used, so nothing can be ordered", "see below")
    return catalog


async def _blobs(config: ServiceConfig, checks: Checks) -> None:
    try:
        await open_blobs(config)
    except MakegoodError as error:
        checks.fail("files", str(error), "correct `blobs` (docs/how-to/keep-files.md)")
    else:
        checks.ok("files", f"{config.blobs} can be written")


async def _accounts(config: ServiceConfig, plugins: Plugins, checks: Checks) -> None:
    if not config.accounts:
        told = "none is configured: this process runs no jobs"
        checks.warn("accounts", told, "add one to [[accounts]]; `makegood simulate` is one to try with")
        return
    at_runninghub = {account.name for account in config.accounts if account.provider == "runninghub"}
    async with open_accounts(config.accounts, plugins) as providers:
        for known, provider in providers.items():
            subject = f"account {known.name}"
            try:
                room = await provider.capacity()
            except ProviderUnavailable as error:
                closer = "; `makegood doctor --provider` looks closer" if known.name in at_runninghub else ""
                remedy = f"check api_key and base_url{closer}"
                checks.fail(subject, str(error), remedy)
                continue
            told = "its key is accepted"
            if room.limit is not None:
                told += f"; the provider allows {room.limit} tasks at one time"
            if room.limit is not None and known.capacity is not None and known.capacity > room.limit:
                checks.warn(subject, f"{told}, capacity = {known.capacity}", "lower its capacity")
            else:
                checks.ok(subject, told)


def _pools(config: ServiceConfig, catalog: Catalog, checks: Checks) -> None:
    """Tell of which types nobody could run a job, unless another process has accounts of their pools."""
    served = {account.pool for account in config.accounts}
    pools: dict[str, list[str]] = {}
    for name in catalog.names:
        if (pool := catalog.get(name).pool) not in served:
            pools.setdefault(pool, []).append(name)
    for pool, names in sorted(pools.items()):
        told = f"no account here serves it: no new jobs of {', '.join(names)} unless another process has one"
        checks.warn(f"pool {pool}", told, f'add an account with `pool = "{pool}"`, or remove these types')


async def _hooks(config: ServiceConfig, checks: Checks) -> None:
    base = config.engine.webhook_base_url
    if base is None:
        told = "webhook_base_url is not set: results are found by asking, some seconds later"
        checks.warn(
            "webhooks", told, "set it below [engine] to the address under which the provider reaches us"
        )
        return
    if base.startswith("http://") and not any(f"//{host}" in base for host in _LOOPBACK):
        checks.warn("webhooks", "webhook_base_url is not https: tokens travel in the open", "use https")
    if problem := await problem_of_hooks(base):
        checks.fail(
            "webhooks",
            f"{base} does not lead to this service: {problem}",
            "start the service, check webhook_base_url and the proxy; results are found by asking until then",
        )
    else:
        checks.ok("webhooks", f"{base} leads to this service, as seen from here")
