"""What an import has found out, piece by piece, as JSON has it: for the report that is left. Pure.

The shape is stable: keys are added, never renamed. Sizes are bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from airgap.bundle.format import BundleManifest
from airgap.bundle.journal import Evidence, GoneName, content_of
from airgap.bundle.signatures import SignatureVerdict
from airgap.bundle.statements import ContentSum
from airgap.content.report import CopyReport, ImageResult, Outcome
from airgap.oci.digest import Digest
from airgap.usecases.audit import AuditReport


def of_bundle(manifest: BundleManifest, digest: Digest, verdict: SignatureVerdict) -> Evidence:
    """Return what a bundle is, and who signed it."""
    base = manifest.base
    content = ContentSum.of(content_of(manifest))
    return {
        "bundle": {
            "id": manifest.id,
            "digest": digest,
            "channel": manifest.channel,
            "sequence": manifest.sequence,
            "kind": manifest.kind.value,
            "created": manifest.created.isoformat(),
            "tool": manifest.tool,
            "base": None
            if base is None
            else {"sequence": base.sequence, "id": base.id, "pieces": len(base.digests)},
            "pieces": len(manifest.blobs),
            "bytes": manifest.size,
            "content": {"count": content.count, "sha256": content.sha256},
            "names": {"count": len(manifest.present), "sha256": _names_sum(manifest)},
        },
        "signatures": {
            "required": verdict.policy.threshold if verdict.is_checked else 0,
            "trusted": [{"id": key.id, "name": key.name} for key in verdict.policy.trusted],
            "valid": [{"id": key.id, "name": key.name} for key in verdict.valid],
            "unknown": list(verdict.unknown),
        },
        "checks": [],
    }


def _names_sum(manifest: BundleManifest) -> str:
    """Return a SHA-256 (hex) over the sorted names, each with its digest and a line feed."""
    lines = sorted(f"{named.reference} {named.descriptor.digest}\n" for named in manifest.present)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def of_checks(so_far: Evidence, verdict: SignatureVerdict, manifest: BundleManifest) -> Evidence:
    """Add what was checked before anything was taken in, in words."""
    if verdict.is_checked:
        signers = ", ".join(str(key) for key in verdict.valid)
        signed = (
            f"bundle.json is signed by {len(verdict.valid)} of {len(verdict.policy.trusted)} "
            f"trusted keys ({signers}), {verdict.policy.threshold} required"
        )
    else:
        signed = "signatures were not checked: no keys are trusted here"
    checks = [signed]
    if manifest.channel is not None:
        checks.append(
            f"bundle {manifest.sequence} comes after all bundles of channel {manifest.channel} "
            "that were taken in before, and is of the same history"
        )
    if manifest.base is not None:
        checks.append(
            f"all {len(manifest.base.digests)} pieces of content that it relies on were here"
        )
    checks.append("every image is complete: what its manifests name is inside or was here")
    return {**so_far, "checks": checks}


def of_content(so_far: Evidence, copied: CopyReport) -> Evidence:
    """Add what was taken in, and what each name stood for before."""
    traffic = copied.traffic
    return {
        **so_far,
        "checks": [
            *so_far["checks"],
            f"{traffic.blobs_copied} blobs were hashed while they were taken in, and all fit",
        ],
        "content": _traffic(copied),
        "names": [_name(image) for image in copied.images],
    }


def of_removals(
    so_far: Evidence, gone: Sequence[GoneName], removed: Sequence[GoneName]
) -> Evidence:
    """Add the names that the sender has taken out, and what was done about them."""
    return {
        **so_far,
        "removals": [
            {
                "name": name.name,
                "digest": name.digest,
                "removed": name in removed,
                "because": name.kept_because
                or (
                    "the sender removed it" if name in removed else "removals are not applied here"
                ),
            }
            for name in gone
        ],
    }


def of_push(so_far: Evidence, destination: str, copied: CopyReport) -> Evidence:
    """Add what was pushed, and which names moved at the registry."""
    return {
        **so_far,
        "push": {
            "to": destination,
            **_traffic(copied),
            "names": [
                {
                    **_name(image),
                    "name": str(image.target),
                    "error": str(image.error) if image.error is not None else None,
                }
                for image in copied.images
            ],
        },
    }


def of_audit(so_far: Evidence, audit: AuditReport) -> Evidence:
    """Add what the registry says of every name when it is asked again."""
    names = [
        {
            "name": str(name.reference),
            "expected": name.expected,
            "actual": name.actual,
            "finding": name.finding.value,
        }
        for name in audit.names
    ]
    counts = dict.fromkeys(("present", "missing", "changed"), 0)
    for name in audit.names:
        counts[name.finding.value] += 1
    return {**so_far, "audit": {**counts, "names": names}}


def _traffic(copied: CopyReport) -> dict[str, Any]:
    traffic = copied.traffic
    return {
        "blobs_copied": traffic.blobs_copied,
        "bytes_copied": traffic.bytes_copied,
        "blobs_reused": traffic.blobs_reused,
        "bytes_reused": traffic.bytes_reused,
    }


def _name(image: ImageResult) -> dict[str, Any]:
    return {
        "name": str(image.source),
        "change": _change(image),
        "digest": image.descriptor.digest if image.descriptor is not None else None,
        "previous": image.previous,
    }


def _change(image: ImageResult) -> str:
    if image.outcome is Outcome.FAILED:
        return "failed"
    if image.outcome is Outcome.SKIPPED:
        return "skipped"
    if image.outcome is Outcome.UNCHANGED:
        return "same"
    return "new" if image.previous is None else "moved"
