"""What a serving process is told of its memory."""

import gc
import platform
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from palate.serve import process

FAULTS = """
import resource, sys
import numpy as np
from palate.serve import process
if "keep" in sys.argv:
    process.keep_memory()
def rounds(n):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n):
        arrays = [np.ones(200_000, np.float32) for _ in range(8)]
        del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
rounds(3)
print(rounds(20))
"""


def faults(*args):
    found = subprocess.run([sys.executable, "-c", FAULTS, *args], capture_output=True, text=True, check=True)
    return int(found.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_memory_that_is_kept_is_not_fetched_anew():
    assert faults("keep") < faults() / 10


def test_products_run_in_the_thread_that_asks_for_them():
    assert np.ones(1)  # loads the library that is told
    with threadpool_limits(2, "blas"):
        process.settle()
        told = {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}
    gc.unfreeze()
    assert told == {1}


def test_what_is_loaded_is_gone_through_no_more():
    process.settle()
    try:
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()


def test_a_thread_that_waits_for_the_interpreter_has_it_soon():
    before = sys.getswitchinterval()
    process.take_turns()
    try:
        assert sys.getswitchinterval() == pytest.approx(process.TURN_S)
    finally:
        sys.setswitchinterval(before)
