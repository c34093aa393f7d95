"""Look at one RunningHub account without running anything: key, money, limit, load, apps."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from makegood import BaseJob
from makegood.errors import ProviderUnavailable
from makegood_adapters.cli.doctor.findings import Findings
from makegood_adapters.config import AccountConfig
from makegood_adapters.runninghub import RunningHub
from makegood_adapters.runninghub.account import Balance
from makegood_adapters.toolfiles import ToolJob


@dataclass(frozen=True, slots=True)
class Wanted:
    """An app or workflow that tools of the pool name, with the nodes that they set in it."""

    kind: Literal["app", "workflow"]
    id: str
    tool: str
    fields: frozenset[tuple[str, str]]


def wanted(types: Iterable[type[BaseJob]], pool: str) -> list[Wanted]:
    """Return what the tool files of *pool* run; a class in Python shows it only when a job is submitted."""
    return [
        Wanted(
            "app" if app.app else "workflow",
            identity,
            t.name,
            frozenset((n.node, n.field) for n in app.nodes),
        )
        for t in types
        if issubclass(t, ToolJob) and t.pool == pool
        for app in t.tool.apps
        for identity in app.target.values()
    ]


async def examine(
    account: AccountConfig,
    provider: RunningHub,
    targets: Iterable[Wanted],
    ours: Mapping[str, int] | None,
    found: Findings,
) -> bool:
    """Print what is found of the account, and return whether its key works; *ours* are the open attempts of
    each account, None if they are not known."""
    site = urlsplit(account.base_url).hostname
    try:
        balance = await provider.balance()
    except ProviderUnavailable as error:
        found.wrong(f"key: {error}")
        return False
    found.good(f"the key is accepted by {site}, as one of type {balance.kind or 'unknown'}")
    _money(balance, found)
    await _room(account, provider, ours, found)
    for target in targets:
        await _target(target, provider, found)
    return True


def _money(balance: Balance, found: Findings) -> None:
    told = [f"{balance.coins} coins"] if balance.coins is not None else []
    told += [f"{balance.money} {balance.currency or 'of money'}"] if balance.money is not None else []
    if not told:
        found.unknown("balance: the site does not tell it")
    elif any(_amount(text) for text in (balance.coins, balance.money)):
        found.good(f"balance: {', '.join(told)}")
    else:
        found.wrong(f"balance: {', '.join(told)}; RunningHub will refuse every task (416): top it up")


def _amount(text: str | None) -> bool:
    try:
        return float(text or 0) > 0
    except ValueError:
        return True  # a text that is no number is not nothing


async def _room(
    account: AccountConfig, provider: RunningHub, ours: Mapping[str, int] | None, found: Findings
) -> None:
    try:
        room = await provider.capacity()
    except ProviderUnavailable as error:
        found.unknown(f"limit and load: {error}")
        return
    _limit(room.limit, account.capacity, found)
    mine = None if ours is None else ours.get(account.name, 0)
    if room.in_use is None:
        found.unknown("load: the site does not tell it")
    elif mine is None:
        others = "; those that makegood did not make are somebody else's" if room.in_use else ""
        found.good(f"load: {room.in_use} tasks now{others}")
    elif room.in_use > mine:
        found.unknown(
            f"load: {room.in_use} tasks now, {mine} of them makegood's: the account seems to be shared; "
            "whoever else uses it takes room, and no count of tasks proves anything"
        )
    else:
        found.good(f"load: {room.in_use} tasks now, none that is not makegood's")


def _limit(limit: int | None, capacity: int | None, found: Findings) -> None:
    said = "no capacity is configured" if capacity is None else f"capacity = {capacity}"
    if limit is None:
        found.unknown(f"limit: the site does not tell it; {said}")
    elif capacity is not None and capacity > limit:
        found.wrong(f"limit: {limit} tasks at one time, and {said} is more: lower it")
    else:
        found.good(f"limit: {limit} tasks at one time; {said}")


async def _target(target: Wanted, provider: RunningHub, found: Findings) -> None:
    what = f"{target.tool}: {target.kind} {target.id}"
    try:
        there = await provider.inspection.target(target.kind, target.id)
    except ProviderUnavailable as error:
        found.wrong(f"{what}: {error}")
        return
    if there is None:
        found.unknown(f"{what}: the site has no call that tells about it")
        return
    missing = target.fields - there.fields if there.fields else frozenset()
    named = f" ({there.name})" if there.name else ""
    if missing:
        nodes = ", ".join(f"{node} {field}" for node, field in sorted(missing))
        found.unknown(
            f"{what}{named} does not list what is set in it: {nodes}; RunningHub may refuse it (803)"
        )
    else:
        found.good(f"{what}{named}")
