"""What a place must do besides to be served as a registry (distribution-spec v1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

from airgap.content.ports import (
    HasReferrers,
    ListsRepositories,
    ListsTags,
    Source,
    Target,
)
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest
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

    async def publish_manifest(
        self, repository: Repository, manifest: Manifest, tags: Sequence[str] = ()
    ) -> None:
        """Take in a pushed manifest and let tags stand for it, all at once.

        Without tags it is kept under its digest, until a tag or another manifest of the repository
        leads to it: what is pushed by digest alone stays until it is deleted, and what an index or
        an image brings along goes with it.
        """
        ...

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


@runtime_checkable
class KeepsForPushes(Protocol):
    """A host that collects garbage, and can be told how far back unfinished pushes reach."""

    def push_claim(self) -> AbstractAsyncContextManager[PushClaim]:
        """Have a claim on content, and take over that of a server that is gone."""
        ...


class PushClaim(Protocol):
    """What keeps the content of unfinished pushes from being collected.

    Attributes:
        inherited: how far back the pushes of a server that is gone reach (seconds since 1970);
            None where there are none.
    """

    @property
    def inherited(self) -> float | None:
        """How far back the pushes of a server that is gone reach, in seconds since 1970."""
        ...

    async def reach_back_to(self, began: float | None) -> None:
        """Keep what was put or relied on since then; None lets go.

        It must be said again at least every ten minutes, and stands for an hour after the last
        time where the process ends without letting go.
        """
        ...
