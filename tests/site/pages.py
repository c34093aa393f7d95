"""Write the pages of the reference that are made from the program: `.venv/bin/python -m tests.site.pages`."""

import asyncio
import tempfile
from pathlib import Path

import asyncpg

from makegood_adapters.postgres.embedded import EmbeddedPostgres
from makegood_adapters.postgres.migrate import migrate
from tests.site.commands import commands_page
from tests.site.configuration import configuration_page
from tests.site.schema import schema_page
from tests.site.shipped_types import shipped_types_page

MARK = "<!-- What follows is written by `python -m tests.site.pages`. -->\n"
REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


def put(page: str, made: str) -> str:
    """Return the text of a *page* of the reference with *made* behind its head."""
    head, mark, _ = (REFERENCE / page).read_text("utf-8").partition(MARK)
    return f"{head}{mark}{made}"


async def _schema(dsn: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        await migrate(connection)
        return await schema_page(connection)
    finally:
        await connection.close()


def main() -> None:
    """Write all of them anew."""
    made = {
        "cli.md": commands_page(),
        "configuration.md": configuration_page(),
        "shipped-types.md": shipped_types_page(),
    }
    with tempfile.TemporaryDirectory(prefix="makegood-pages-") as folder:
        server = EmbeddedPostgres(Path(folder, "postgres"))
        try:
            made["schema.md"] = asyncio.run(_schema(server.start()))
        finally:
            server.stop()
    for page, text in made.items():
        (REFERENCE / page).write_text(put(page, text), "utf-8")


if __name__ == "__main__":
    main()
