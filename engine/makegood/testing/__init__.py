"""What authors of stores and services test with: a clock to move, a way to drive jobs, the contract."""

import sys

if "pytest" in sys.modules:  # the scripted provider serves examples too, where there is no pytest
    # Before the modules are imported: a failing assert in the contract shall show its values.
    sys.modules["pytest"].register_assert_rewrite("makegood.testing.contract", "makegood.testing.drive")
