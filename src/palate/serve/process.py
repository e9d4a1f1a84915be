"""What a process that serves is told once, so that its memory does not cost answers their time."""

import ctypes
import gc
import sys

from threadpoolctl import threadpool_limits

_TRIM, _MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h
_NEVER = 1 << 30
TURN_S = 0.0005


def keep_memory() -> None:
    """Let the C library keep what is freed for the next request.

    By default glibc gives arrays of a few hundred kilobytes back to the system, which hands them out anew page by page:
    a third of the time of a list from 100,000 items. Other C libraries are left as they are.
    """
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no glibc here
        return
    tell(_MMAP, _NEVER)
    tell(_TRIM, _NEVER)


def take_turns() -> None:
    """Let a thread that waits for the interpreter have it soon.

    The one that makes lists, the one that writes and the one that speaks HTTP give it up at every product, statement
    and packet, and by default wait for it up to 5 ms each time while another one computes.
    """
    sys.setswitchinterval(TURN_S)


def settle() -> None:
    """Tell libraries and the collector of what is loaded by now; to be called again when more is.

    NumPy's products run in the thread that asks for them: lists are made in two threads already, beside one that
    speaks HTTP, and others that wait for their part of a small product take processor time from all of these. What
    lives by now lives as long as the process: the collector need not go through it again and again.
    """
    threadpool_limits(1, "blas")
    gc.collect()
    gc.freeze()
