"""RunningHub itself, with a key of yours in RUNNINGHUB_API_KEY; skipped without one."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("makegood")

KEY = os.environ.get("RUNNINGHUB_API_KEY")
SITE = os.environ.get("RUNNINGHUB_URL", "https://www.runninghub.cn")
WEBHOOKS = os.environ.get("RUNNINGHUB_WEBHOOK_BASE_URL")
TOOL, IMAGE = os.environ.get("RUNNINGHUB_TOOL"), os.environ.get("RUNNINGHUB_IMAGE")


@pytest.mark.skipif(
    not KEY,
    reason="needs a key of RunningHub: set RUNNINGHUB_API_KEY (and RUNNINGHUB_URL for runninghub.ai); with "
    "RUNNINGHUB_TOOL and RUNNINGHUB_IMAGE it runs one task, which is paid",
)
@pytest.mark.timeout(1200)
async def test_the_doctor_finds_nothing_wrong_with_a_real_account(tmp_path: Path) -> None:
    engine = f'[engine]\nwebhook_base_url = "{WEBHOOKS}"\n' if WEBHOOKS else ""
    (tmp_path / "makegood.toml").write_text(
        'database_url = "postgresql://nobody@127.0.0.1:1/nothing"\n'
        f'[[accounts]]\nname = "live"\ncapacity = 1\nbase_url = "{SITE}"\napi_key = "{KEY}"\n{engine}'
    )
    run = ["--run", TOOL, "--image", str(Path(IMAGE).resolve())] if TOOL and IMAGE else []
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        *("doctor", "--provider", "--config", "makegood.toml", *run),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told = (await process.communicate())[0].decode()
    assert str(KEY) not in told
    assert process.returncode == 0, told
