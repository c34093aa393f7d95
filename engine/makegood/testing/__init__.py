"""What authors of job types, stores and services test with: made tests, a clock, the stores' contract."""

import sys

if "pytest" in sys.modules:  # the scripted provider serves examples too, where there is no pytest
    # Before the modules are imported: a failing assert shall show its values.
    for _module in ("contract", "drive", "jobtypes"):
        sys.modules["pytest"].register_assert_rewrite(f"makegood.testing.{_module}")

from makegood.testing.jobtypes import JobTypeTests, job_type_tests
from makegood.testing.visits import edge_coverage

__all__ = ["JobTypeTests", "edge_coverage", "job_type_tests"]
