"""Descriptors (OCI image-spec, ``descriptor.md``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from airgap.errors import ContentMismatch, InvalidReference
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject
from airgap.oci.platform import Platform


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a piece of content is, by type, digest and size (bytes).

    Two descriptors are equal when type, digest and size are; what else a parent says about a child
    (platform, annotations) does not make it other content.
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = field(default=None, compare=False)
    artifact_type: str | None = field(default=None, compare=False)
    annotations: Mapping[str, str] = field(default_factory=dict, compare=False)
    urls: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """Read a descriptor of unknown origin.

        Raises:
            ContentMismatch: a field is missing, of the wrong type, or not a digest.
        """
        try:
            digest = Digest(value.text("digest"))
        except InvalidReference as error:
            raise ContentMismatch(value.what, f"{error}") from None
        return cls(
            media_type=value.text("mediaType"),
            digest=digest,
            size=value.integer("size"),
            platform=Platform.from_json(value.object("platform")) if "platform" in value else None,
            artifact_type=value.optional_text("artifactType"),
            annotations=value.mapping("annotations"),
            urls=value.texts("urls"),
        )

    @classmethod
    def of(cls, content: bytes, media_type: str) -> Self:
        """Describe content that is in memory."""
        return cls(media_type, Digest.of(content), len(content))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object, empty fields left out."""
        fields: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.urls:
            fields["urls"] = list(self.urls)
        if self.annotations:
            fields["annotations"] = dict(self.annotations)
        if self.platform is not None:
            fields["platform"] = self.platform.to_json()
        if self.artifact_type:
            fields["artifactType"] = self.artifact_type
        return fields
