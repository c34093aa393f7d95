"""What refers only to itself is still found where garbage is collected seldom."""

import subprocess
import sys

PROGRAM = """
import gc, weakref
from makegood_adapters.cli.garbage import collect_seldom

class Loop:
    def __init__(self):
        self.itself = self

collect_seldom()
assert gc.isenabled() and gc.get_freeze_count() > 1_000
first = weakref.ref(Loop())
most = 0
for made in range(1, 100_001):
    Loop()
    most = max(most, gc.get_count()[0])
assert first() is None, "nothing was collected"
print(most)
"""


def test_what_refers_only_to_itself_is_still_collected() -> None:
    """In a process of its own, since how garbage is collected holds for a whole process."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # seldom, and never more in wait than some two megabytes
    assert 5_000 < int(done.stdout) < 20_000
