"""The databases of these tests."""

import pytest


@pytest.fixture(scope="session")
def template(stocked_template: str) -> str:
    """Databases of these tests know the job types that come with makegood."""
    return stocked_template
