"""Which release of makegood this is."""

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """Return the version of this installation."""
    try:
        return version("makegood")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "unknown"
