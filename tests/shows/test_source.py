"""The file of `makegood dev`: no save of it is missed."""

import asyncio
from pathlib import Path

from makegood_adapters.cli.dev.source import Source

GOOD = """from makegood import BaseJob, JobInput


class Portrait(BaseJob):
    pool, price = "studio", 60

    class Input(JobInput):
        prompt: str = "a lighthouse"
"""
#: Somebody saves the file once it was read.
SAVES = """
from pathlib import Path

path = Path(__file__)
path.write_text(path.read_text() + "\\n")
"""


async def test_what_is_saved_while_the_file_is_read_counts_as_changed(tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    file.write_text(GOOD)
    source = Source(file)
    assert [each.name for each in await source.load()] == ["portrait"]
    waiting = asyncio.create_task(source.changed())
    await asyncio.sleep(0)
    assert not waiting.done(), "nobody has saved it"
    waiting.cancel()
    file.write_text(GOOD + SAVES)
    await source.load()
    changed = asyncio.create_task(source.changed())
    await asyncio.sleep(0)
    assert changed.done()
