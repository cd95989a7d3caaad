"""Memory that is free goes back to the system."""

import ctypes
import gc


def give_back() -> None:
    """Return freed memory that Python and the C library would keep, where the C library can (glibc)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
