"""From what a person names to a bundle that can be read: files, folders, volumes. Blocking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airgap.bundle.age_keys import Identity
from airgap.bundle.checksum import CHECKSUM_SUFFIX
from airgap.bundle.encryption import MAGIC, Decrypted, is_encrypted
from airgap.bundle.failures import telling
from airgap.bundle.medium import Medium, OneFile
from airgap.bundle.volume_collection import VolumeCollection
from airgap.bundle.volume_files import VolumeSet, find_volumes, missing
from airgap.errors import NotFound, UsageError

_GO_ON = "what came is kept: name the next stick or folder, and the import goes on"


@dataclass(frozen=True, slots=True)
class FoundBundle:
    """What crossed the gap, before anything is read of it.

    Attributes:
        medium: the bundle's bytes, as they are stored.
        volumes: the set, where it came in volumes.
        is_encrypted: whether a key is needed to see anything of it.
    """

    medium: Medium
    volumes: VolumeSet | None
    is_encrypted: bool

    def opened(self, identities: Sequence[Identity]) -> Medium:
        """Return the bundle; decrypted, where it is encrypted and there are keys."""
        if self.is_encrypted and identities:
            return Decrypted(self.medium, tuple(identities))
        return self.medium


def find_bundle(
    paths: Sequence[Path], collection: VolumeCollection | None = None, *, whole: bool = True
) -> FoundBundle:
    """Find the one bundle that files or folders hold.

    Args:
        paths: what a person names.
        collection: where volumes wait that came before; what came now joins them, where some are
            still wanted.
        whole: all volumes must be there; otherwise the first is enough.

    Raises:
        NotFound: there is none, or volumes of it are missing.
        UsageError: there are several.
        BundleDamaged: volumes have the wrong size, or their index is damaged.
    """
    volumes = find_volumes(paths) if collection is None else collection.find(paths)
    if volumes is not None:
        if volumes.wanted and collection is not None:
            collection.keep(volumes)
            raise missing(volumes, _GO_ON)
        medium: Medium = volumes.joined() if whole else volumes.beginning()
    else:
        medium = OneFile(_one_file(paths))
    with medium.open() as file, telling(medium.path):
        beginning = file.read(len(MAGIC))
    return FoundBundle(medium, volumes, is_encrypted(beginning))


def _one_file(paths: Sequence[Path]) -> Path:
    found: list[Path] = []
    for path in paths:
        found += _bundles_in(path) if path.is_dir() else [path]
    if len(found) == 1:
        return found[0]
    shown = ", ".join(map(str, found or paths))
    if not found:
        raise NotFound(
            shown,
            "no bundle is there",
            "a bundle has its .sha256 beside it once it is complete; otherwise name the file",
        )
    raise UsageError(shown, "are several bundles", "import them one after the other")


def _bundles_in(folder: Path) -> list[Path]:
    """Return the files whose ``.sha256`` stands beside them."""
    with telling(folder):
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
    present = set(names)
    return [
        folder / name.removesuffix(CHECKSUM_SUFFIX)
        for name in names
        if name.endswith(CHECKSUM_SUFFIX) and name.removesuffix(CHECKSUM_SUFFIX) in present
    ]
