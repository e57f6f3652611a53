"""Whether an image has the signature that its policy wants, found where cosign puts it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from airgap.content.ports import HasReferrers, Source, capability
from airgap.content.walk import read_verified
from airgap.errors import ContentMismatch, NotFound, NotPermitted, Refused
from airgap.oci import media_types
from airgap.oci.attachment_tag import signature_tag
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference, Repository
from airgap.usecases.created import read_small_blob
from airgap.verification.cosign import (
    BUNDLE_PREFIX,
    MAX_DOCUMENT,
    SIGNATURE_ANNOTATION,
    SIGNATURE_ARTIFACT,
    SIMPLE_SIGNING,
    Verdict,
    judge_bundle,
    judge_payload,
)
from airgap.verification.keys import VerificationKey, read_public_keys

_MAX_KEY_FILE = 1024 * 1024
_MOST_SIGNATURES = 100
"""Signatures of one image that are looked at, so that a hostile one costs no more."""


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """Whose signature an image must have: that of any of the keys."""

    keys: tuple[VerificationKey, ...]

    @classmethod
    async def of_files(cls, paths: Sequence[Path]) -> SignaturePolicy:
        """Read the keys.

        Raises:
            ConfigError: a file has no public key that can be used.
            NotFound: there is no such file.
            NotPermitted: a file may not be read.
        """
        keys = [key for path in paths for key in await asyncio.to_thread(_read_keys, path)]
        return cls(tuple(keys))

    @property
    def names(self) -> str:
        """The keys, as a person named them."""
        return ", ".join(dict.fromkeys(key.name for key in self.keys))


async def require_signature(
    policy: SignaturePolicy, places: Sequence[Source], reference: Reference, image: Descriptor
) -> None:
    """Let an image pass that has a good signature at one of the places; the first goes first.

    Raises:
        Refused: it has none, and what the ones are that it has.
    """
    seen: Counter[Verdict] = Counter()
    for place in places:
        seen.clear()
        async for verdict in _verdicts(policy, place, reference.repository, image.digest):
            if verdict is Verdict.GOOD:
                return
            seen[verdict] += 1
    raise Refused(
        str(reference),
        _reason(policy, image.digest, seen),
        "it was not taken; ask its publisher, or change `verify` of the mirror entry",
    )


def _reason(policy: SignaturePolicy, image: Digest, seen: Counter[Verdict]) -> str:
    if not seen:
        return f"{image} has no signature, and must have one by {policy.names}"
    listed = ", ".join(f"{count} {verdict}" for verdict, count in sorted(seen.items()))
    return f"no signature of {image} is good for {policy.names}: {listed}"


async def _verdicts(
    policy: SignaturePolicy, place: Source, repository: Repository, image: Digest
) -> AsyncIterator[Verdict]:
    left = _MOST_SIGNATURES
    async for descriptor in _signatures(place, repository, image):
        try:
            manifest = await read_verified(place, repository, descriptor, sized=False)
        except (ContentMismatch, NotFound):
            yield Verdict.MALFORMED
            continue
        # The newest stands last.
        layers = [*islice(reversed(manifest.layers), left)]
        left -= len(layers)
        for layer in layers:
            yield await _verdict(policy, place, repository, layer, image)


async def _signatures(
    place: Source, repository: Repository, image: Digest
) -> AsyncIterator[Descriptor]:
    """Yield the manifests that may hold signatures of an image."""
    tagged = await _tagged_signatures(place, repository, image)
    if tagged is not None:
        yield tagged
    referring = capability(place, HasReferrers)
    if referring is None:
        return
    for descriptor in await referring.referrers(repository, image):
        kind = descriptor.artifact_type or ""
        is_signature = kind == SIGNATURE_ARTIFACT or kind.startswith(BUNDLE_PREFIX)
        if is_signature and descriptor.media_type in media_types.IMAGE_MANIFESTS:
            yield descriptor


async def _tagged_signatures(
    place: Source, repository: Repository, image: Digest
) -> Descriptor | None:
    if image.algorithm != "sha256":
        return None
    try:
        return await place.resolve(Reference(repository, signature_tag(image)))
    except NotFound:
        return None


async def _verdict(
    policy: SignaturePolicy,
    place: Source,
    repository: Repository,
    layer: Descriptor,
    image: Digest,
) -> Verdict:
    signature = layer.annotations.get(SIGNATURE_ANNOTATION, "")
    is_payload = layer.media_type == SIMPLE_SIGNING and signature
    is_bundle = layer.media_type.startswith(BUNDLE_PREFIX)
    if not (is_payload or is_bundle) or layer.size > MAX_DOCUMENT:
        return Verdict.MALFORMED
    try:
        content = await read_small_blob(place, repository, layer)
    except (ContentMismatch, NotFound):
        return Verdict.MALFORMED
    if is_bundle:
        return judge_bundle(content, image, policy.keys)
    return judge_payload(content, signature, image, policy.keys)


def _read_keys(path: Path) -> tuple[VerificationKey, ...]:
    try:
        with path.open("rb") as file:
            return read_public_keys(file.read(_MAX_KEY_FILE), str(path))
    except FileNotFoundError:
        raise NotFound(str(path), "there is no such key file") from None
    except OSError as error:
        raise NotPermitted(str(path), f"the key cannot be read: {error.strerror}") from None
