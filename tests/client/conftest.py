"""The package of the TypeScript client and the programs that use it, built once in a run."""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.npm import npm

HOUSE = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent
EXAMPLES, PAGE = HOUSE / "docs" / "examples", HOUSE / "docs" / "how-to" / "job-manager.md"


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the package with what it is made by, built."""
    root = _shared(tmp_path_factory) / "clients" / "typescript"
    _once(root, _build)
    return root


@pytest.fixture(scope="session")
def programs(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the programs, type-checked and compiled, to which the package is installed."""

    def compile_them(root: Path) -> None:
        (root / "node_modules").mkdir(parents=True)
        (root / "node_modules" / "makegood-client").symlink_to(package)
        (root / "node_modules" / "@types").symlink_to(package / "node_modules" / "@types")
        (root / "node_modules" / "undici-types").symlink_to(package / "node_modules" / "undici-types")
        (root / "package.json").write_text('{"type": "module"}')
        for source in (HERE / "tsconfig.json", *HERE.glob("*.ts"), *EXAMPLES.glob("*.ts")):
            shutil.copy(source, root)
        [page] = re.findall(
            r"^```ts\n// page.ts\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
        )
        (root / "page.ts").write_text(page)
        run(root, "node", str(package / "node_modules" / "typescript" / "bin" / "tsc"), "-p", ".")

    root = _shared(tmp_path_factory) / "programs"
    _once(root, compile_them)
    return root


def run(folder: Path, *words: str) -> None:
    """Run a command, which has to succeed."""
    told = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def _build(root: Path) -> None:
    made = shutil.ignore_patterns("node_modules", "dist")
    shutil.copytree(HOUSE / "clients" / "typescript", root, ignore=made)
    documents = root.parent.parent / "docs" / "reference"
    shutil.copytree(HOUSE / "docs" / "reference", documents, dirs_exist_ok=True)
    npm(root, "ci")
    run(root, "npm", "run", "--silent", "build")


def _shared(factory: pytest.TempPathFactory) -> Path:
    """Return the folder of this run that all its processes share."""
    base = factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "typescript"


def _once(root: Path, make: Callable[[Path], None]) -> None:
    """Make *root*, unless another process has; one that failed leaves nothing, and the next tries again."""
    root.parent.mkdir(parents=True, exist_ok=True)
    whole = root.with_suffix(".whole")
    with root.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if whole.exists():
            return
        shutil.rmtree(root, ignore_errors=True)
        make(root)
        whole.touch()
