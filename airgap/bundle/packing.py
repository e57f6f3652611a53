"""What a writer asks of whoever packs: how each layer travels, and the bytes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from airgap.bundle.delivery import Holding
from airgap.bundle.pack import Pack, Part
from airgap.content.plan import CopyPlan
from airgap.oci.digest import Digest


class Packing(Protocol):
    """A plan that is packed, and not written yet.

    The two methods block, and are called in the order of the parts.
    """

    @property
    def pack(self) -> Pack:
        """How each layer travels that does not travel as it is."""
        ...

    @property
    def holding(self) -> Holding | None:
        """What the deltas were made against; None where there can be none."""
        ...

    def part(self, part: Part) -> Iterator[bytes]:
        """Yield the bytes of a part as it is carried.

        Raises:
            ContentMismatch: the store is damaged where they come from.
        """
        ...

    def recipe(self, blob: Digest) -> bytes:
        """Return the recipe of a blob that has one."""
        ...


class Packer(Protocol):
    """Packs plans."""

    async def pack(self, plan: CopyPlan) -> Packing | None:
        """Find out how each layer of a plan travels best; None where all travel as they are."""
        ...
