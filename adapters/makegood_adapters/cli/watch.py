"""The command `makegood watch`: what happens to jobs, line by line as it is committed."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from makegood import Transition
from makegood.errors import InvalidRequest
from makegood_adapters.cli.steps import follow, listening
from makegood_adapters.cli.told import Json


async def watch(
    *,
    dsn: str | None = None,
    config: Annotated[Path | None, Parameter(name="--config")] = None,
    owner: str | None = None,
    after: int | None = None,
    json: Json = False,
) -> None:
    """Print the steps of all jobs as they are committed, until Ctrl-C; none is left out.

    It only reads, so a role that may only read is enough. It goes on by itself when the database comes back.

    Parameters
    ----------
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.
    owner
        Only what happens to the jobs of this owner.
    after
        Begin after this place of the stream, which every line tells first; 0 is the beginning. Left out: only
        what is new.
    json
        Tell each step as one line of JSON.

    Examples
    --------
    makegood watch --owner ana --after 0
    """
    if after is not None and after < 0:
        raise InvalidRequest(f"--after takes 0 or more, not {after}.")
    async with listening(dsn, config) as (engine, _):
        seq = await engine.last_seq() if after is None else after

        def steps(seq: int | None) -> AsyncGenerator[Transition, None]:
            return engine.watch(after=seq, owner=owner)

        await follow(steps, seq, lambda step: step.seq, json=json)
