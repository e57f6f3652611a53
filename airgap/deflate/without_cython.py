"""What the coder takes from Cython, where Cython is not: a lock that is not let go."""

from __future__ import annotations

import contextlib

nogil = contextlib.nullcontext()
