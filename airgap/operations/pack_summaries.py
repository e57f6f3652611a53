"""What packing came to, for machines and for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from airgap.operations.documents import Document
from airgap.operations.sizes import counted, human_size
from airgap.usecases.pack_figures import PackFigures, Way


def pack_document(figures: PackFigures | None) -> Document:
    """Return the figures as a part of a document; without any, it has none."""
    return {"packed": asdict(figures)} if figures is not None else {}


def pack_lines(figures: PackFigures | None) -> Iterator[str]:
    """Yield which way how much went."""
    if figures is None:
        return
    for name, way, words in (
        ("delta", figures.delta, "what differs from held ones"),
        ("small", figures.small, "opened, compressed together"),
        ("original", figures.original, "as they are"),
    ):
        if way.blobs:
            yield f"  {name:<8}  {_way(way)}  {words}"
    for reason, count in figures.whole.items():
        yield f"    {counted(count, 'layer')}: {reason}"
    if figures.recipe_bytes:
        models = ", ".join(f"{count} by {name}" for name, count in figures.recipes.items())
        yield f"  recipes   {human_size(figures.recipe_bytes)}" + (f": {models}" if models else "")


def _way(way: Way) -> str:
    return f"{counted(way.blobs, 'layer')} of {human_size(way.bytes)} in {human_size(way.carried)}"
