"""``manifest.json`` of a docker archive: reading it, writing it, and the manifest it stands for.

Until Docker 25 an archive holds no manifest that a registry knows: only configs, and layers as
plain tars. The manifest that is made for such an image here is a function of config and layers
alone, so it has the same digest wherever it is made. It is the OCI manifest that ``docker save``
itself makes for the image since Docker 25, byte for byte; the config's bytes, and with them the
image id, stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from airgap.archive.names import full_reference
from airgap.errors import ArchiveDamaged
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.json_object import JsonObject
from airgap.oci.manifest import Manifest, parse_manifest
from airgap.oci.reference import DEFAULT_TAG, Reference

FILE_NAME = "manifest.json"
MAX_SIZE = 16 * 1024 * 1024
"""Bytes read of a ``manifest.json``."""


@dataclass(frozen=True, slots=True)
class DockerEntry:
    """One image of a docker archive.

    Attributes:
        config: the member that holds the config.
        layers: the members that hold the layers, lowest first.
        names: the references that it has.
    """

    config: str
    layers: tuple[str, ...]
    names: tuple[Reference, ...]


def parse_docker_manifest(raw: bytes, what: str) -> tuple[DockerEntry, ...]:
    """Read a ``manifest.json`` of unknown origin.

    Raises:
        ArchiveDamaged: it is none, or a name in it is no reference.
    """
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ArchiveDamaged(what, f"is not JSON ({type(error).__name__})") from None
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ArchiveDamaged(what, "is not a list of images, as docker save writes it")
    return tuple(
        _entry(JsonObject(item, f"{what}: [{position}]")) for position, item in enumerate(value)
    )


def _entry(item: JsonObject) -> DockerEntry:
    return DockerEntry(
        config=_member(item.text("Config")),
        layers=tuple(_member(layer) for layer in item.texts("Layers")),
        names=tuple(_name(text, item.what) for text in item.texts("RepoTags")),
    )


def _member(name: str) -> str:
    return name.removeprefix("./")


def _name(text: str, what: str) -> Reference:
    # Unlike in index.json, a bare word is a repository here.
    name = full_reference(text if ":" in text.rpartition("/")[2] else f"{text}:{DEFAULT_TAG}")
    if name is None:
        raise ArchiveDamaged(what, f"{text[:80]!r} is not an image name")
    return name


def manifest_for(config: Descriptor, layers: Sequence[Descriptor]) -> Manifest:
    """Make the manifest of an image that has none: a function of its config and layers."""
    fields = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    return parse_manifest(_encode(fields), media_types.OCI_MANIFEST)


@dataclass(frozen=True, slots=True)
class LoadableImage:
    """An image that a loader of ``manifest.json`` can take: config and layers are all inside."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    names: tuple[Reference, ...]


def write_docker_manifest(images: Iterable[LoadableImage], *, folder: str = "blobs") -> bytes:
    """Return the ``manifest.json`` of an archive whose content is kept as OCI layouts keep it."""
    return _encode(list(_fields_of(images, folder)))


def _fields_of(images: Iterable[LoadableImage], folder: str) -> Iterator[dict[str, object]]:
    for image in images:
        yield {
            "Config": f"{folder}/{image.config.digest.algorithm}/{image.config.digest.hex}",
            "RepoTags": [_tagged(name) for name in image.names] or None,
            "Layers": [f"{folder}/{la.digest.algorithm}/{la.digest.hex}" for la in image.layers],
        }


def _tagged(name: Reference) -> str:
    return str(Reference(name.repository, name.tag))


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
