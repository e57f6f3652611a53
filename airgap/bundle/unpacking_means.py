"""What it takes to read a packed bundle, and whether that is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from airgap.bundle.pack import Pack
from airgap.errors import NoSpace, Refused
from airgap.oci.digest import Digest
from airgap.packing.cutting import DEFAULT_MEMORY

FindBlob: TypeAlias = Callable[[Digest], Path]
"""Return the file of a blob that is held here; raises NotFound where it is not."""


@dataclass(frozen=True, slots=True)
class UnpackingMeans:
    """What it takes to unpack, besides the bundle.

    Attributes:
        folder: where opened content lies meanwhile, in files without a name.
        find_blob: where the bases of deltas are; None where there is no such place.
        memory: bytes of memory that it may take.
        jobs: how many blobs are made at once.
    """

    folder: Path
    find_blob: FindBlob | None = None
    memory: int = DEFAULT_MEMORY
    jobs: int = os.cpu_count() or 1

    def require(self, what: str, pack: Pack) -> None:
        """Check before anything is done that it can be done.

        Args:
            what: names the bundle.
            pack: what it says of itself.

        Raises:
            Refused: it takes more memory than it may, or bases that there are none of here.
            NoSpace: there is no room for what is opened meanwhile.
        """
        if pack.memory > self.memory:
            raise Refused(
                what,
                f"takes {pack.memory:,} bytes of memory to unpack, and {self.memory:,} are allowed",
                "allow more with --delta-memory, or export it again with less",
            )
        if pack.bases() and self.find_blob is None:
            raise Refused(
                what,
                f"holds deltas against {len(pack.bases())} blobs, and there is no store to find "
                "them in",
                "name the store that has taken in what came before",
            )
        wanted, free = self.room(pack), _free_bytes(self.folder)
        if wanted > free:
            raise NoSpace(
                str(self.folder),
                f"unpacking takes {wanted:,} bytes of room meanwhile, and {free:,} are free",
                "free some space, or put the store on a larger disk; nothing was written",
            )

    def room(self, pack: Pack) -> int:
        """Return the bytes of disk that files take at most that are gone afterwards."""
        largest = sorted((part.plain.size for part in pack.parts), reverse=True)
        bases = max((sum(b.plain.size for b in part.bases) for part in pack.parts), default=0)
        # Beside its plain bytes lies each blob that is made of them, which is smaller as a rule.
        return 2 * sum(largest[: self.jobs + 1]) + bases


def _free_bytes(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
