"""Fetching what is missing from upstream: once, verified, kept, served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from airgap.content.hosting import Hosting
from airgap.content.ports import Source
from airgap.errors import Unreachable
from airgap.oci.descriptor import Descriptor
from airgap.oci.reference import Reference, Repository
from airgap.server import running_registry
from airgap.server.pull_through import pulling_through
from tests.server.api import Api
from tests.support.images import BuiltImage, image, index, random_layer
from tests.support.memory import MemorySource

ALPINE = index(
    {
        "linux/amd64": image([random_layer(1, 200_000)]),
        "linux/arm64": image([random_layer(2, 200_000)], platform="linux/arm64"),
    }
)
HUB = frozenset({"docker.io"})


@dataclass
class Upstream(MemorySource):
    """A source that counts, and can be out of reach."""

    images: dict[str, BuiltImage]
    away: bool = False
    resolved: list[Reference] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take the images."""
        super().__init__(self.images)

    async def resolve(self, reference: Reference) -> Descriptor:
        """Resolve, unless out of reach."""
        self.resolved.append(reference)
        if self.away:
            raise Unreachable("docker.io", 'no "route"\n to host')
        return await super().resolve(reference)


@asynccontextmanager
async def mirror(hosting: Hosting, upstream: Source) -> AsyncIterator[Api]:
    """Run a registry that pulls docker.io through."""
    async with (
        pulling_through(hosting, upstream, HUB) as place,
        running_registry(place) as running,
        aiohttp.ClientSession() as session,
    ):
        yield Api(session, running.url)


async def pull(api: Api, built: BuiltImage, tag: str = "3") -> None:
    """Pull an image with everything below it, as containerd does."""
    root = await api.request("GET", f"/v2/library/alpine/manifests/{tag}?ns=docker.io")
    assert (root.status, root.body) == (200, built.root.raw)
    for manifest in built.manifests[:-1]:
        path = f"/v2/library/alpine/manifests/{manifest.descriptor.digest}?ns=docker.io"
        assert (await api.request("GET", path)).body == manifest.raw
    for digest, content in built.blobs.items():
        path = f"/v2/library/alpine/blobs/{digest}?ns=docker.io"
        head = await api.request("HEAD", path)
        assert head.headers["Content-Length"] == str(len(content))
        assert (await api.request("GET", path)).body == content


async def test_a_missing_image_is_fetched_once_and_kept(hosting: Hosting) -> None:
    """Twenty clients at once cost upstream one reading of each blob, and the image stays."""
    upstream = Upstream({"alpine:3": ALPINE})
    async with mirror(hosting, upstream) as api:
        await asyncio.gather(*(pull(api, ALPINE) for _ in range(20)))
    assert sorted(upstream.opened) == sorted(ALPINE.blobs)
    async with running_registry(hosting) as running, aiohttp.ClientSession() as session:
        await pull(Api(session, running.url), ALPINE)


async def test_a_range_of_a_missing_blob_is_served(hosting: Hosting) -> None:
    """A blob is fetched whole even where a client wants its end only."""
    digest, content = next((d, c) for d, c in ALPINE.blobs.items() if len(c) > 100_000)
    async with mirror(hosting, Upstream({"alpine:3": ALPINE})) as api:
        for manifest in ALPINE.manifests:
            await api.request(
                "GET", f"/v2/docker.io/library/alpine/manifests/{manifest.descriptor.digest}"
            )
        path = f"/v2/docker.io/library/alpine/blobs/{digest}"
        assert (await api.request("GET", path, Range="bytes=-10")).body == content[-10:]


async def test_a_moved_tag_is_followed(hosting: Hosting) -> None:
    """A tag is asked for upstream each time, a digest that is here never again."""
    newer = image([random_layer(3)])
    upstream = Upstream({"alpine:3": ALPINE})
    async with mirror(hosting, upstream) as api:
        await pull(api, ALPINE)
        upstream.resolved.clear()
        path = f"/v2/library/alpine/manifests/{ALPINE.digest}?ns=docker.io"
        assert (await api.request("GET", path)).status == 200
        assert upstream.resolved == []
    upstream = Upstream({"alpine:3": newer})
    async with mirror(hosting, upstream) as api:
        await pull(api, newer)


async def test_out_of_reach_upstream_leaves_what_is_here(hosting: Hosting) -> None:
    """The last known image is served with a warning; what was never here is a gateway error."""
    upstream = Upstream({"alpine:3": ALPINE})
    async with mirror(hosting, upstream) as api:
        await pull(api, ALPINE)
        upstream.away = True
        path = "/v2/library/alpine/manifests/3?ns=docker.io"
        answer = await api.request("GET", path)
        assert answer.status == 200
        assert answer.headers["Warning"].startswith('299 - "upstream was not asked')
        assert answer.headers["Warning"].count('"') == 2
        never = await api.request("GET", "/v2/library/other/manifests/1?ns=docker.io")
        assert never.status == 504


async def test_a_restart_forgets_nothing_that_is_needed(hosting: Hosting) -> None:
    """A client that has the manifest already gets its blobs, also after a restart."""
    async with mirror(hosting, Upstream({"alpine:3": ALPINE})) as api:
        for name in ("3", *(str(m.descriptor.digest) for m in ALPINE.manifests)):
            await api.request("GET", f"/v2/library/alpine/manifests/{name}?ns=docker.io")
    async with mirror(hosting, Upstream({"alpine:3": ALPINE})) as api:
        for digest, content in ALPINE.blobs.items():
            path = f"/v2/library/alpine/blobs/{digest}?ns=docker.io"
            assert (await api.request("GET", path)).body == content


async def test_lying_content_is_never_served(hosting: Hosting) -> None:
    """A blob with other bytes than its digest is refused and not kept."""
    digest = next(iter(ALPINE.blobs))
    upstream = Upstream({"alpine:3": ALPINE})
    upstream.blobs[digest] = b"other"
    async with mirror(hosting, upstream) as api:
        for name in ("3", *(str(m.descriptor.digest) for m in ALPINE.manifests)):
            await api.request("GET", f"/v2/library/alpine/manifests/{name}?ns=docker.io")
        answer = await api.request("GET", f"/v2/library/alpine/blobs/{digest}?ns=docker.io")
        assert answer.status == 502
    assert await hosting.blob_size(Repository.parse("alpine"), digest) is None


async def test_other_domains_are_not_looked_for_upstream(hosting: Hosting) -> None:
    """Repositories of our own are ours alone."""
    upstream = Upstream({"alpine:3": ALPINE})
    async with mirror(hosting, upstream) as api:
        assert (await api.request("GET", "/v2/team/app/manifests/1")).status == 404
        assert (await api.request("GET", "/v2/docker.io/nope/manifests/1")).status == 404
    assert [str(r) for r in upstream.resolved] == ["docker.io/library/nope:1"]


async def test_a_blob_that_nothing_names_is_not_fetched(hosting: Hosting) -> None:
    """A digest alone makes upstream fetch nothing."""
    upstream = Upstream({"alpine:3": ALPINE})
    async with mirror(hosting, upstream) as api:
        digest = next(iter(ALPINE.blobs))
        answer = await api.request("GET", f"/v2/library/alpine/blobs/{digest}?ns=docker.io")
        assert answer.status == 404
    assert upstream.opened == []
