"""The command `makegood doctor`: the whole service; or, of providers, more, and one paid run on request."""

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import aiohttp
import asyncpg
from cyclopts import Parameter

from makegood import BaseJob
from makegood.errors import InvalidRequest, UnknownJobType
from makegood_adapters.accounts import runninghub_of
from makegood_adapters.cli.doctor import trial
from makegood_adapters.cli.doctor.checks import Mark
from makegood_adapters.cli.doctor.findings import Findings
from makegood_adapters.cli.doctor.provider import examine, wanted
from makegood_adapters.cli.doctor.webhook import look
from makegood_adapters.cli.doctor.whole import examine_service
from makegood_adapters.config import AccountConfig, ConfigurationError, ServiceConfig, load_config
from makegood_adapters.job_types import load_catalog
from makegood_adapters.plugins import load_plugins
from makegood_adapters.runninghub import RunningHub, open_session

_RUNNINGHUB = "runninghub"
_DATABASE_SECONDS, _HOOK_SECONDS = 5.0, 10.0
_ANSWER_BYTES = 65_536


async def doctor(
    *,
    provider: Annotated[bool, Parameter(negative="")] = False,
    config: Annotated[Path, Parameter(name="--config")] = Path("config/makegood.toml"),
    account: str | None = None,
    run: Annotated[str | None, Parameter(name="--run", metavar="TOOL")] = None,
    image: Annotated[Path | None, Parameter(name="--image", metavar="FILE")] = None,
    input: Annotated[list[str] | None, Parameter(name="--input", metavar="NAME=VALUE", negative="")] = None,
    seconds: float = 900.0,
    webhook: Annotated[str | None, Parameter(name="--webhook", metavar="TASK")] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Look whether what is configured works, seen from here; the exit status is 1 if something does not.

    Without --provider it looks at everything that `makegood serve` needs: configuration, database, rights,
    wake-ups, files, job types, accounts, webhooks. Without --run no task is created and nothing costs
    anything. Keys are never printed.

    Parameters
    ----------
    provider
        Look closely at the accounts at RunningHub: keys, balances, limits, load, apps, and the webhooks'
        address.
    config
        The configuration file of the service.
    account
        Only the account of this name.
    run
        Run this tool once, really, and see its result and webhook come back: it costs what the app costs.
    image
        The picture that --run sends, for every file that the tool wants.
    input
        Another input of the tool that --run sends; may be given several times.
    seconds
        How long --run waits for its task before it cancels it.
    webhook
        Tell what became of the webhook of this task of RunningHub's, and have it sent again if it did not
        arrive. Of several accounts, name the task's with --account.
    json
        Tell what was found as one JSON object; with --provider as a line of JSON each, as it is found.

    Examples
    --------
    makegood doctor
    makegood doctor --provider --account main
    """
    if not provider:
        if any(each is not None for each in (account, run, image, input, webhook)):
            raise InvalidRequest(
                "--account, --run, --image, --input and --webhook belong to --provider: add it."
            )
        await _whole(config, json)
        return
    if run is None and (image is not None or input):
        raise InvalidRequest("--image and --input are what --run sends: add --run TOOL.")
    await _providers(config, account, run, image, input or (), seconds, webhook, json)


async def _providers(
    config: Path,
    account: str | None,
    run: str | None,
    image: Path | None,
    given: Sequence[str],
    seconds: float,
    webhook: str | None,
    json: bool,
) -> None:
    configured = load_config(config)
    types = list(load_catalog(configured, load_plugins()))
    accounts = _chosen(configured, account)
    if webhook and len(accounts) > 1:
        names = ", ".join(each.name for each in accounts)
        raise InvalidRequest(f"Whose task is {webhook}? Name its account with --account: {names}.")
    tool = _tool(types, run) if run else None
    trial_of_tool = trial.prepare(tool, image, _pairs(given)) if tool else None
    paying = next((a for a in accounts if tool and a.pool == tool.pool), None)
    if tool and paying is None:
        raise InvalidRequest(f"{tool.name} runs in the pool {tool.pool!r}, in which no such account is.")
    found = Findings(secrets=[each.api_key.get_secret_value() for each in accounts], json=json)
    async with open_session() as session:
        ours = await _open_attempts(configured, found)
        for each in accounts:
            found.head(f"{each.name} at {each.base_url}, pool {each.pool}")
            hub = _opened(session, each, found)
            works = hub and await examine(each, hub, wanted(types, each.pool), ours, found)
            if hub and works and trial_of_tool and each is paying:
                found.head(f"one run of {trial_of_tool.name} with {each.name}; it is paid from its balance")
                await trial.run(trial_of_tool, hub, configured.engine.webhook_base_url, seconds, found)
            if hub and works and webhook:
                found.head(f"task {webhook} of {each.name}")
                await look(webhook, hub, found)
        await _webhooks(session, configured, found)
    found.close()
    if found.bad:
        sys.exit(1)


async def _whole(config: Path, as_json: bool) -> None:
    checks = await examine_service(config)
    if as_json:
        checks.print_json()
    else:
        checks.print_table()
    if checks.count(Mark.FAIL):
        sys.exit(1)


def _chosen(configured: ServiceConfig, name: str | None) -> Sequence[AccountConfig]:
    accounts = [a for a in configured.accounts if a.provider == _RUNNINGHUB and name in (None, a.name)]
    if not accounts:
        which = f"called {name!r} " if name else ""
        raise ConfigurationError(f"No account {which}at RunningHub is configured: add one to [[accounts]].")
    return accounts


def _tool(types: Sequence[type[BaseJob]], name: str) -> type[BaseJob]:
    for job_type in types:
        if job_type.name == name:
            return job_type
    raise UnknownJobType(name, [job_type.name for job_type in types])


def _pairs(words: Sequence[str]) -> dict[str, str]:
    for word in words:
        if "=" not in word:
            raise InvalidRequest(f"--input takes NAME=VALUE, not {word!r}.")
    return dict(word.split("=", 1) for word in words)


def _opened(session: aiohttp.ClientSession, account: AccountConfig, found: Findings) -> RunningHub | None:
    try:
        return runninghub_of(session, account)
    except ValueError as error:
        found.wrong(f"the account cannot be used: {error}")
        return None


async def _open_attempts(configured: ServiceConfig, found: Findings) -> Mapping[str, int] | None:
    """Return how many tasks of each account are ours; the provider is looked at also without a database."""
    query = files(__package__).joinpath("open_attempts.sql").read_text(encoding="utf-8")
    dsn = configured.database_url.get_secret_value()
    found.head("database")
    try:
        connection = await asyncpg.connect(dsn, timeout=_DATABASE_SECONDS, statement_cache_size=0)
        try:
            rows = await connection.fetch(query, timeout=_DATABASE_SECONDS)
        finally:
            await connection.close(timeout=_DATABASE_SECONDS)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        found.unknown(f"cannot be asked which tasks are makegood's ({type(error).__name__})")
        return None
    found.good("tells which tasks are makegood's")
    return {row["account"]: row["tasks"] for row in rows}


async def _webhooks(session: aiohttp.ClientSession, configured: ServiceConfig, found: Findings) -> None:
    """Knock at our own address with a token that nobody has: our service answers 404 in its own words."""
    base = configured.engine.webhook_base_url
    found.head("webhooks")
    if base is None:
        found.unknown("webhook_base_url is not set: results are found by polling, some seconds later")
        return
    url = f"{base}/hooks/doctor-looks-whether-it-is-there"
    try:
        bounds = aiohttp.ClientTimeout(total=_HOOK_SECONDS)
        async with session.post(url, json={}, timeout=bounds, allow_redirects=False) as response:
            status, text = response.status, await response.content.read(_ANSWER_BYTES)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        found.wrong(f"{base} cannot be reached from here ({type(error).__name__}); is the service running?")
        return
    if status == 404 and _is_object(text):
        found.good(f"{base} answers from here; that RunningHub reaches it only --run shows")
    else:
        found.wrong(
            f"{base}/hooks answered HTTP {status}, which is not this service: look at the proxy's rules"
        )


def _is_object(text: bytes) -> bool:
    """Whether an answer is JSON, as those of our service are; a proxy answers with a page."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
