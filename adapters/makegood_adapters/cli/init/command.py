"""The command `makegood init`: from an empty folder to a service that starts."""

import os
import shutil
import sys
from importlib.resources import files
from pathlib import Path
from secrets import token_hex
from string import Template
from typing import Annotated, Literal

from cyclopts import Parameter

from makegood.errors import InvalidRequest
from makegood_adapters.cli.init.app import app_files, module_of
from makegood_adapters.cli.told import Json, tell
from makegood_adapters.toolfiles import default_tools_folder

_CONFIG, _SECRETS, _TOOLS, _SAMPLE = "config/makegood.toml", "secrets", "tools", "upscaler.toml"
_DATABASE, _KEY = f"{_SECRETS}/database_url", f"{_SECRETS}/runninghub_key"
_LINK = f"{_SECRETS}/link_secret"
_NO_DATABASE = "postgresql://USER:PASSWORD@localhost:5432/makegood"
_IGNORED = ("/secrets/", "/makegood-files/")
#: Those of `makegood simulate` without more.
_KEY_OF_SIMULATOR, _SIMULATOR = "my-key", "http://127.0.0.1:8188"
_SITES = {"cn": "https://www.runninghub.cn", "ai": "https://www.runninghub.ai"}


def init(
    folder: Path = Path("."),
    *,
    dsn: str | None = None,
    key: str | None = None,
    site: Literal["cn", "ai"] = "cn",
    simulator: Annotated[bool, Parameter(negative="")] = False,
    port: int = 8000,
    json: Json = False,
) -> None:
    """Write a configuration that works, with its secrets in files of their own and one tool to begin with.

    A folder that is not there yet becomes an app: beside the configuration it has FOLDER.py with a job type
    of 15 lines, and its tests. It asks nothing, overwrites nothing, and tells what to do next. Secrets are
    better given in the environment than as arguments, which others on this machine can see.

    Parameters
    ----------
    folder
        Where; left out: here. The name of a new one is that of the app.
    dsn
        The address of your Postgres; left out: DATABASE_URL, and without that a place to write it into.
    key
        Your API key at RunningHub; left out: RUNNINGHUB_API_KEY, and without that no account is configured.
    site
        Where the key is from: cn or ai.
    simulator
        Run against `makegood simulate`, without a key and without paying.
    port
        Where the service listens on 127.0.0.1.
    json
        Tell which files were written, and what to do next, as one JSON object.

    Examples
    --------
    makegood init myapp
    """
    if not 0 < port <= 65_535:
        raise InvalidRequest(f"--port takes 1 to 65535, not {port}.")
    dsn = dsn or os.environ.get("DATABASE_URL")
    key = _KEY_OF_SIMULATOR if simulator else key or os.environ.get("RUNNINGHUB_API_KEY")
    base_url = _SIMULATOR if simulator else _SITES[site]
    text = files(__package__).joinpath("makegood.toml").read_text(encoding="utf-8")
    configuration = Template(text).substitute(port=port, account=_account(base_url, given=key is not None))
    module = None if folder.exists() else module_of(folder)
    written = app_files(module) if module else {}
    written |= {
        _CONFIG: configuration,
        _DATABASE: f"{dsn or _NO_DATABASE}\n",
        _LINK: f"{token_hex(32)}\n",
    }
    if key is not None:
        written[_KEY] = f"{key}\n"
    samples = [default_tools_folder() / name for name in (_SAMPLE, "schema.json")]
    _refuse_to_overwrite(folder, [*written, *(f"{_TOOLS}/{path.name}" for path in samples)])
    try:
        for name, content in written.items():
            _write(folder / name, content, secret=name.startswith(_SECRETS))
        (folder / _TOOLS).mkdir(parents=True, exist_ok=True)
        for path in samples:
            shutil.copyfile(path, folder / _TOOLS / path.name)
        _ignore(folder / ".gitignore")
    except OSError as error:
        raise InvalidRequest(f"{error.filename} cannot be written: {error.strerror}.") from None
    names = [*written, *(f"{_TOOLS}/{path.name}" for path in samples), ".gitignore"]
    steps = _next_steps(folder, module, dsn is not None, key is not None, simulator)
    _tell(folder, names, steps, json=json)


def _tell(folder: Path, names: list[str], steps: list[str], *, json: bool) -> None:
    if json:
        written = [folder / name for name in names]
        tell({"written": written, "next": [step.strip() for step in steps if step]})
    else:
        sys.stdout.write("\n".join([_written(names), "", "next:", *steps, ""]))


def _account(base_url: str, *, given: bool) -> str:
    lines = (
        "",
        "# Who does the work. The provider tells how many tasks the account may have at one time.",
        "[[accounts]]",
        'name = "main"',
        f'base_url = "{base_url}"',
        f'api_key_file = "{_KEY}"',
        "",
    )
    if given:
        return "\n".join(lines)
    hint = (f"# Without an account no jobs are taken. Write its key into {_KEY} (chmod 600) and take",)
    commented = [f"# {line}" for line in lines[2:-1]]
    return "\n".join(["", *hint, "# the signs of comment away:", *commented, ""])


def _refuse_to_overwrite(folder: Path, names: list[str]) -> None:
    if there := [name for name in names if (folder / name).exists()]:
        verb = "is" if len(there) == 1 else "are"
        raise InvalidRequest(
            f"{', '.join(there)} {verb} there already, and nothing is overwritten: choose another folder, or "
            "move it away."
        )


def _write(path: Path, content: str, *, secret: bool) -> None:
    path.parent.mkdir(mode=0o700 if secret else 0o777, parents=True, exist_ok=True)
    mode = 0o600 if secret else 0o666
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(content)


def _ignore(path: Path) -> None:
    """Keep secrets and files of users out of a repository."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    missing = [line for line in _IGNORED if line not in text.splitlines()]
    if missing:
        gap = "" if not text or text.endswith("\n") else "\n"
        path.write_text(text + gap + "".join(f"{line}\n" for line in missing), encoding="utf-8")


def _written(names: list[str]) -> str:
    secrets = f"{_SECRETS}/ (readable by you alone)"
    shown = dict.fromkeys(secrets if name.startswith(_SECRETS) else name for name in names)
    return f"written: {', '.join(shown)}"


def _next_steps(folder: Path, module: str | None, database: bool, key: bool, simulator: bool) -> list[str]:
    lines: list[str] = []
    if folder != Path("."):
        lines.append(f"  cd {folder}")
    if module:
        lines += [
            _step(
                f"makegood dev {module}.py", "run your job type and watch it in a browser; nothing is needed"
            ),
            _step("pytest", "its tests: every way that a job of it can go"),
            "",
            "and to sell it:",
            _step("pip install -e .", f"the service finds the job types of {module}.py"),
        ]
    if not database:
        lines.append(f"  write the address of your Postgres into {_DATABASE}")
    if simulator:
        lines.append(_step("makegood simulate", "in another terminal: a RunningHub of your own"))
    elif not key:
        lines.append(f"  write your API key into {_KEY} and uncomment the account in {_CONFIG}")
    lines += [
        _step("makegood doctor", "whether everything is well, and what to do where it is not"),
        _step("makegood serve", "the service; Ctrl-C ends it in order"),
    ]
    return lines


def _step(command: str, why: str) -> str:
    return f"  {command:<33} {why}"
