"""The command `makegood migrate`: the schema as it should be, made by its owner."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from makegood_adapters.cli.told import Json, tell
from makegood_adapters.config import load_config
from makegood_adapters.postgres.store import bring_up_to_date


async def migrate(
    *,
    json: Json = False,
    config: Annotated[Path, Parameter(name="--config")] = Path("config/makegood.toml"),
    dsn: str | None = None,
) -> None:
    """Bring the schema `makegood` of a database up to date, as its owner, and renew the rights of roles.

    Parameters
    ----------
    json
        Tell what was applied as one JSON object.
    config
        The configuration file whose `database_url` is used.
    dsn
        The address of the owner, where the service connects as somebody else.

    Examples
    --------
    makegood migrate --dsn postgresql://owner@localhost/makegood
    """
    address = dsn or load_config(config).database_url.get_secret_value()
    applied = list(await bring_up_to_date(address))
    if json:
        tell({"applied": applied})
        return
    lines = [*(f"applied {name}" for name in applied), "The schema makegood is up to date."]
    sys.stdout.write("\n".join(lines) + "\n")
