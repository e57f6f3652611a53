"""Telling what a file is that is not a bundle, so that a person knows what to do with it."""

from __future__ import annotations

from airgap.bundle import tar
from airgap.bundle.failures import BRING_AGAIN
from airgap.bundle.layout import BUNDLE_JSON_NAME, INDEX_NAME, OCI_LAYOUT_NAME
from airgap.bundle.stream import ByteStream
from airgap.errors import BundleDamaged

_MAGIC = {
    b"\x1f\x8b": "is compressed with gzip",
    b"BZh": "is compressed with bzip2",
    b"\xfd7zXZ\0": "is compressed with xz",
    b"PK": "is a zip file",
}
_IMAGE_ARCHIVE = {"manifest.json", INDEX_NAME, OCI_LAYOUT_NAME, "repositories"}
_MAX_MEMBERS = 10_000
_MAX_BYTES = 256 * 1024 * 1024
"""Bytes to look through; more would only delay the message."""


class MaybeImages(BundleDamaged):
    """The file is no bundle, but may be an archive of images."""


def explain(stream: ByteStream, block: bytes) -> BundleDamaged:
    """Return the error for a file that does not begin as a bundle does.

    Args:
        stream: the file, read up to the end of ``block``.
        block: the first header that is not a bundle's.
    """
    path = str(stream.path)
    for magic, what in _MAGIC.items():
        if block.startswith(magic):
            return MaybeImages(
                path,
                f"{what}, and is not a bundle",
                "an image archive goes in with `airgap load`; a bundle must be unpacked first",
            )
    names = _names(stream, block)
    if not names:
        return BundleDamaged(
            path, "is not a bundle, and not a tar", f"{BRING_AGAIN}, or name another file"
        )
    if BUNDLE_JSON_NAME in names:
        return BundleDamaged(
            path,
            "is a bundle that was packed again: its members are not as they were written",
            "bring the file that `airgap export` wrote",
        )
    if names & _IMAGE_ARCHIVE:
        return MaybeImages(
            path,
            "is an image archive without airgap/bundle.json, not a bundle",
            "take it in with `airgap load`",
        )
    return BundleDamaged(path, "is a tar, but not a bundle", "name the file that crossed the gap")


def _names(stream: ByteStream, block: bytes) -> frozenset[str]:
    names = set[str]()
    try:
        while len(names) < _MAX_MEMBERS and (found := tar.read_foreign(block)) is not None:
            names.add(found.name.removeprefix("./"))
            end = stream.position + found.size + tar.padding(found.size)
            if end > _MAX_BYTES and stream.is_compressed:
                break
            stream.skip_to(end, found.name)
            block = stream.read(tar.BLOCK, found.name)
            if not any(block):
                break
    except BundleDamaged:
        pass  # A foreign tar that is cut short is still what its members say.
    return frozenset(names)
