"""The databases of these tests, and a port that is theirs alone."""

from collections.abc import Iterator

import pytest

from makegood_adapters.cli.stage import keep_port


@pytest.fixture(scope="session")
def template(stocked_template: str) -> str:
    """Databases of these tests know the job types that come with makegood."""
    return stocked_template


@pytest.fixture
def port() -> Iterator[int]:
    """Yield a port where nobody answers but whom the test lets listen there."""
    with keep_port() as kept:
        yield kept.getsockname()[1]
