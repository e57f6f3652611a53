"""The deflate coder, as packing uses it."""

from __future__ import annotations

from airgap.deflate.opening import CannotOpen, Opener
from airgap.deflate.rebuilding import Rebuilder
from airgap.packing.opened import Coder

DEFLATE = Coder(lambda most: Opener(max_recipe=most), Rebuilder, CannotOpen)
"""Opens and rebuilds gzip, see :mod:`airgap.deflate`."""
