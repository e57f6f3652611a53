"""What a place that nothing can be put into says to whoever tries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from airgap.content.hosting import Upload
from airgap.content.ports import OnBytes, OpenBlob, TagMove
from airgap.errors import NotPermitted
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest
from airgap.oci.reference import Reference, Repository


class ReadOnlyHosting:
    """The writing half of ``Hosting``, refused; the reading half is for the heirs.

    Attributes:
        name: what the place is called in errors.
    """

    name: str

    def _refuse(self) -> NoReturn:
        raise NotPermitted(self.name, "can only be read", "push to a registry over a store")

    async def put_blob(
        self, repository: Repository, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> None:
        """Refuse."""
        self._refuse()

    async def put_manifest(self, repository: Repository, manifest: Manifest) -> None:
        """Refuse."""
        self._refuse()

    async def publish_manifest(
        self, repository: Repository, manifest: Manifest, tags: Sequence[str] = ()
    ) -> None:
        """Refuse."""
        self._refuse()

    async def move_tags(self, moves: Sequence[TagMove]) -> None:
        """Refuse."""
        self._refuse()

    async def mount_blob(
        self, repository: Repository, digest: Digest, origin: Repository | None
    ) -> bool:
        """Refuse."""
        self._refuse()

    async def begin_upload(self, repository: Repository, algorithm: str = "sha256") -> Upload:
        """Refuse."""
        self._refuse()

    async def find_upload(self, repository: Repository, upload_id: str) -> Upload | None:
        """Return None: there are no uploads."""
        del repository, upload_id
        return None

    async def expire_uploads(self, older_than: float) -> int:
        """Return 0: there are no uploads."""
        del older_than
        return 0

    async def remove_blob(self, repository: Repository, digest: Digest) -> bool:
        """Refuse."""
        self._refuse()

    async def remove_manifest(self, repository: Repository, digest: Digest) -> bool:
        """Refuse."""
        self._refuse()

    async def remove_tag(self, reference: Reference) -> bool:
        """Refuse."""
        self._refuse()
