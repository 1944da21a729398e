"""Memory of a training process on a CPU."""

from __future__ import annotations

import ctypes
import platform

# Names of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT = 2**30
#: The largest that glibc allows.
_LARGEST_BLOCK = 2**25


def keep_freed_memory() -> bool:
    """Ask the C library to keep freed blocks for the next step; return whether it will.

    Logits and their gradient are megabytes. By default glibc gives such blocks back to the
    system after every step and gets them again page by page, which took a third of the time of
    the smallest models. The setting is that of the whole process and moves no number; other
    C libraries are left alone.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    return bool(
        library.mallopt(_M_MMAP_THRESHOLD, _LARGEST_BLOCK)
        and library.mallopt(_M_TRIM_THRESHOLD, _KEPT)
    )
