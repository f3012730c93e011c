import os
import platform
import subprocess
import sys

import pytest

# Pages that are fetched once the first of some tensors of 64 MB each has been freed.
_PAGES = """
import resource
import torch
from qrnn_circuits.training.freed_memory import keep_freed_memory

keep_freed_memory()
torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages_fetched(**variables: str) -> int:
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MALLOC", "GLIBC"))
    } | variables
    found = subprocess.run(
        [sys.executable, "-c", _PAGES], env=variables, capture_output=True, text=True, check=True
    )
    return int(found.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="acts with glibc alone")
def test_freed_memory_is_kept_unless_a_variable_says_what_to_do() -> None:
    assert pages_fetched() < pages_fetched(MALLOC_TRIM_THRESHOLD_="131072") / 2
