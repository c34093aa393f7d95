"""The command `makegood`."""

import sys


def main() -> None:
    """Run the command line; its libraries come with the extra `cli`."""
    try:
        from makegood_adapters.cli.app import run

        run()
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in ("makegood", "makegood_adapters"):
            raise
        sys.exit(f"makegood: the package {error.name!r} is missing: pip install 'makegood[demo]'")
