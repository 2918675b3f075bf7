"""What belongs to the machine: memory that is kept."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from fosbury.machine import keep_freed_memory
assert sys.argv[1] == "as-it-is" or keep_freed_memory()
np.ones(1 << 23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    np.ones(1 << 23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone has the setting")
def test_memory_that_was_freed_is_kept_for_the_next_array():
    as_it_is, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS, way], check=True, capture_output=True, text=True).stdout)
        for way in ("as-it-is", "kept")
    )
    assert kept < 0.05 * as_it_is
