"""Whether memory that is free goes back to the system, or stays with the process: all by the C library of Linux."""

import ctypes
import gc

# Parameters of mallopt (malloc.h), and the largest values that the library sets by itself, in bytes.
_MMAP_THRESHOLD, _TRIM_THRESHOLD, _TOP_PAD = -3, -1, -2
_LARGEST_MAP, _LARGEST_TOP = 32 << 20, 64 << 20
# Where little shall be kept: bytes of an array that is not, and of the end of the heap, the library's first value.
_LARGE, _LITTLE = 8 << 20, 128 << 10


def give_back() -> None:
    """Return freed memory that Python and the C library would keep."""
    gc.collect()
    trim = _function("malloc_trim")
    if trim:
        trim(0)


def keep() -> None:
    """From now on keep what is freed: the system would clear it again each time that memory is asked for."""
    _set({_MMAP_THRESHOLD: _LARGEST_MAP, _TRIM_THRESHOLD: _LARGEST_TOP, _TOP_PAD: _LARGEST_TOP})


def keep_little() -> None:
    """From now on return arrays of 8 MB and more, and what else is free at the end of the heap, as soon as freed.

    By itself the library keeps 128 KB at the end, and raises both limits each time that a larger array is freed, up to
    32 and 64 MB; what it has come to before this call, or by `keep`, counts no more.
    """
    _set({_MMAP_THRESHOLD: _LARGE, _TRIM_THRESHOLD: _LITTLE, _TOP_PAD: _LITTLE})


def _set(values):
    set_option = _function("mallopt")
    if set_option:
        for parameter, value in values.items():
            set_option(parameter, value)


def _function(name):
    """None where the C library has no such function."""
    return getattr(ctypes.CDLL(None), name, None)
