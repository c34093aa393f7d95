"""Commands of npm, for tests of what it installs; where it cannot, they are skipped with its reason."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

INSTALL_SECONDS = 120


def npm(folder: Path, *words: str) -> None:
    """Run npm in *folder*, with a cache of its own there; without its registry the test is skipped."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    cache = {"npm_config_cache": f"{folder}/cache", "npm_config_update_notifier": "false"}
    try:
        told = subprocess.run(
            ["npm", *words, "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
            env={**os.environ, **cache},
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm {' '.join(words)} did not come to an end within {INSTALL_SECONDS} seconds")
    if told.returncode:
        pytest.skip(f"npm {' '.join(words)} fails: {told.stderr.strip().splitlines()[0]}")
