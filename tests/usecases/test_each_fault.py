"""Every way in which a registry goes wrong: the mirror recovers, or names the cause.

Whatever happens, no name stands for anything that is not there whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from airgap.content.report import CopyReport
from airgap.errors import (
    AirgapError,
    ContentMismatch,
    InvalidReference,
    NotFound,
    RateLimited,
    RegistryFault,
    Unreachable,
)
from airgap.oci import media_types
from airgap.oci.reference import Reference
from airgap.oci.selection import TagSelection
from airgap.oci.tag_pattern import TagPattern
from airgap.registry.client import RegistryClient
from airgap.store.store import Store
from airgap.usecases.mirror import Wanted, mirror, select
from tests.support.images import image, random_layer
from tests.support.registry_faults import (
    Answer,
    Change,
    Corrupt,
    Drip,
    EndEarly,
    Fault,
    IgnoreRange,
    Reset,
    Stall,
    Surplus,
    Truncate,
)
from tests.support.scripted_registry import ScriptedRegistry

LAYER = random_layer(1, 300_000)
APP = image([LAYER, random_layer(2, 1000)])
BLOB = f"/blobs/{LAYER.descriptor.digest}"
MANIFEST = "/manifests/"
TAGS = "/tags/list"
ALWAYS = None
EVERY_TAG = TagSelection(globs=(TagPattern.glob("*"),))
LOOP = Answer(
    200, {"Link": '</v2/app/tags/list?n=1000>; rel="next"'}, b'{"name":"app","tags":["1"]}'
)
HUGE = Answer(200, {"Content-Type": media_types.OCI_MANIFEST}, b'{"a":"' + b"x" * 5_000_000 + b'"}')


@dataclass(frozen=True)
class Case:
    """A fault, where and how often it happens, and what comes of it.

    Attributes:
        error: what the image fails with; None where the mirror recovers.
        words: what the error says.
    """

    fault: Fault
    method: str
    path: str
    times: int | None = 1
    error: type[AirgapError] | None = None
    words: str = ""


CASES = {
    "connection reset": Case(Reset(), "GET", BLOB),
    "connection reset before the manifest": Case(Reset(), "", MANIFEST, 2),
    "connection reset again and again": Case(
        Reset(), "GET", BLOB, ALWAYS, Unreachable, "broke off"
    ),
    "body cut short": Case(Truncate(100_000), "GET", BLOB, 3),
    "body ended early, in due form": Case(EndEarly(100_000), "GET", BLOB, 3),
    "more bytes than announced": Case(Surplus(), "GET", BLOB, ALWAYS, ContentMismatch, ""),
    "one bit of a blob flipped": Case(Corrupt(), "GET", BLOB, ALWAYS, ContentMismatch, "hash"),
    "one bit of a manifest flipped": Case(
        Corrupt(), "GET", MANIFEST, ALWAYS, ContentMismatch, "hashes to"
    ),
    "500 for a while": Case(Answer(500), "", "", 5),
    "502 with a web page": Case(Answer(502, {"Content-Type": "text/html"}, b"<html>"), "", "", 5),
    "500 without end": Case(Answer(500), "GET", BLOB, ALWAYS, RegistryFault, "500"),
    "429 with a short wait": Case(Answer(429, {"Retry-After": "0"}), "", "", 4),
    "429 with a wait of a day": Case(
        Answer(429, {"Retry-After": "86400"}), "GET", BLOB, ALWAYS, RateLimited, "86400"
    ),
    "503 with a date": Case(
        Answer(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), "GET", BLOB, 2
    ),
    "a drip of one byte now and then": Case(
        Drip(1, 0.05), "GET", BLOB, ALWAYS, Unreachable, "bytes came in"
    ),
    "nothing more after the beginning": Case(Stall(100_000), "GET", BLOB, 2),
    "nothing at all, for ever": Case(Stall(), "GET", BLOB, ALWAYS, Unreachable, "nothing came"),
    "a range that is ignored": Case(IgnoreRange(), "GET", BLOB, ALWAYS),
    "a list of tags in a circle": Case(LOOP, "GET", TAGS, ALWAYS, RegistryFault, "circle"),
    "tags: null": Case(
        Answer(200, {}, b'{"name":"app","tags":null}'),
        "GET",
        TAGS,
        ALWAYS,
        InvalidReference,
        "0 tags",
    ),
    "a list of tags that is none": Case(
        Answer(200, {}, b"<html>"), "GET", TAGS, ALWAYS, RegistryFault, "not JSON"
    ),
    "a manifest of five megabytes": Case(HUGE, "GET", MANIFEST, ALWAYS, RegistryFault, "bytes"),
    "HEAD without digest": Case(Change({"Docker-Content-Digest": None}), "HEAD", MANIFEST, ALWAYS),
    "HEAD without length": Case(Change({"Content-Length": None}), "HEAD", MANIFEST, ALWAYS),
    "HEAD without type": Case(Change({"Content-Type": "text/plain"}), "HEAD", MANIFEST, ALWAYS),
    "HEAD not allowed": Case(Answer(405), "HEAD", MANIFEST, ALWAYS),
    "HEAD with another digest": Case(
        Change({"Docker-Content-Digest": f"sha256:{'0' * 64}"}),
        *("HEAD", MANIFEST, ALWAYS, NotFound, "unknown"),
    ),
    "HEAD with another length": Case(Change({"Content-Length": "7"}), "HEAD", MANIFEST, ALWAYS),
    "a redirect in a circle": Case(
        Answer(307, {"Location": f"/v2/app{BLOB}"}), "GET", BLOB, ALWAYS, RegistryFault, "redirects"
    ),
    "a redirect to another scheme": Case(
        Answer(307, {"Location": "file:///etc/passwd"}), "GET", BLOB, ALWAYS, RegistryFault, ""
    ),
    "a blob that is not there": Case(
        Answer(404, {}, json.dumps({"errors": [{"code": "BLOB_UNKNOWN"}]}).encode()),
        *("GET", BLOB, ALWAYS, NotFound, "BLOB_UNKNOWN"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_the_mirror_recovers_or_names_the_cause(
    upstream: ScriptedRegistry, client: RegistryClient, store: Store, case: Case
) -> None:
    """It never hangs, and never publishes anything incomplete."""
    repository = upstream.add("app:1", APP)
    upstream.fail(case.fault, case.method, case.path, times=case.times)
    report = await _mirror(upstream, client, store)
    found = await store.find(Reference(repository, "1"))
    if case.error is None:
        assert report.error() is None, report.failures
        assert found == APP.root.descriptor
        async with store.open_blob(repository, LAYER.descriptor) as reader:
            assert reader.region is not None
        return
    (failure,) = report.failures
    assert type(failure.error) is case.error, failure.error
    assert case.words in str(failure.error)
    assert (
        upstream.host in str(failure.error)
        or APP.digest in str(failure.error)
        or (LAYER.descriptor.digest in str(failure.error))
    )
    assert found is None


async def test_a_redirect_to_another_host_is_followed(
    upstream: ScriptedRegistry,
    destination: ScriptedRegistry,
    client: RegistryClient,
    store: Store,
) -> None:
    """As registries do that keep their blobs in an object store."""
    upstream.add("app:1", APP)
    destination.add("app", APP)
    upstream.fail(
        Answer(307, {"Location": f"{destination.url}/v2/app{BLOB}"}), "GET", BLOB, times=None
    )
    assert (await _mirror(upstream, client, store)).error() is None
    assert destination.count("GET", BLOB) == 1


async def _mirror(upstream: ScriptedRegistry, client: RegistryClient, store: Store) -> CopyReport:
    wanted = Wanted(repository=upstream.repository("app"), tags=EVERY_TAG)
    return await mirror(await select([wanted], client), client, store)
