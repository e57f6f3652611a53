"""Gzip files through the coder and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airgap.deflate.opening import Opener
from airgap.deflate.rebuilding import Rebuilder

ANY_SIZE = 1 << 40
"""For a recipe that need not be worth it."""


@dataclass(frozen=True)
class Opened:
    """What came of opening a file."""

    plain: bytes
    recipe: bytes
    models: tuple[str, ...]


def pieces(data: bytes, size: int) -> list[bytes]:
    """Cut bytes into pieces."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def opened(file: bytes, models: Sequence[str] | None = None, piece: int = 1 << 20) -> Opened:
    """Open a file, fed in pieces."""
    opener = Opener(max_recipe=ANY_SIZE, models=models)
    plain = b"".join(opener.feed(part) for part in pieces(file, piece))
    return Opened(plain, opener.finish(), opener.models)


def rebuilt(plain: bytes, recipe: bytes, piece: int = 1 << 20) -> bytes:
    """Rebuild a file, fed in pieces."""
    rebuilder = Rebuilder(recipe)
    made = [rebuilder.feed(part) for part in pieces(plain, piece)]
    return b"".join((*made, rebuilder.finish()))


def there_and_back(
    file: bytes, models: Sequence[str] | None = None, piece: int = 1 << 20
) -> Opened:
    """Open a file, and see that it is rebuilt bit for bit."""
    got = opened(file, models, piece)
    assert Rebuilder(got.recipe).plain_size == len(got.plain)
    assert rebuilt(got.plain, got.recipe, piece) == file
    return got
