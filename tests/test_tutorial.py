"""The last page of the tutorial is followed to the letter: its commands in one shell, in an empty folder."""

import asyncio
import os
import re
import sys
from pathlib import Path

from PIL import Image

from tests.ports import kept_port
from tests.test_docs import BLOCK, HOUSE

TUTORIAL = HOUSE / "docs" / "tutorial"
PAGE = TUTORIAL / "serve.md"
BEFORE = TUTORIAL / "postgres-and-a-provider.md"
#: Names that stand for one payment or one order of an owner for ever.
ONCE = re.compile(r"""(?:source_ref|key|Idempotency-Key)\W+([a-z]+-\d+)""")
SECONDS = 240.0


def script(service: int, simulator: int) -> str:
    """Return the shell blocks of the page as one program, on ports that are free here."""
    told = ["set -e"]
    for kind, text in BLOCK.findall(PAGE.read_text("utf-8")):
        if kind == "toml":
            told.append(f"cat > tools/postcard.toml <<'END'\n{text}END\n")
        elif kind == "sh":
            told.append(text.replace(":8000", f":{service}").replace(":8188", f":{simulator}"))
            if "/readyz" in text:  # the page that the text tells to open
                told.append(f"curl --silent --fail --output page.html http://127.0.0.1:{service}/page/")
    text = "\n".join(told).replace(
        "makegood simulate", f"makegood simulate --port {simulator} --queued-seconds 0 --running-seconds 0.2"
    )
    return text.replace(
        "--simulator\n", f"--simulator --port {service}\nsed -i s/:8188/:{simulator}/ config/makegood.toml\n"
    )


async def test_the_service_of_the_tutorial_is_served_and_gives_a_refund(
    database: str, tmp_path: Path
) -> None:
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "me.png")
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()} | {
        "DATABASE_URL": database,
        "PICTURE": "me.png",
        "MAKEGOOD_ENGINE__POLL_INTERVAL_SECONDS": "0.2",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with kept_port() as service, kept_port() as simulator:
        shell = await asyncio.create_subprocess_exec(
            "bash",
            "-mc",
            script(service, simulator),
            cwd=tmp_path,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(SECONDS):
                written, _ = await shell.communicate()
        finally:
            if shell.returncode is None:
                os.killpg(shell.pid, 9)
    told = written.decode()
    assert shell.returncode == 0, told + (tmp_path / "serve.log").read_text()
    assert "one job" in told
    assert "30 returned: provider failed" in told
    assert (tmp_path / "postcard.png").read_bytes().startswith(b"\x89PNG")
    assert "makegood" in (tmp_path / "page.html").read_text()
    [shown] = [text for kind, text in BLOCK.findall(PAGE.read_text("utf-8")) if kind == "text"]
    end = told[told.index("\nIt costs 30 credits") - 400 :]
    assert re.search(".*".join(map(re.escape, shown.splitlines())), end, re.DOTALL), end


def test_the_last_page_goes_on_with_the_database_and_the_picture_of_the_page_before() -> None:
    """A payment that was told there would grant nothing here, and an order of the same key be refused."""
    before, here = (page.read_text("utf-8") for page in (BEFORE, PAGE))
    told = set(ONCE.findall(before))
    assert {"order-1", "order-2", "click-1"} <= told
    assert ONCE.findall(here)
    assert not told & set(ONCE.findall(here))
    assert "export PICTURE=$PWD/" in before, "the next page begins in another folder"
