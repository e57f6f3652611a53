"""The loops of the coder, run while other threads go on.

The one module that knows of Python's lock, which it lets go where it is compiled. Compiled by
``running.pxd`` where a compiler is at hand; runs as it stands everywhere.
"""

from __future__ import annotations

try:
    import cython
except ImportError:
    from airgap.deflate import without_cython as cython

from airgap.deflate.comparing import Comparison
from airgap.deflate.inflating import Inflater
from airgap.deflate.repeating import Repetition


def inflate(inflater: Inflater) -> int:
    """Read on: see :meth:`Inflater.run`."""
    with cython.nogil:
        return inflater.run()


def compare(comparison: Comparison) -> int:
    """Go on: see :meth:`Comparison.run`."""
    with cython.nogil:
        return comparison.run()


def repeat(repetition: Repetition) -> int:
    """Go on: see :meth:`Repetition.run`."""
    with cython.nogil:
        return repetition.run()
