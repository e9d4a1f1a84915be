"""What a process that serves is told once, so that its memory does not cost answers their time."""

import ctypes
import gc

_TRIM, _MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h
_NEVER = 1 << 30


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


def loaded() -> None:
    """What lives by now lives as long as the process: the collector need not go through it again and again."""
    gc.collect()
    gc.freeze()
