"""How archives name images: annotations of ``index.json``, and what a person asks for.

``io.containerd.image.name`` holds a fully normalised reference (containerd, Docker since 25);
``org.opencontainers.image.ref.name`` (OCI image-spec, ``annotations.md``) holds a tag, a reference,
or any other text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airgap.errors import InvalidReference
from airgap.oci.descriptor import Descriptor
from airgap.oci.reference import Reference, Repository

REF_NAME = "org.opencontainers.image.ref.name"
IMAGE_NAME = "io.containerd.image.name"


@dataclass(frozen=True, slots=True)
class ArchiveImage:
    """One image (or index, or artifact) of an archive.

    Attributes:
        descriptor: its manifest.
        names: the references that it has in the archive; none where it is untagged.
        labels: the texts that ``oci:DIR:TEXT`` may select it by; a bare tag often.
    """

    descriptor: Descriptor
    names: tuple[Reference, ...] = ()
    labels: tuple[str, ...] = ()

    def reference(self, repository: Repository) -> Reference:
        """Return a reference that finds the image: its first name, else its digest.

        Args:
            repository: what stands before the digest of an image without a name.
        """
        return self.names[0] if self.names else Reference(repository, digest=self.descriptor.digest)


def full_reference(text: str) -> Reference | None:
    """Read a name that says its repository; a bare word says a tag or nothing, so it is None."""
    if not any(separator in text for separator in "/:@"):
        return None
    try:
        return Reference.parse(text).tagged()
    except InvalidReference:
        return None


def names_in(annotations: Mapping[str, str]) -> tuple[Reference | None, str | None]:
    """Return the reference and the label that an entry of ``index.json`` carries."""
    label = annotations.get(REF_NAME) or None
    name = full_reference(annotations.get(IMAGE_NAME, ""))
    if name is None and label is not None:
        name = full_reference(label)
    return name, label


def annotations_for(reference: Reference, label: str | None = None) -> dict[str, str]:
    """Return the annotations by which every loader finds an image.

    Args:
        reference: a digest alone stands for an untagged image, and gives no name.
        label: what skopeo and umoci shall find it by instead of the full reference.
    """
    annotations: dict[str, str] = {}
    if reference.tag is not None:
        name = str(Reference(reference.repository, reference.tag))
        annotations[IMAGE_NAME] = name
        annotations[REF_NAME] = name
    if label is not None:
        annotations[REF_NAME] = label
    return annotations
