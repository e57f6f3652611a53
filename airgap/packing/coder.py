"""The deflate coder, as packing uses it."""

from __future__ import annotations

from airgap.deflate.opening import CannotOpen, Opener
from airgap.deflate.rebuilding import Rebuilder
from airgap.deflate.recipe import RecipeReader
from airgap.packing.opened import Coder

DEFLATE = Coder(lambda most: Opener(max_recipe=most), Rebuilder, CannotOpen)
"""Opens and rebuilds gzip, see :mod:`airgap.deflate`."""


def recipe_models(recipe: bytes) -> str:
    """Return the names of the encoder models that a recipe speaks of, for people.

    Raises:
        CannotRebuild: it is none.
    """
    return "+".join(dict.fromkeys(member.model for member in RecipeReader(recipe).members()))
