"""What becomes of memory that tensors have freed."""

import ctypes
import os
import platform

# Options of mallopt(3).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Keeps what is freed in this process, which else gives large tensors back to the system.

    The system fetches each page of them anew, filled with zeros: of networks that are computed
    together, each operation makes tensors so large. Acts with the C library of GNU, unless one of
    its own variables, as ``MALLOC_TRIM_THRESHOLD_``, says what to do. The process never gets
    smaller, so that this is for commands and not for libraries.
    """
    told = any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ)
    if told or platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, _NEVER)
