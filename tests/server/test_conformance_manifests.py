"""The conformance suite's manifest tests (distribution-spec, ``conformance/run.go``).

Case for case, under the suite's own names; each data set is pushed, listed, pulled and deleted.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from airgap.oci import media_types
from airgap.oci.digest import Digest
from tests.server.api import Api

REPO = "conformance/repo1"
EXAMPLE_1 = "application/vnd.example.oci.conformance.v1"
EXAMPLE_2 = "application/vnd.example.oci.conformance.v2"
OCTETS = "application/octet-stream"

Fields = dict[str, Any]


@dataclass
class DataSet:
    """What one case pushes (manifests children first), and the referrers to expect."""

    algorithm: str = "sha256"
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    manifests: dict[Digest, bytes] = field(default_factory=dict)
    tags: dict[str, Digest] = field(default_factory=dict)
    referrers: dict[str, list[Fields]] = field(default_factory=dict)

    def blob(self, content: bytes, media_type: str, **more: Any) -> Fields:
        """Add a blob and describe it."""
        digest = Digest.of(content, self.algorithm)
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}

    def manifest(self, tag: str = "", **fields: Any) -> Fields:
        """Add a manifest or an index and describe it."""
        raw = json.dumps({"schemaVersion": 2, **fields}).encode()
        digest = Digest.of(raw, self.algorithm)
        self.manifests[digest] = raw
        described = {"mediaType": fields["mediaType"], "digest": digest, "size": len(raw)}
        if tag:
            self.tags[tag] = digest
        if "subject" in fields:
            kind = fields.get("artifactType") or fields.get("config", {}).get("mediaType")
            entry = described | ({"artifactType": kind} if kind else {})
            if "annotations" in fields:
                entry["annotations"] = fields["annotations"]
            self.referrers.setdefault(fields["subject"]["digest"], []).append(entry)
        return described

    def image(
        self,
        tag: str = "",
        *,
        seed: str = "",
        layers: Sequence[Fields] | None = None,
        config: Fields | None = None,
        **more: Any,
    ) -> Fields:
        """Add an image or artifact manifest."""
        if layers is None:
            contents = (gzip.compress(f"{seed} layer {n}".encode(), mtime=0) for n in range(2))
            layers = [self.blob(content, media_types.OCI_LAYER_GZIP) for content in contents]
        config = config or self.blob(
            json.dumps({"author": seed, "architecture": "amd64", "os": "linux"}).encode(),
            media_types.OCI_CONFIG,
        )
        kind = media_types.OCI_MANIFEST
        return self.manifest(tag, mediaType=kind, config=config, layers=layers, **more)

    def artifact(self, tag: str = "", *, content: bytes = b"data", **more: Any) -> Fields:
        """Add an artifact manifest with the empty config."""
        config = self.blob(b"{}", media_types.OCI_EMPTY)
        kind = more.setdefault("artifactType", EXAMPLE_1)
        return self.image(tag, config=config, layers=[self.blob(content, kind)], **more)

    def index(
        self, tag: str = "", *, entries: Sequence[Fields] | None = None, **more: Any
    ) -> Fields:
        """Add an index of two images, or of other entries."""
        if entries is None:
            entries = [
                self.image(seed=f"{tag}{arch}")
                | {"platform": {"os": "linux", "architecture": arch}}
                for arch in ("amd64", "arm64")
            ]
        return self.manifest(tag, mediaType=media_types.OCI_INDEX, manifests=entries, **more)


def image() -> DataSet:
    """An image of two layers."""
    data = DataSet()
    data.image("image")
    return data


def image_uncompressed() -> DataSet:
    """An image whose layer is a plain tar."""
    data = DataSet()
    data.image("image-uncompressed", layers=[data.blob(b"tar", media_types.OCI_LAYER)])
    return data


def large_manifest() -> DataSet:
    """A manifest of almost 4 MiB."""
    data = DataSet()
    annotations = {f"large-annotation-{n}": "A" * 10000 for n in range(390)}
    data.image("large-manifest", annotations=annotations)
    return data


def index() -> DataSet:
    """An index of two platforms."""
    data = DataSet()
    data.index("index")
    return data


def nested_index() -> DataSet:
    """An index of indexes."""
    data = DataSet()
    data.index("index-of-index", entries=[data.index(), data.index(annotations={"n": "2"})])
    return data


def empty_index() -> DataSet:
    """An index without entries."""
    data = DataSet()
    data.index("index", entries=[])
    return data


def artifact() -> DataSet:
    """An artifact with a type of its own."""
    data = DataSet()
    data.artifact("artifact")
    return data


def artifact_index() -> DataSet:
    """An index of artifacts with a type of its own."""
    data = DataSet()
    entries = [data.artifact(content=b"1"), data.artifact(content=b"2")]
    data.index("artifact-index", entries=entries, artifactType=EXAMPLE_1)
    return data


def artifact_without_layers() -> DataSet:
    """An artifact whose only layer is the empty JSON object, which is its config too."""
    data = DataSet()
    config = data.blob(b"{}", media_types.OCI_EMPTY)
    data.image("artifact-without-layers", config=config, layers=[config], artifactType=EXAMPLE_1)
    return data


def artifacts_with_subject() -> DataSet:
    """Referrers of three types, with and without annotations."""
    data = DataSet()
    subject = data.image("image")
    annotations = {"org.opencontainers.conformance": "hello conformance test"}
    data.image(seed="referrer", subject=subject)
    data.artifact("tagged-artifact1", subject=subject, annotations=annotations | {"n": "1"})
    data.artifact(
        "tagged-artifact2",
        content=b"other",
        artifactType=EXAMPLE_2,
        subject=subject,
        annotations=annotations | {"n": "2"},
    )
    return data


def index_with_subject() -> DataSet:
    """An index that refers to an index."""
    data = DataSet()
    subject = data.index("index")
    data.index(
        "tagged-artifact",
        entries=[data.artifact()],
        artifactType=EXAMPLE_1,
        subject=subject,
        annotations={"org.opencontainers.conformance": "hello conformance test"},
    )
    return data


def missing_subject() -> DataSet:
    """A referrer whose subject is not there."""
    data = DataSet()
    absent = Digest.of(b"missing content")
    subject = {"mediaType": media_types.OCI_MANIFEST, "digest": absent, "size": 123}
    data.artifact("tagged-artifact", subject=subject, annotations={"a": "b"})
    return data


def data_field() -> DataSet:
    """Descriptors that carry their content along."""
    data = DataSet()
    layer = data.blob(b"layer", media_types.OCI_LAYER, data="bGF5ZXI=")
    config = data.blob(b"{}", media_types.OCI_CONFIG, data="e30=")
    data.image("data-field", layers=[layer], config=config)
    return data


def non_distributable_layers() -> DataSet:
    """An image two of whose layers are to be had at the vendor only."""
    data = DataSet()
    prefix = "application/vnd.oci.image.layer.nondistributable.v1.tar"
    absent = [
        {
            "mediaType": kind,
            "digest": Digest.of(kind.encode()),
            "size": 123456,
            "urls": ["https://store.example.com/blobs/1"],
        }
        for kind in (prefix + "+gzip", prefix)
    ]
    layers = [*absent, data.blob(b"layer", media_types.OCI_LAYER)]
    data.image("non-distributable-layers", layers=layers)
    return data


def custom_fields() -> DataSet:
    """Manifests and a config with fields that nobody knows."""
    data = DataSet()
    more: Fields = {"org.example.custom": {"nested": [1, 2.5, None]}}
    config = data.blob(json.dumps(more).encode(), media_types.OCI_CONFIG)
    entry = data.image(seed="custom", config=config, **more)
    data.index("custom-fields", entries=[entry], **more)
    return data


def no_layers() -> DataSet:
    """An image without layers."""
    data = DataSet()
    data.image("no-layers", layers=[])
    return data


def sparse_index() -> DataSet:
    """An index one of whose images is not there."""
    data = DataSet()
    absent = {
        "mediaType": media_types.OCI_MANIFEST,
        "digest": Digest.of(b"absent"),
        "size": 1024,
        "platform": {"os": "linux", "architecture": "arm64"},
    }
    data.index("sparse-index", entries=[data.image(), absent])
    return data


def sha512() -> DataSet:
    """An index with everything below it, named by sha512; it has no tag."""
    data = DataSet("sha512")
    data.index()
    return data


EVERY_DATA_SET: Sequence[Callable[[], DataSet]] = (
    image,
    image_uncompressed,
    large_manifest,
    index,
    nested_index,
    empty_index,
    artifact,
    artifact_index,
    artifact_without_layers,
    artifacts_with_subject,
    index_with_subject,
    missing_subject,
    data_field,
    non_distributable_layers,
    custom_fields,
    no_layers,
    sparse_index,
    sha512,
)


async def push_manifest(
    api: Api, name: str, raw: bytes, *, tags: Sequence[str] = ()
) -> Mapping[str, str]:
    """Push one manifest and check the answer as the suite does."""
    document = json.loads(raw)
    path = f"/v2/{REPO}/manifests/{name}"
    query = [("tag", tag) for tag in tags]
    kind = document["mediaType"]
    answer = await api.request("PUT", path, body=raw, query=query, Content_Type=kind)
    assert answer.status == 201, answer.body
    if "subject" in document:
        assert answer.headers["OCI-Subject"] == document["subject"]["digest"]
    found = await api.request("GET", answer.headers["Location"])
    assert (found.status, found.body) == (200, raw)
    return answer.headers


async def check_lists(api: Api, data: DataSet) -> None:
    """Every tag is listed, in order, and ``last`` leaves out what stands before."""
    listed = (await api.request("GET", f"/v2/{REPO}/tags/list")).document["tags"]
    assert listed == sorted(data.tags)
    if listed:
        middle = listed[len(listed) // 2 - 1]
        path = f"/v2/{REPO}/tags/list"
        rest = await api.request("GET", path, query={"last": middle})
        assert rest.document["tags"] == [tag for tag in listed if tag > middle]


async def check_pulls(api: Api, data: DataSet) -> None:
    """Every manifest is pulled byte for byte, by digest and by tag, and every blob."""
    names = {str(digest): digest for digest in data.manifests} | data.tags
    for name, digest in names.items():
        raw = data.manifests[digest]
        for method in ("HEAD", "GET"):
            answer = await api.request(method, f"/v2/{REPO}/manifests/{name}")
            assert answer.status == 200
            assert answer.headers["Content-Type"] == json.loads(raw)["mediaType"]
            assert answer.headers["Content-Length"] == str(len(raw))
            assert answer.headers["Docker-Content-Digest"] == digest
            assert answer.body == (raw if method == "GET" else b"")
    for digest, content in data.blobs.items():
        assert (await api.request("GET", f"/v2/{REPO}/blobs/{digest}")).body == content


async def check_referrers(api: Api, data: DataSet) -> None:
    """Every referrer is listed with type and annotations, and the filter leaves out the others."""
    for subject, expected in data.referrers.items():
        path = f"/v2/{REPO}/referrers/{subject}"
        answer = await api.request("GET", path)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == media_types.OCI_INDEX
        assert answer.document["schemaVersion"] == 2
        assert answer.document["mediaType"] == media_types.OCI_INDEX
        by_digest = lambda entry: entry["digest"]  # noqa: E731 - a sort key, used twice here
        found = sorted(answer.document["manifests"], key=by_digest)
        assert found == sorted(expected, key=by_digest)
        for kind in {entry["artifactType"] for entry in expected}:
            filtered = await api.request("GET", path, query={"artifactType": kind})
            assert filtered.headers["OCI-Filters-Applied"] == "artifactType"
            kept = {entry["digest"] for entry in filtered.document["manifests"]}
            assert kept == {e["digest"] for e in expected if e["artifactType"] == kind}


async def check_deletes(api: Api, data: DataSet) -> None:
    """Tags, manifests and blobs are deleted, each at once."""
    names = [*data.tags, *reversed(data.manifests)]
    paths = [f"/v2/{REPO}/manifests/{name}" for name in names]
    paths += [f"/v2/{REPO}/blobs/{digest}" for digest in data.blobs]
    for path in paths:
        assert (await api.request("DELETE", path)).status == 202, path
        assert (await api.request("HEAD", path)).status == 404


@pytest.mark.parametrize("make", EVERY_DATA_SET)
async def test_data_set(api: Api, make: Callable[[], DataSet]) -> None:
    """A data set of the suite is pushed, listed, pulled, queried and deleted."""
    data = make()
    for content in data.blobs.values():
        await api.push_blob(REPO, content, data.algorithm)
    for digest, raw in data.manifests.items():
        headers = await push_manifest(api, digest, raw)
        assert headers["Docker-Content-Digest"] == digest
    for tag, digest in data.tags.items():
        await push_manifest(api, tag, data.manifests[digest])
    await check_lists(api, data)
    await check_pulls(api, data)
    await check_referrers(api, data)
    await check_deletes(api, data)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_tag_param(api: Api, algorithm: str) -> None:
    """A push by digest sets the tags that it names (tag-param-sha256, tag-param-sha512)."""
    data = DataSet(algorithm)
    data.index(f"tag-param-{algorithm}")
    for content in data.blobs.values():
        await api.push_blob(REPO, content, algorithm)
    for number, (digest, raw) in enumerate(data.manifests.items()):
        data.tags[f"tag-param-{algorithm}-{number}"] = digest
        tags = [tag for tag, tagged in data.tags.items() if tagged == digest]
        headers = await push_manifest(api, digest, raw, tags=tags)
        assert sorted(headers["OCI-Tag"].split(", ")) == sorted(tags)
    await check_lists(api, data)
    await check_pulls(api, data)
    await check_deletes(api, data)


async def test_bad_digest_image(api: Api) -> None:
    """A manifest with other bytes than its digest says is refused (bad-digest-image)."""
    data = image()
    for content in data.blobs.values():
        await api.push_blob(REPO, content)
    (digest, raw) = next(iter(data.manifests.items()))
    kind = media_types.OCI_MANIFEST
    path = f"/v2/{REPO}/manifests/{digest}"
    answer = await api.request("PUT", path, body=raw + b"  ", Content_Type=kind)
    assert answer.status == 400
    assert answer.codes == ["DIGEST_INVALID"]
    assert (await api.request("HEAD", path)).status == 404


async def test_ping(api: Api) -> None:
    """The registry says that it is one (ping)."""
    answer = await api.request("GET", "/v2/")
    assert answer.status == 200


async def test_empty(api: Api) -> None:
    """An unknown repository has no tags, and nothing in it is referred to (empty)."""
    tags = await api.request("GET", f"/v2/{REPO}/tags/list")
    assert tags.status == 404
    assert tags.codes == ["NAME_UNKNOWN"]
    referrers = await api.request("GET", f"/v2/{REPO}/referrers/{Digest.of(b'random')}")
    assert referrers.status == 200
    assert referrers.headers["Content-Type"] == media_types.OCI_INDEX
    assert referrers.document["manifests"] == []


@pytest.mark.parametrize("name", [str(Digest.of(b"random")), "missing-tag"])
async def test_missing_manifest(api: Api, name: str) -> None:
    """A manifest that is not there is not found (missing-manifest)."""
    answer = await api.request("GET", f"/v2/{REPO}/manifests/{name}")
    assert answer.status == 404
    assert answer.codes == ["MANIFEST_UNKNOWN"]


async def test_invalid_digest_format(api: Api) -> None:
    """``sha256:baddigeststring`` is no digest to push or pull (invalid-digest-format)."""
    data = image()
    for content in data.blobs.values():
        await api.push_blob(REPO, content)
    path = f"/v2/{REPO}/manifests/sha256:baddigeststring"
    raw = next(iter(data.manifests.values()))
    put = await api.request("PUT", path, body=raw, Content_Type=media_types.OCI_MANIFEST)
    assert put.status == 400
    assert put.codes == ["DIGEST_INVALID"]
    assert (await api.request("GET", path)).status == 400
