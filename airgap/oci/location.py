"""Where images come from and go to, as people write it: ``oci:DIR:TAG``, ``docker://HOST/NAME``.

The names are those of ``containers-transports(5)``, which skopeo, podman and buildah share. A plain
reference without any of them is a name in the local store.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airgap.errors import InvalidReference, Unsupported
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference

STANDARD_STREAM = "-"
"""The path that stands for standard input or output."""


class Transport(StrEnum):
    """The kinds of places, by the text before the first colon."""

    STORE = ""
    REGISTRY = "docker"
    ENGINE = "docker-daemon"
    LAYOUT = "oci"
    OCI_ARCHIVE = "oci-archive"
    DOCKER_ARCHIVE = "docker-archive"
    DIR = "dir"


_FILES = {Transport.LAYOUT, Transport.OCI_ARCHIVE, Transport.DOCKER_ARCHIVE, Transport.DIR}
_UNSUPPORTED = {
    "containers-storage": "copy out of it with `skopeo copy containers-storage:NAME oci:DIR:TAG`",
    "ostree": "copy out of it with `skopeo copy ostree:NAME oci:DIR:TAG`",
    "sif": "a SIF file holds a file system, not an OCI image",
    "tarball": "make an image of it with `airgap commit --add`",
    "atomic": "name the registry behind it: docker://HOST/NAME",
    "docker-tarfile": "write docker-archive:FILE",
}


@dataclass(frozen=True, slots=True)
class Location:
    """One place, or one image in it.

    Attributes:
        transport: the kind of place.
        path: file or folder, as written; empty where the place is neither. ``-`` is the standard
            stream.
        label: what selects an image within an archive or layout: a reference, any other text of
            ``index.json``, or ``@`` and a position; None where nothing selects.
        reference: the image in a store, a registry or an engine; in an archive, what ``label`` is
            where it is a full reference. None where there is no such name.
        image_id: the image in an engine, where it is named by its id.
    """

    transport: Transport
    path: str = ""
    label: str | None = None
    reference: Reference | None = None
    image_id: Digest | None = None

    def __str__(self) -> str:
        match self.transport:
            case Transport.STORE:
                return str(self.reference)
            case Transport.REGISTRY:
                return f"docker://{self.reference}"
            case Transport.ENGINE:
                return f"docker-daemon:{self.image_id or self.reference or ''}"
            case _:
                label = f":{self.label}" if self.label is not None else ""
                return f"{self.transport}:{self.path}{label}"


def parse_location(text: str) -> Location:
    """Read a place, or an image in a place.

    ``docker:24`` is the reference of an image that happens to be called docker; the registry
    transport has its two slashes.

    Raises:
        InvalidReference: a name in it is not a reference, or a path is missing.
        Unsupported: the place is of a kind that skopeo knows and we do not carry.
    """
    prefix, colon, rest = text.partition(":")
    if colon and prefix in _UNSUPPORTED:
        raise Unsupported(text, f"{prefix}: is not a place we read or write", _UNSUPPORTED[prefix])
    if prefix == Transport.REGISTRY and rest.startswith("//"):
        return _named(Transport.REGISTRY, rest.removeprefix("//"), text)
    if colon and prefix == Transport.ENGINE:
        return _engine(rest, text)
    if colon and prefix == Transport.DIR:
        return Location(Transport.DIR, _path(rest, text))
    if colon and prefix in _FILES:
        return _file(Transport(prefix), rest, text)
    return _named(Transport.STORE, text, text)


def _named(transport: Transport, name: str, text: str) -> Location:
    if not name:
        raise InvalidReference(repr(text), "names no image", "write an image name after it")
    return Location(transport, reference=Reference.parse(name).tagged())


def _engine(rest: str, text: str) -> Location:
    if not rest:
        # The engine as a whole: a target for images that keep their names.
        return Location(Transport.ENGINE)
    if rest.startswith(("sha256:", "sha512:")):
        return Location(Transport.ENGINE, image_id=Digest(rest))
    return _named(Transport.ENGINE, rest, text)


def _file(transport: Transport, rest: str, text: str) -> Location:
    path, colon, label = rest.partition(":")
    path = _path(path, text)
    if not colon:
        return Location(transport, path)
    if not label or not label.isprintable():
        raise InvalidReference(repr(text), "has a colon at its end, but no name after it")
    if transport is Transport.DOCKER_ARCHIVE and not label.startswith("@"):
        return Location(transport, path, label, Reference.parse(label).tagged())
    return Location(transport, path, label, _full_reference(label))


def _full_reference(label: str) -> Reference | None:
    # A bare word in a layout is a tag or anything else; it says no repository.
    if not any(separator in label for separator in "/:"):
        return None
    try:
        return Reference.parse(label).tagged()
    except InvalidReference:
        return None


def _path(path: str, text: str) -> str:
    if not path or "\0" in path:
        raise InvalidReference(repr(text), "names no file or folder", "write a path after it")
    return path
