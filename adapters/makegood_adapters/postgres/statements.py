"""The SQL files of this folder by name; each holds one statement and says who calls it."""

from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> str:
    """Return the text of `sql/<name>.sql`, read once; names look like `jobs/apply`."""
    return files("makegood_adapters.postgres").joinpath("sql", f"{name}.sql").read_text("utf-8")
