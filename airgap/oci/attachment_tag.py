"""Tags that name what belongs to an image: cosign's scheme, and the OCI referrers tag. Pure.

cosign keeps what it attaches to ``sha256:HEX`` under ``sha256-HEX.sig``, ``.att`` and ``.sbom``
(sigstore/cosign, ``specs/SIGNATURE_SPEC.md``). Without suffix the tag stands in for the list of
referrers at registries without that API (distribution-spec v1.1, "Referrers Tag Schema").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from airgap.oci.digest import Digest

_TAG = re.compile(
    r"sha256-(?P<hex>[0-9a-f]{64})(?P<suffix>\.sig|\.att|\.sbom)?|sha512-[0-9a-f]{64}", re.ASCII
)
_KEPT = (".sig", ".att", ".sbom")


class AttachmentKind(StrEnum):
    """What such a tag says that it names."""

    SIGNATURE = "signature"
    ATTESTATION = "attestation"
    SBOM = "SBOM"
    REFERRERS = "list of referrers"


_KINDS = {
    ".sig": AttachmentKind.SIGNATURE,
    ".att": AttachmentKind.ATTESTATION,
    ".sbom": AttachmentKind.SBOM,
}


@dataclass(frozen=True, slots=True)
class AttachmentTag:
    """What a tag says: of which kind it is, and what it belongs to.

    Attributes:
        kind: what it names.
        subject: what that belongs to; None where the tag has room for half of the digest only.
    """

    kind: AttachmentKind
    subject: Digest | None

    def __str__(self) -> str:
        owner = f"image {self.subject.short}" if self.subject is not None else "an image"
        return f"the {self.kind} of {owner}"


def parse_attachment_tag(tag: str) -> AttachmentTag | None:
    """Read a tag, or return None where it is an ordinary one."""
    match = _TAG.fullmatch(tag)
    if match is None:
        return None
    kind = _KINDS.get(match["suffix"] or "", AttachmentKind.REFERRERS)
    return AttachmentTag(kind, Digest(f"sha256:{match['hex']}") if match["hex"] else None)


def cosign_tags(digest: Digest) -> tuple[str, ...]:
    """Return the tags under which cosign may keep something for a digest."""
    if digest.algorithm != "sha256":
        # A tag has room for no longer digest.
        return ()
    return tuple(f"sha256-{digest.hex}{suffix}" for suffix in _KEPT)


def signature_tag(digest: Digest) -> str:
    """Return the tag under which cosign keeps the signatures of a digest."""
    return f"{digest.algorithm}-{digest.hex}.sig"


def only_attachments(tags: Iterable[str]) -> frozenset[str]:
    """Return the tags of cosign's scheme; a list of referrers is no content of its own."""
    return frozenset(
        tag
        for tag in tags
        if (found := parse_attachment_tag(tag)) and found.kind is not AttachmentKind.REFERRERS
    )
