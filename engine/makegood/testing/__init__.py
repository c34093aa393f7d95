"""What authors of stores and services test with: a clock to move, a way to drive jobs, the contract."""

import pytest

# Before the modules are imported: a failing assert in the contract shall show its values.
pytest.register_assert_rewrite("makegood.testing.contract", "makegood.testing.drive")
