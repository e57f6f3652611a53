"""What a place must do besides to be served as a registry (distribution-spec v1.1)."""

from __future__ import annotations

from typing import Protocol

from airgap.content.ports import (
    HasReferrers,
    ListsRepositories,
    ListsTags,
    Source,
    Target,
)
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference, Repository


class Upload(Protocol):
    """A blob on its way in, which survives the process that began it.

    Once it is over (:meth:`commit`, also one that failed, or :meth:`discard`), ``close`` and
    ``discard`` do nothing.

    Attributes:
        id: an opaque name of URL-safe characters.
        size: bytes taken so far.
    """

    @property
    def id(self) -> str:
        """An opaque name of URL-safe characters."""
        ...

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        ...

    async def write(self, data: bytes) -> None:
        """Append bytes; they may reach the disk later, but in order."""
        ...

    async def commit(self, digest: Digest) -> Descriptor:
        """Verify and publish the blob in its repository; the upload is over.

        Raises:
            ContentMismatch: the bytes have another digest; they are thrown away.
        """
        ...

    async def close(self) -> None:
        """Let go of the upload in this process; it can be found again and goes on."""
        ...

    async def discard(self) -> None:
        """Throw the bytes away; the upload is over."""
        ...


class Hosting(Source, Target, ListsTags, ListsRepositories, HasReferrers, Protocol):
    """A place with repositories that each have their own blobs, manifests and tags.

    Bytes are stored once; that a blob belongs to a repository is a separate fact. What is not in
    the repository is not there, even where another repository has it. Only ``resolve``,
    ``read_manifest`` and ``open_blob`` may find content by digest wherever it is: a server asks
    ``find`` or ``blob_size`` first.
    """

    async def blob_size(self, repository: Repository, digest: Digest) -> int | None:
        """Return the size of a blob that belongs to the repository, else None."""
        ...

    async def mount_blob(
        self, repository: Repository, digest: Digest, origin: Repository | None
    ) -> bool:
        """Let a blob of ``origin`` (or, where None, of any repository) belong here too."""
        ...

    async def begin_upload(self, repository: Repository, algorithm: str = "sha256") -> Upload:
        """Begin an upload; ``algorithm`` is that of the digest it will likely be committed with."""
        ...

    async def find_upload(self, repository: Repository, upload_id: str) -> Upload | None:
        """Return an upload that was begun and is not over, also by an earlier process."""
        ...

    async def expire_uploads(self, older_than: float) -> int:
        """Discard uploads that have taken no bytes for ``older_than`` seconds; return how many.

        Uploads of earlier processes count; one that is open in a process now does not.
        """
        ...

    async def remove_blob(self, repository: Repository, digest: Digest) -> bool:
        """Take a blob out of the repository; False where it was not there."""
        ...

    async def remove_manifest(self, repository: Repository, digest: Digest) -> bool:
        """Take a manifest and its tags out of the repository; False where it was not there."""
        ...

    async def remove_tag(self, reference: Reference) -> bool:
        """Remove one tag; False where it was not there."""
        ...
