"""Manifests, indexes, descriptors and configs: read from anybody, kept byte for byte."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import ContentMismatch, Unsupported
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.image_config import MAX_CONFIG_SIZE, parse_image_config
from airgap.oci.json_object import JsonObject
from airgap.oci.manifest import MAX_MANIFEST_SIZE, Role, parse_manifest
from airgap.oci.platform import Platform
from tests.support import images

BLOB = Descriptor.of(b"blob", media_types.OCI_LAYER_GZIP)
CONFIG = Descriptor.of(b"{}", media_types.OCI_CONFIG)


def _raw(**fields: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, **fields}).encode()


@pytest.mark.parametrize("docker", [False, True])
def test_an_image_is_its_config_and_its_layers_in_order(*, docker: bool) -> None:
    """Config first, then layers, for both families of media types."""
    layers = [images.random_layer(1), images.random_layer(2)]
    manifest = images.image(layers, docker=docker).root
    assert [child.role for child in manifest.children()] == [Role.CONFIG, Role.LAYER, Role.LAYER]
    assert [child.descriptor.digest for child in manifest.children()][1:] == [
        layer.descriptor.digest for layer in layers
    ]
    assert manifest.is_image
    assert not manifest.is_index
    assert parse_manifest(manifest.raw, manifest.descriptor.media_type) == manifest


@pytest.mark.parametrize("docker", [False, True])
def test_an_index_names_manifests_with_their_platforms(*, docker: bool) -> None:
    """Both families again."""
    built = images.index(
        {"linux/amd64": images.image([]), "linux/arm64/v8": images.image([])}, docker=docker
    )
    assert built.root.is_index
    assert not built.root.is_image
    assert [child.role for child in built.root.children()] == [Role.MANIFEST, Role.MANIFEST]
    assert [str(entry.platform) for entry in built.root.manifests] == [
        "linux/amd64",
        "linux/arm64/v8",
    ]


def test_an_artifact_has_a_type_and_a_subject_that_is_no_child() -> None:
    """What a referrer refers to may be elsewhere; it is not carried because of it."""
    subject = images.image([]).root.descriptor
    manifest = images.artifact(b"sbom", subject=subject).root
    assert manifest.subject == subject
    assert subject not in [child.descriptor for child in manifest.children()]
    assert manifest.artifact_type == "application/vnd.example.sbom.v1"
    assert not manifest.is_image


def test_the_artifact_type_falls_back_to_the_configs_media_type() -> None:
    """As the distribution specification wants it for referrers."""
    config = Descriptor.of(b"{}", "application/vnd.cncf.helm.config.v1+json")
    raw = _raw(mediaType=media_types.OCI_MANIFEST, config=config.to_json(), layers=[])
    assert parse_manifest(raw).artifact_type == config.media_type


def test_every_byte_counts() -> None:
    """The digest is of the bytes as they came, white space and unknown fields included."""
    raw = (
        b' {"schemaVersion":2 ,"unknown":[1],\n"manifests":null,"config":%s}\n'
        % json.dumps(CONFIG.to_json()).encode()
    )
    manifest = parse_manifest(raw, media_types.OCI_MANIFEST, digest=Digest.of(raw))
    assert manifest.raw == raw
    assert manifest.descriptor == Descriptor.of(raw, media_types.OCI_MANIFEST)


def test_sha512_names_are_checked_as_sha512() -> None:
    """The digest that was asked for decides the algorithm."""
    raw = _raw(config=CONFIG.to_json(), layers=[])
    digest = Digest.of(raw, "sha512")
    assert parse_manifest(raw, digest=digest).descriptor.digest == digest


@pytest.mark.parametrize(
    "announced, own, kind",
    [
        (media_types.OCI_MANIFEST, None, media_types.OCI_MANIFEST),
        (media_types.OCI_MANIFEST + "; charset=utf-8", None, media_types.OCI_MANIFEST),
        (None, media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST),
        ("application/json", media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST),
        ("application/octet-stream", None, media_types.OCI_MANIFEST),
        ("", None, media_types.OCI_MANIFEST),
        (None, None, media_types.OCI_MANIFEST),
    ],
)
def test_the_media_type_is_the_documents_own_or_the_announced_one(
    announced: str | None, own: str | None, kind: str
) -> None:
    """Some servers and files know no better type than JSON; then the document's word counts."""
    fields = {"mediaType": own} if own else {}
    raw = _raw(config=CONFIG.to_json(), layers=[BLOB.to_json()], **fields)
    assert parse_manifest(raw, announced).descriptor.media_type == kind


_IMAGE_FIELDS: dict[str, Any] = {"config": CONFIG.to_json(), "layers": [BLOB.to_json()]}
_INDEX_FIELDS: dict[str, Any] = {"manifests": [CONFIG.to_json()]}


@pytest.mark.parametrize(
    "fields, announced",
    [
        ({**_IMAGE_FIELDS, **_INDEX_FIELDS}, None),
        (_IMAGE_FIELDS, media_types.OCI_INDEX),
        (_INDEX_FIELDS, media_types.OCI_MANIFEST),
        ({**_IMAGE_FIELDS, "mediaType": media_types.OCI_MANIFEST}, media_types.DOCKER_MANIFEST),
        ({"config": {"mediaType": "x", "digest": "sha256:short", "size": 1}}, None),
        ({"config": {"mediaType": "x", "digest": str(BLOB.digest), "size": -1}}, None),
        ({"config": {"mediaType": "x", "digest": str(BLOB.digest), "size": "1"}}, None),
        ({"config": {"mediaType": "x", "digest": str(BLOB.digest)}}, None),
        ({"config": {"digest": str(BLOB.digest), "size": 1}}, None),
        ({"config": []}, None),
        ({"layers": {}}, None),
        ({"layers": ["x"]}, None),
        ({"manifests": [None]}, None),
        ({**_IMAGE_FIELDS, "annotations": {"a": 1}}, None),
        ({**_IMAGE_FIELDS, "subject": "x"}, None),
    ],
)
def test_a_document_of_another_shape_is_refused(
    fields: dict[str, Any], announced: str | None
) -> None:
    """Two documents in one (CVE-2021-41190), types that disagree, fields of the wrong type."""
    with pytest.raises(ContentMismatch):
        parse_manifest(_raw(**fields), announced)


def test_bytes_with_another_digest_are_refused() -> None:
    """The digest is checked before anything is read."""
    with pytest.raises(ContentMismatch, match="hash to"):
        parse_manifest(b"not even json", digest=Digest.of(b"other"))


def test_a_manifest_over_4_mib_is_refused() -> None:
    """The bound that registries have."""
    with pytest.raises(ContentMismatch, match="are allowed"):
        parse_manifest(b" " * (MAX_MANIFEST_SIZE + 1))


@pytest.mark.parametrize("announced", [None, *sorted(media_types.DOCKER_SCHEMA1)])
def test_schema_1_is_named_for_what_it_is(announced: str | None) -> None:
    """It cannot be carried bit for bit, and the advice says what to do."""
    raw = json.dumps({"schemaVersion": 1, "fsLayers": [], "history": [{}]}).encode()
    with pytest.raises(Unsupported, match="schema 1"):
        parse_manifest(raw, announced)


def test_a_descriptor_survives_json_with_all_its_fields() -> None:
    """Platform, annotations, URLs and type travel; equality is about the content alone."""
    full = Descriptor(
        media_types.OCI_MANIFEST,
        Digest.of(b"x"),
        1,
        Platform.parse("linux/arm64/v8"),
        "application/x",
        {"a": "b"},
        ("https://example.com/x",),
    )
    read = Descriptor.from_json(JsonObject(full.to_json(), "descriptor"))
    assert read.to_json() == full.to_json()
    assert read == Descriptor(media_types.OCI_MANIFEST, Digest.of(b"x"), 1)


@given(st.binary(max_size=100), st.text(min_size=1, max_size=20))
def test_a_descriptor_describes_content(content: bytes, media_type: str) -> None:
    """Type, digest and size, and back."""
    descriptor = Descriptor.of(content, media_type)
    assert descriptor.size == len(content)
    assert Descriptor.from_json(JsonObject(descriptor.to_json(), "d")) == descriptor


@given(st.data())
def test_a_mutated_manifest_is_read_or_refused_in_our_words(data: st.DataObject) -> None:
    """Any byte changed, cut or added anywhere raises nothing but an error of ours."""
    layers = [images.random_layer(1, 16)]
    raw = bytearray(images.index({"linux/amd64": images.image(layers)}).root.raw)
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position : position + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(ContentMismatch, Unsupported):
        assert parse_manifest(bytes(raw), media_types.OCI_INDEX).raw == bytes(raw)


def test_a_config_tells_platform_layers_and_time() -> None:
    """What loaders and people ask of it."""
    layer = images.random_layer(1)
    built = images.image([layer], platform="linux/arm64/v8")
    config = parse_image_config(built.blobs[built.root.config.digest])  # type: ignore[union-attr] # an image has one
    assert str(config.platform) == "linux/arm64/v8"
    assert config.diff_ids == (layer.diff_id,)
    assert config.created == "2024-01-02T03:04:05Z"


def test_an_empty_config_is_a_config() -> None:
    """Artifacts have ``{}``."""
    config = parse_image_config(b"{}")
    assert config.diff_ids == ()
    assert str(config.platform) == "unknown/unknown"
    assert config.created is None


@pytest.mark.parametrize(
    "raw",
    [
        b'{"rootfs": {"diff_ids": ["sha256:short"]}}',
        b'{"rootfs": {"diff_ids": "x"}}',
        b'{"rootfs": []}',
        b'{"os": 1}',
        b'{"created": {}}',
        b" " * (MAX_CONFIG_SIZE + 1),
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_a_config_of_another_shape_is_refused(raw: bytes) -> None:
    """It comes from outside as everything does."""
    with pytest.raises(ContentMismatch):
        parse_image_config(raw)


@pytest.mark.parametrize(
    "media_type, tar, foreign",
    [
        (media_types.OCI_LAYER, True, False),
        (media_types.OCI_LAYER_GZIP, True, False),
        (media_types.OCI_LAYER_ZSTD, True, False),
        (media_types.DOCKER_LAYER_GZIP, True, False),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True, True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", True, True),
        ("application/vnd.oci.image.layer.v1.squashfs", False, False),
        ("application/vnd.example.data", False, False),
        ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", False, False),
    ],
)
def test_layers_are_told_apart_by_type(media_type: str, *, tar: bool, foreign: bool) -> None:
    """What docker can load, and what only the vendor may hand out."""
    assert media_types.is_tar_layer(media_type) is tar
    assert media_types.is_foreign_layer(media_type) is foreign
