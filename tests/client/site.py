"""The API behind its real gate, for programs that Node runs as the owner."""

import asyncio
import base64
import os
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from makegood import Catalog, Engine, Settings
from makegood_adapters.http.hub import StreamLimits
from makegood_adapters.toolfiles import default_tools_folder, load_tools
from tests.api.issuer import a_gate, an_issuer
from tests.api.scene import OTHER, OWNER, PNG, Scene, opened

QUICK = Settings(loop_interval_seconds=0.05)


@asynccontextmanager
async def a_site(
    database: str, folder: Path, streams: StreamLimits | None = None
) -> AsyncIterator[tuple[Scene, dict[str, str]]]:
    """Serve the API behind its real gate; yield the scene and the environment of the owner's programs.

    The tools are as they are shipped: a user has one job of them at a time.

    Another process, which has the loops and no account, gives transitions their places in the stream.
    """
    tools = load_tools(default_tools_folder())
    async with (
        an_issuer() as issuer,
        a_gate(issuer.auth) as gate,
        opened(database, folder / "files", gate=gate, streams=streams, types=tools, settings=QUICK) as scene,
        Engine(scene.store, Catalog([]), blobs=scene.blobs, settings=QUICK),
    ):
        yield (
            scene,
            {
                **os.environ,
                "MAKEGOOD_URL": scene.client.base,
                "MAKEGOOD_TOKEN": issuer.token(sub=OWNER),
                "POOR_TOKEN": issuer.token(sub=OTHER),
                "PICTURE": base64.b64encode(PNG).decode(),
            },
        )


async def node_of(folder: Path, environment: dict[str, str], *words: str) -> asyncio.subprocess.Process:
    """Start a program of Node."""
    return await asyncio.create_subprocess_exec(
        "node", *words, cwd=folder, env=environment, stdin=PIPE, stdout=PIPE
    )
