"""The images that ``airgap demo`` carries: made in memory, real enough for any tool to load."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from airgap.content.ports import BlobReader, FileRegion
from airgap.errors import NotFound
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference, Repository

_MIB = 1024 * 1024
_CREATED = "2024-01-01T00:00:00Z"
_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class _MemoryReader:
    content: bytes
    offset: int
    region: FileRegion | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(self.offset, len(self.content), _PIECE):
            yield self.content[start : start + _PIECE]


class DemoContent:
    """A source of a few images in one domain: shared layers, two platforms, and an artifact."""

    def __init__(self, domain: str) -> None:
        """Make the content; about 50 MB, the same bytes each time."""
        self._content: dict[Digest, bytes] = {}
        self._names: dict[Reference, Descriptor] = {}
        base, runtime = self._layer("base", 12), self._layer("runtime", 8)
        web = [base, runtime, self._layer("web-1.0", 6)]
        self._tag(domain, "shop/web:1.0", self._image(web))
        self._tag(domain, "shop/web:1.10", self._image([*web[:2], self._layer("web-1.10", 6)]))
        worker = {
            architecture: self._image(
                [base, self._layer(f"worker-{architecture}", 4)], architecture
            )
            for architecture in ("amd64", "arm64")
        }
        self._tag(domain, "shop/worker:2", self._index(worker))
        self._tag(domain, "tools/base:stable", self._image([base]))
        self._tag(domain, "shop/web-sbom:1.0", self._artifact(b'{"packages": ["base"]}'))

    @property
    def references(self) -> list[Reference]:
        """Every name there is."""
        return list(self._names)

    async def resolve(self, reference: Reference) -> Descriptor:
        """Return what a name stands for."""
        found = self._names.get(reference)
        if found is None:
            raise NotFound(str(reference), "is not part of the demonstration")
        return found

    async def read_manifest(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """Return a manifest's bytes."""
        del repository
        return self._content[descriptor.digest]

    @asynccontextmanager
    async def open_blob(
        self, repository: Repository, descriptor: Descriptor, offset: int = 0
    ) -> AsyncIterator[BlobReader]:
        """Open a blob."""
        del repository
        yield _MemoryReader(self._content[descriptor.digest], offset)

    def _tag(self, domain: str, name: str, descriptor: Descriptor) -> None:
        self._names[Reference.parse(f"{domain}/{name}")] = descriptor

    def _keep(self, content: bytes, media_type: str) -> Descriptor:
        descriptor = Descriptor.of(content, media_type)
        self._content[descriptor.digest] = content
        return descriptor

    def _layer(self, name: str, mebibytes: int) -> Descriptor:
        noise = random.Random(name).randbytes(mebibytes * _MIB)  # noqa: S311 - not a secret
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            member = tarfile.TarInfo(f"opt/demo/{name}.bin")
            member.size = len(noise)
            tar.addfile(member, io.BytesIO(noise))
        return self._keep(buffer.getvalue(), media_types.OCI_LAYER)

    def _image(self, layers: Iterable[Descriptor], architecture: str = "amd64") -> Descriptor:
        layers = list(layers)
        config = {
            "created": _CREATED,
            **Platform("linux", architecture).to_json(),
            "config": {"Cmd": ["/bin/true"]},
            # An uncompressed layer's diff id is its digest.
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        }
        return self._manifest(self._keep(_encode(config), media_types.OCI_CONFIG), layers)

    def _artifact(self, content: bytes) -> Descriptor:
        empty = self._keep(b"{}", media_types.OCI_EMPTY)
        blob = self._keep(content, "application/vnd.example.sbom.v1+json")
        return self._manifest(empty, [blob], artifactType="application/vnd.example.sbom.v1")

    def _manifest(
        self, config: Descriptor, layers: Iterable[Descriptor], **more: Any
    ) -> Descriptor:
        fields = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            **more,
            "config": config.to_json(),
            "layers": [layer.to_json() for layer in layers],
        }
        return self._keep(_encode(fields), media_types.OCI_MANIFEST)

    def _index(self, images: Mapping[str, Descriptor]) -> Descriptor:
        entries = [
            {**image.to_json(), "platform": Platform("linux", architecture).to_json()}
            for architecture, image in images.items()
        ]
        fields = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}
        return self._keep(_encode(fields), media_types.OCI_INDEX)


def _encode(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, indent=2).encode()
