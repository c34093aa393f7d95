"""A provider that takes the request of any job type: RunningHub's wire at a simulated site of its own."""

import io
import json
import textwrap
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from makegood.outcome import JSON, Rejected, Retry, Submission
from makegood_adapters.cli.stage import API_KEY
from makegood_adapters.runninghub import RunningHub, RunningHubClient, open_session
from makegood_adapters.runninghub.request import read_request
from makegood_adapters.runninghub.simulator import Account, Pace, Simulator, WorkOrder

_APP, _REQUEST = "1", "request"
_SIZE, _MARGIN, _LETTER = (640, 400), 24, 18
_ACCOUNT = Account(limit=1_000, coins=1_000_000_000)
#: Long enough to be seen, short enough to wait for.
PACE = Pace(
    queued_seconds=0.3, running_seconds=1.2, spread=0.2, webhook_retry_seconds=0.6, webhook_retries=50
)


def simulated_site() -> Simulator:
    """Return the site; its one app makes a picture of whatever it was asked."""
    return Simulator(keys={API_KEY: _ACCOUNT}, apps={_APP: paint}, pace=PACE)


class StandIn(RunningHub):
    """Takes what a job type asks of its provider, whoever that is, to the simulated site.

    What is written for RunningHub is read as RunningHub reads it, and refused where it would be.
    """

    # Several pools share the site's one key, so that its counts are of no account.
    features = replace(RunningHub.features, tells_limit=False, counts_tasks=False)

    async def submit(self, request: JSON, files: Mapping[str, str], webhook: str | None) -> Submission:
        """See `Provider.submit`."""
        nodes: list[Any] = [{"node": name, "field": "image", "value": {"file": name}} for name in files]
        if request.keys() & {"app", "workflow"}:
            addresses = dict.fromkeys(files.values(), "https://files.example/")
            try:
                read_request(request, files, webhook, "v2", addresses)
            except ValueError as error:
                return Rejected("request", f"The request for RunningHub is malformed: {error}", Retry.NEVER)
        told = json.dumps(request, ensure_ascii=False)
        nodes.append({"node": _REQUEST, "field": "value", "value": told})
        return await super().submit({"app": _APP, "nodes": nodes}, files, webhook)


@asynccontextmanager
async def open_stand_in(url: str) -> AsyncIterator[StandIn]:
    """Open the provider whose site is there."""
    async with open_session() as session:
        yield StandIn(RunningHubClient(session, url, API_KEY), api="v2")


def paint(order: WorkOrder) -> bytes:
    """Return a picture that shows the first input picture and what the provider was asked."""
    told = json.dumps(json.loads(order.values[_REQUEST]), indent=1, ensure_ascii=False)
    picture = Image.new("RGB", _SIZE, "#17324d")
    left = _MARGIN
    for data in order.files.values():
        with suppress(UnidentifiedImageError), Image.open(io.BytesIO(data)) as given:
            shown = ImageOps.contain(ImageOps.mirror(given.convert("RGB")), (280, _SIZE[1] - 2 * _MARGIN))
            picture.paste(shown, (_MARGIN, _MARGIN))
            left += shown.width + _MARGIN
            break
    width = (_SIZE[0] - left - _MARGIN) // (_LETTER // 2)
    lines = [part for line in told.splitlines() for part in textwrap.wrap(line, width) or [""]]
    rows = (_SIZE[1] - 2 * _MARGIN) // (_LETTER + 4)
    font = ImageFont.load_default(_LETTER)
    ImageDraw.Draw(picture).multiline_text((left, _MARGIN), "\n".join(lines[:rows]), "#f2e9d8", font)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
