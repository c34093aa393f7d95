"""Which database a command looks at: the one that is named, else the one of the service."""

import os
from pathlib import Path

from makegood.errors import InvalidRequest
from makegood_adapters.config import load_config

#: Where `makegood serve` looks too.
CONFIG = Path("config/makegood.toml")


def find_dsn(dsn: str | None, config: Path | None) -> str:
    """Return *dsn*, else the database of the file *config*, of DATABASE_URL, of the service's usual file.

    InvalidRequest or ConfigurationError say in one sentence why there is none.
    """
    if dsn and config:
        raise InvalidRequest("--dsn and --config both name a database; leave one out.")
    if config is None and (given := dsn or os.environ.get("DATABASE_URL")):
        return given
    if config is None and not CONFIG.is_file():
        raise InvalidRequest(
            f"No database is named: give --dsn, set DATABASE_URL, or name a file with --config ({CONFIG} "
            "is not there)."
        )
    return load_config(config or CONFIG).database_url.get_secret_value()
