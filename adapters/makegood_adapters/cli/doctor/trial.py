"""Run one real task at RunningHub, as the engine would, to see a result and a webhook come back."""

import asyncio
import re
import secrets
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from makegood import BaseJob
from makegood.errors import InvalidRequest, ProviderRefused, ProviderUnavailable
from makegood.outcome import Accepted, Answer, NotFound, Output, Rejected, Succeeded, Unfinished
from makegood_adapters.cli.doctor.findings import Findings
from makegood_adapters.runninghub import RunningHub

_FILE_BYTES_MAX = 500_000_000
_WEBHOOK_SECONDS = 20.0
_OURS = re.compile("404|not found", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trial:
    """What is run: a tool with one image for all its files and the defaults for everything else."""

    name: str
    request: Mapping[str, Any]
    files: Mapping[str, bytes]
    suffix: str


def prepare(tool: type[BaseJob], image: Path | None, inputs: Mapping[str, str]) -> Trial:
    """Return the trial of *tool*. Raises InvalidRequest for an image or an input that it does not take."""
    marks = tool.file_fields()
    try:
        data = image.read_bytes() if image else b""
    except OSError as error:
        raise InvalidRequest(f"{image} cannot be read: {error.strerror}.") from None
    if marks and image is None:
        raise InvalidRequest(f"{tool.name} wants a file: add --image FILE.")
    for field, mark in marks.items():
        if problem := mark.problem(data):
            raise InvalidRequest(f"{image} cannot be the {field} of {tool.name}: {problem}.")
    value = tool.parse({**inputs, **{field: f"{field}{image.suffix if image else ''}" for field in marks}})
    given = {field: data for field, _, _ in tool.files_of(value)}
    return Trial(tool.name, tool.request(value), given, image.suffix if image else "")


async def run(
    trial: Trial, provider: RunningHub, webhook_base_url: str | None, seconds: float, found: Findings
) -> None:
    """Run the trial, which costs what the app costs, and print each step."""
    try:
        names = {
            field: await provider.upload(f"{field}{trial.suffix}", data)
            for field, data in trial.files.items()
        }
    except (ProviderRefused, ProviderUnavailable) as error:
        found.wrong(f"upload: {error}")
        return
    if names:
        found.good(f"upload: {', '.join(names.values())}")
    webhook = f"{webhook_base_url}/hooks/doctor-{secrets.token_urlsafe(24)}" if webhook_base_url else None
    outcome = await provider.submit(trial.request, names, webhook)
    if not isinstance(outcome, Accepted):
        told = outcome.message if isinstance(outcome, Rejected) else outcome.reason
        found.wrong(f"create: {told}")
        if not isinstance(outcome, Rejected):
            found.unknown("a task may run all the same; the site's own list of tasks shows it")
        return
    found.good(f"create: task {outcome.task_id}")
    answer = await _wait(provider, outcome.task_id, seconds, found)
    if isinstance(answer, Succeeded):
        cost = ", ".join(f"{name} {amount}" for name, amount in answer.usage.items())
        found.good(f"task: succeeded{f' ({cost})' if cost else ''}")
        await _fetch(provider, answer, found)
    elif answer is not None:
        found.wrong(f"task: {answer}")
    if webhook is not None and answer is not None:
        await _webhook(provider, outcome.task_id, found)


async def _wait(provider: RunningHub, task_id: str, seconds: float, found: Findings) -> Answer | None:
    """Ask until the task is over; one that takes too long is cancelled, so that it costs no more."""
    last = "it has not ended"
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    answer = await provider.query(task_id)
                    if not isinstance(answer, Unfinished | NotFound):
                        return answer
                    last = "RunningHub does not know it" if isinstance(answer, NotFound) else "it runs"
                except ProviderUnavailable as error:
                    last = str(error)
                await asyncio.sleep(min(3.0, seconds / 20))
    except TimeoutError:
        found.wrong(f"task: not over within {seconds:g} s: {last}; {await _cancelled(provider, task_id)}")
    return None


async def _cancelled(provider: RunningHub, task_id: str) -> str:
    try:
        return f"asked to be cancelled: {await provider.cancel(task_id)}"
    except ProviderUnavailable as error:
        return f"it may go on and cost, for it could not be cancelled: {error}"


async def _fetch(provider: RunningHub, answer: Succeeded, found: Findings) -> None:
    if not answer.outputs:
        found.wrong("result: none; the app saves nothing, and a job of it would fail and be released")
    for output in answer.outputs:
        try:
            found.good(f"result: {output.kind}, {await _size(provider, output):,} bytes")
        except ProviderUnavailable as error:
            found.wrong(f"result: {error}")


async def _size(provider: RunningHub, output: Output) -> int:
    async with aclosing(provider.fetch(output, _FILE_BYTES_MAX)) as pieces:
        return sum([len(piece) async for piece in pieces])


async def _webhook(provider: RunningHub, task_id: str, found: Findings) -> None:
    """Tell whether RunningHub reached us: our service knows no such token, and its 404 is as good as any."""
    end = asyncio.get_running_loop().time() + _WEBHOOK_SECONDS
    try:
        while True:
            delivery = await provider.inspection.delivery(task_id)
            late = asyncio.get_running_loop().time() > end
            if delivery and (delivery.arrived or _OURS.search(delivery.response)):
                found.good("webhook: RunningHub reached webhook_base_url from outside")
                return
            if delivery and (delivery.response or late):
                told = delivery.response or "RunningHub does not say why"
                found.wrong(f"webhook: RunningHub did not reach webhook_base_url: {told}")
                return
            if late:
                found.wrong("webhook: RunningHub has sent none; results come by polling")
                return
            await asyncio.sleep(1.0)
    except ProviderUnavailable as error:
        found.unknown(f"webhook: {error}")
