"""Memory that the C library keeps for later, given back to the machine.

A run's blocks come and go in many threads, and glibc keeps an arena for each: what is free in them
lies between what is not, and adds up over thousands of runs, although no more is in use than at the
beginning. `malloc_trim` (glibc, malloc_trim(3)) gives back every whole page that is free.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any


def trimmer() -> Callable[[], None]:
    """Return what gives memory back; does nothing where the C library has no way to."""
    trim: Any = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return _nothing
    trim.argtypes, trim.restype = (ctypes.c_size_t,), ctypes.c_int
    return lambda: trim(0)


def _nothing() -> None:
    """Leave memory to a C library that sees to it by itself."""
