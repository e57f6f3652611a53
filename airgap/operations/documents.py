"""Reports as JSON documents, for machines that read ``--json``.

The shape is stable: keys are added, never renamed. Sizes are bytes, times are seconds.
"""

from __future__ import annotations

from typing import Any

from airgap.content.attachments import Attachment
from airgap.content.plan import CopyPlan
from airgap.content.report import CopyReport, ImageResult
from airgap.errors import AirgapError
from airgap.oci.descriptor import Descriptor
from airgap.usecases.audit import AuditReport

Document = dict[str, Any]


def error_document(error: AirgapError) -> Document:
    """Return an error: its class, exit code, and the three parts of its message."""
    return {
        "kind": type(error).__name__,
        "exit_code": error.exit_code,
        "thing": error.thing,
        "cause": error.cause,
        "hint": error.hint,
    }


def image_document(image: ImageResult) -> Document:
    """Return the fate of one image."""
    return {
        "source": str(image.source),
        "target": str(image.target),
        "outcome": str(image.outcome),
        "digest": image.descriptor.digest if image.descriptor else None,
        "previous": image.previous,
        "size": image.size,
        "omitted": [omitted_document(descriptor) for descriptor in image.omitted],
        "attached": [attachment_document(attachment) for attachment in image.attached],
        "error": error_document(image.error) if image.error else None,
    }


def attachment_document(attachment: Attachment) -> Document:
    """Return something that was carried along with an image: a signature, an SBOM."""
    return {
        "kind": attachment.kind,
        "digest": attachment.descriptor.digest,
        "tag": attachment.tag,
    }


def omitted_document(descriptor: Descriptor) -> Document:
    """Return a piece of content that an image names and that did not travel."""
    return {
        "digest": descriptor.digest,
        "platform": str(descriptor.platform) if descriptor.platform else None,
        "size": descriptor.size,
    }


def copy_document(report: CopyReport) -> Document:
    """Return how a copy went."""
    traffic = report.traffic
    return {
        "images": [image_document(image) for image in report.images],
        "blobs_copied": traffic.blobs_copied,
        "bytes_copied": traffic.bytes_copied,
        "blobs_reused": traffic.blobs_reused,
        "bytes_reused": traffic.bytes_reused,
    }


def audit_document(report: AuditReport) -> Document:
    """Return what an audit found."""
    return {
        "checked": len(report.names),
        "differences": [
            {
                "reference": str(name.reference),
                "finding": str(name.finding),
                "expected": name.expected,
                "actual": name.actual,
            }
            for name in report.differences
        ],
    }


def plan_document(plan: CopyPlan) -> Document:
    """Return what a copy would carry."""
    return {
        "references": [
            {"reference": str(root.reference), "digest": root.descriptor.digest}
            for root in plan.roots
        ],
        "items": len(plan.items),
        "bytes": plan.size,
        "omitted": [omitted_document(descriptor) for descriptor in plan.omitted],
    }
