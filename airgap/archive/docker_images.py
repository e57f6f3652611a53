"""The images of a ``manifest.json``: found again in ``index.json``, or given a manifest."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

from airgap.archive import layout
from airgap.archive.docker_manifest import DockerEntry, manifest_for
from airgap.archive.members import Members, read_region
from airgap.archive.names import ArchiveImage
from airgap.content.ports import FileRegion
from airgap.errors import ArchiveDamaged, ContentMismatch, NotPermitted, Unsupported
from airgap.image.compression import HEAD_SIZE, ByteStream, Compression, detect, unpacked
from airgap.image.threads import StopSign
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.image_config import MAX_CONFIG_SIZE, parse_image_config
from airgap.oci.manifest import MAX_MANIFEST_SIZE, parse_manifest
from airgap.oci.reference import Reference

_PIECE = 1024 * 1024
_MAX_DEPTH = 8
_PACKED = {
    Compression.GZIP: media_types.OCI_LAYER_GZIP,
    Compression.ZSTD: media_types.OCI_LAYER_ZSTD,
}


class DockerImages:
    """Gathers the images of one archive; entries of ``manifest.json`` are added one by one.

    Attributes:
        images: those of ``index.json``, then those that only ``manifest.json`` has.
        made: the manifests made for the latter.
    """

    def __init__(self, members: Members, listed: tuple[ArchiveImage, ...], sign: StopSign) -> None:
        """Begin with what ``index.json`` lists.

        Args:
            members: the archive's members.
            listed: the images of ``index.json``.
            sign: asks the reading of packed layers to end.
        """
        self.images = list(listed)
        self.made: dict[Digest, bytes] = {}
        self._members = members
        self._sign = sign
        self._regions: dict[Digest, FileRegion] = {}
        self._layers: dict[FileRegion, _Layer] = {}
        self._listed = {name: image.descriptor for image in listed for name in image.names}
        self._roots = self._roots_by_config(listed)

    def find(self, digest: Digest) -> FileRegion | None:
        """Return where the bytes of a digest stand."""
        known = self._regions.get(digest)
        return known if known is not None else self._members.find(layout.blob_name(digest))

    def add(self, entry: DockerEntry) -> None:
        """Take one entry of ``manifest.json``.

        Raises:
            ArchiveDamaged: config or a layer is missing, or they are not of one image.
            ContentMismatch: a packed layer is not the one that the config names.
        """
        region = self._must_find(entry.config)
        raw = read_region(region, f"{self._members.what}: {entry.config}", MAX_CONFIG_SIZE)
        config = Descriptor(media_types.OCI_CONFIG, Digest.of(raw), len(raw))
        roots = self._roots.get(config.digest)
        if roots is None:
            self._regions[config.digest] = region
            roots = [self._make(entry, raw, config)]
        unlisted = tuple(name for name in entry.names if not self._is_listed(name, roots))
        self.images.append(ArchiveImage(roots[0], unlisted))

    def _is_listed(self, name: Reference, roots: list[Descriptor]) -> bool:
        """Tell whether ``index.json`` gives the name already, to a manifest with this config."""
        listed = self._listed.get(name)
        if listed is not None and listed not in roots:
            raise ArchiveDamaged(
                self._members.what,
                f"gives the name {name.familiar} to two images",
                "its index.json and manifest.json disagree; nothing was taken from it",
            )
        return listed is not None

    def _make(self, entry: DockerEntry, raw: bytes, config: Descriptor) -> Descriptor:
        what = f"{self._members.what}: {entry.config}"
        diff_ids = parse_image_config(raw, what).diff_ids
        if len(diff_ids) != len(entry.layers):
            raise ArchiveDamaged(
                what, f"names {len(diff_ids)} layers where the archive has {len(entry.layers)}"
            )
        layers = [
            self._layer(member, diff_id)
            for member, diff_id in zip(entry.layers, diff_ids, strict=True)
        ]
        manifest = manifest_for(config, layers)
        self.made[manifest.descriptor.digest] = manifest.raw
        return manifest.descriptor

    def _layer(self, member: str, diff_id: Digest) -> Descriptor:
        region = self._must_find(member)
        layer = self._layers.get(region)
        if layer is None:
            layer = self._layers[region] = self._look_at(member, region)
        if layer.diff_id not in {None, diff_id}:
            raise ContentMismatch(
                f"{self._members.what}: {member}",
                f"unpacks to {layer.diff_id} where the image's config names {diff_id}",
                "nothing was taken from it",
            )
        # A plain tar is named by its diff id; whoever takes it in hashes it and so verifies that.
        digest = layer.digest or diff_id
        self._regions[digest] = region
        return Descriptor(layer.media_type, digest, region.length)

    def _look_at(self, member: str, region: FileRegion) -> _Layer:
        what = f"{self._members.what}: {member}"
        try:
            with region.path.open("rb") as file:
                file.seek(region.offset)
                compression = detect(file.read(min(HEAD_SIZE, region.length)))
                if compression is Compression.NONE:
                    return _Layer(media_types.OCI_LAYER)
                media_type = _PACKED.get(compression)
                if media_type is None:
                    raise Unsupported(
                        what,
                        f"is a layer packed with {compression}, which no manifest can name",
                        "load the archive into an engine and save it again",
                    )
                file.seek(region.offset)
                packed = _Hashed(file, region.length, self._sign)
                plain = hashlib.sha256()
                stream = unpacked(packed, what)
                while piece := stream.read(_PIECE):
                    plain.update(piece)
                while packed.read(_PIECE):
                    pass
        except OSError as error:
            raise NotPermitted(what, f"cannot be read: {error.strerror}") from None
        return _Layer(media_type, packed.digest(), Digest.from_hasher(plain))

    def _must_find(self, member: str) -> FileRegion:
        region = self._members.find(member)
        if region is None:
            raise ArchiveDamaged(
                self._members.what,
                f"names {member!r} in its manifest.json, but does not hold it",
                "save the image again; nothing was taken from it",
            )
        return region

    def _roots_by_config(self, listed: tuple[ArchiveImage, ...]) -> dict[Digest, list[Descriptor]]:
        """Return for each config the images of ``index.json`` that it is in: an index has many."""
        roots: dict[Digest, list[Descriptor]] = defaultdict(list)
        for image in listed:
            waiting = [(image.descriptor, 0)]
            while waiting:
                descriptor, depth = waiting.pop()
                region = self.find(descriptor.digest)
                if region is None or descriptor.media_type not in media_types.MANIFESTS:
                    continue
                what = f"{self._members.what}: {descriptor.digest}"
                raw = read_region(region, what, MAX_MANIFEST_SIZE)
                manifest = parse_manifest(raw, descriptor.media_type, digest=descriptor.digest)
                if manifest.config is not None:
                    roots[manifest.config.digest].append(image.descriptor)
                if depth < _MAX_DEPTH:
                    waiting += ((child, depth + 1) for child in manifest.manifests)
        return dict(roots)


@dataclass(frozen=True, slots=True)
class _Layer:
    """What a layer's bytes are; of a plain tar the digests are not known without reading it all."""

    media_type: str
    digest: Digest | None = None
    diff_id: Digest | None = None


class _Hashed:
    """A region of a file as a stream that hashes what is read of it."""

    def __init__(self, stream: ByteStream, length: int, sign: StopSign) -> None:
        self._stream = stream
        self._left = length
        self._sign = sign
        self._hasher = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        """Read within the region."""
        self._sign.check()
        piece = self._stream.read(min(size, self._left))
        self._left -= len(piece)
        self._hasher.update(piece)
        return piece

    def digest(self) -> Digest:
        """Return the digest of what was read."""
        return Digest.from_hasher(self._hasher)
