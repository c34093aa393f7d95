"""RunningHub clients that others wrote, loaded so that what they do to this process stays with them."""

import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def load(name: str) -> Any:
    """Import a module of a guest; comfykit takes over the root logger, and nobody's warnings are ours."""
    with warnings.catch_warnings(), _root_logger_kept():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


@contextmanager
def _root_logger_kept() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
