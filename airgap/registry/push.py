"""Writing to a registry: blobs that move once, manifests byte for byte, names last."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from airgap.content.parallel import for_each
from airgap.content.ports import OnBytes, OpenBlob, TagMove
from airgap.errors import (
    AccessDenied,
    AirgapError,
    ContentMismatch,
    NotFound,
    RateLimited,
    RegistryFault,
)
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest
from airgap.oci.reference import Reference, Repository
from airgap.registry import pull, referrers, scopes
from airgap.registry.blob_feed import BlobFeed
from airgap.registry.exchange import Call, Host
from airgap.registry.manifest_cache import ManifestCache
from airgap.registry.uploads import DONE, Session, Upload, UploadHabits, session_of
from airgap.registry.whereabouts import Whereabouts


class Pusher:
    """Everything that is written to one registry."""

    def __init__(self, host: Host, cache: ManifestCache) -> None:
        self._host = host
        self._cache = cache
        self._blobs = Whereabouts(host.clock)
        self._habits = UploadHabits(host.settings.chunk_size)
        self._fallbacks = referrers.FallbackTags(host, cache)

    async def find(self, reference: Reference) -> Descriptor | None:
        """Return what a name stands for now, or None where there is nothing to be seen."""
        try:
            return await pull.resolve([self._host], reference, self._cache)
        except NotFound:
            return None
        except AccessDenied as error:
            # GitLab says 401 of an empty repository, others "denied" of one that does not exist.
            self._host.note("info", f"{error.cause}; taking {reference} for absent")
            return None

    async def holds_manifest(self, repository: Repository, digest: Digest) -> bool:
        """Tell whether a manifest is there."""
        return await self.find(Reference(repository, digest=digest)) is not None

    def saw(self, repository: Repository, digest: Digest) -> None:
        """Remember that a blob is in a repository, to mount it from there."""
        self._blobs.saw(repository, digest)

    async def missing(
        self, repository: Repository, blobs: Sequence[Descriptor]
    ) -> frozenset[Digest]:
        """Return the digests that the repository lacks; each unknown one costs a HEAD."""
        lacking: set[Digest] = set()

        async def look(digest: Digest) -> None:
            if not await self._has_blob(repository, digest):
                lacking.add(digest)

        unique = dict.fromkeys(blob.digest for blob in blobs)
        await for_each(unique, look, concurrency=self._host.settings.concurrency)
        for digest in lacking:
            self._blobs.missed(repository, digest)
        return frozenset(lacking)

    async def _has_blob(self, repository: Repository, digest: Digest) -> bool:
        if self._blobs.has(repository, digest):
            return True
        call = Call(
            "HEAD",
            self._host.endpoint.of(repository, "blobs", digest),
            f"{repository}@{digest}",
            scopes=self._scopes(repository),
        )
        try:
            await self._host.call(call)
        except (NotFound, AccessDenied):
            # Whoever may not look may still be allowed to push; that request will tell.
            return False
        self._blobs.saw(repository, digest)
        return True

    async def put_blob(
        self, repository: Repository, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> None:
        """Bring one blob into one repository, by the cheapest way there is.

        Raises:
            ContentMismatch: the source's bytes are not what the descriptor says.
            AirgapError: the registry refuses, or failed for good.
        """
        digest = descriptor.digest
        async with self._blobs.turn(digest):
            if await self._is_there(repository, digest):
                on_bytes(descriptor.size)
            else:
                await self._bring(repository, descriptor, open_at, on_bytes)
            self._blobs.saw(repository, digest)

    async def _is_there(self, repository: Repository, digest: Digest) -> bool:
        if self._blobs.lacks(repository, digest):
            return False
        return await self._has_blob(repository, digest)

    async def _bring(
        self, repository: Repository, descriptor: Descriptor, open_at: OpenBlob, on_bytes: OnBytes
    ) -> None:
        session: Session | None = None
        origin = self._blobs.origin_of(repository, descriptor.digest)
        if origin is not None:
            mounted, session = await self._mount(repository, descriptor.digest, origin)
            if mounted:
                on_bytes(descriptor.size)
                return
        begin = Call(
            "POST",
            self._host.endpoint.of(repository, "blobs/uploads"),
            f"{repository}@{descriptor.digest}",
            scopes=self._scopes(repository),
            body=b"",
            accepted=DONE,
        )
        async with BlobFeed(open_at, descriptor, on_bytes) as feed:
            await Upload(self._host, self._habits, begin, descriptor, feed).run(session)

    async def _mount(
        self, repository: Repository, digest: Digest, origin: Repository
    ) -> tuple[bool, Session | None]:
        """Ask to take a blob over from another repository; a refusal is no failure."""
        path = self._host.endpoint.path(origin)
        url = self._host.endpoint.of(repository, "blobs/uploads")
        call = Call(
            "POST",
            url.with_query({"mount": str(digest), "from": path}),
            f"{repository}@{digest}",
            scopes=(*self._scopes(repository), scopes.pull(path)),
            body=b"",
            accepted=DONE,
        )
        try:
            answer = await self._host.call(call)
        except RateLimited:
            raise
        except (AccessDenied, NotFound, RegistryFault) as error:
            self._host.note("debug", f"does not mount {digest.short} from {path}: {error.cause}")
            return False, None
        if answer.status == HTTPStatus.CREATED:
            self._host.note("debug", f"mounted {digest.short} from {path} into {repository.path}")
            return True, None
        return False, session_of(answer, self._host)

    async def put_manifest(self, repository: Repository, manifest: Manifest) -> None:
        """Take in one manifest under its digest, and let its subject know of it."""
        descriptor = manifest.descriptor
        reference = Reference(repository, digest=descriptor.digest)
        subject_known = await self._put(reference, descriptor, manifest.raw)
        self._cache.put(repository, descriptor, manifest.raw)
        if manifest.subject is not None and not subject_known:
            await self._fallbacks.add(repository, manifest, self._put)

    async def move_tags(self, moves: Sequence[TagMove]) -> dict[Reference, AirgapError]:
        """Put each manifest again under its tag; return why some names did not move."""
        failures: dict[Reference, AirgapError] = {}

        async def move_one(move: TagMove) -> None:
            try:
                await self._move(move)
            except AirgapError as error:
                failures[move.reference] = error

        named = [move for move in moves if move.reference.tag is not None]
        await for_each(named, move_one, concurrency=self._host.settings.concurrency)
        return failures

    async def _move(self, move: TagMove) -> None:
        repository = move.reference.repository
        raw = await pull.read_manifest([self._host], repository, move.descriptor, self._cache)
        named = Reference(repository, tag=move.reference.tag)
        await self._put(named, move.descriptor, raw)

    async def _put(self, reference: Reference, descriptor: Descriptor, raw: bytes) -> bool:
        """Put a manifest; tell whether the registry has taken note of its subject."""
        call = Call(
            "PUT",
            self._host.endpoint.of(reference.repository, "manifests", reference.name),
            str(reference),
            scopes=self._scopes(reference.repository),
            headers={"Content-Type": descriptor.media_type},
            body=raw,
            accepted=DONE,
        )
        try:
            answer = await self._host.call(call)
        except (RegistryFault, NotFound) as error:
            raise _explained(error, descriptor) from None
        named = answer.headers.get("Docker-Content-Digest")
        if (
            named
            and named.startswith(f"{descriptor.digest.algorithm}:")
            and (named != descriptor.digest)
        ):
            raise ContentMismatch(
                str(reference), f"{self._host.name}: stored the manifest as {named[:80]}"
            )
        return "OCI-Subject" in answer.headers

    def _scopes(self, repository: Repository) -> scopes.Scopes:
        return (scopes.push(self._host.endpoint.path(repository)),)


def _explained(error: AirgapError, descriptor: Descriptor) -> AirgapError:
    """Add what a person can do where a registry wants an index's every entry to be there."""
    if descriptor.media_type in media_types.INDEXES and "MANIFEST" in error.cause:
        error.hint = (
            "this registry takes an index only with all that it names: "
            "carry all platforms, or have the index rewritten for those that are carried"
        )
    return error
