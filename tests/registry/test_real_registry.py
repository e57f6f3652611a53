"""Against Debian's docker-registry: plain, behind htpasswd, with TLS, with client certificates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from airgap.content.ports import TagMove
from airgap.errors import AccessDenied, NotFound, Unreachable
from airgap.oci.descriptor import Descriptor
from airgap.oci.reference import Reference, Repository
from airgap.registry.client import RegistryClient
from airgap.registry.credential_store import CredentialStore
from airgap.registry.settings import ClientSettings, HostSettings, Login
from tests.support import images
from tests.support.blob_sources import BlobSource
from tests.support.certificates import Certificates, make_certificates
from tests.support.images import BuiltImage
from tests.support.real_registry import real_registry
from tests.support.registry_clients import MakeClient, quick, read_blob

SHARED = images.random_layer(1, 2_000_000)
IMAGE = images.index(
    {
        "linux/amd64": images.image([SHARED, images.random_layer(2)]),
        "linux/arm64": images.image([SHARED], platform="linux/arm64"),
    }
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make a private authority once."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


async def push(
    client: RegistryClient, repository: Repository, built: BuiltImage, folder: Path | None = None
) -> None:
    """Push an image under the tag ``1``, from files where a folder is given."""
    for digest, content in built.blobs.items():
        blob = Descriptor("application/octet-stream", digest, len(content))
        source = BlobSource(content) if folder is None else BlobSource.in_file(content, folder)
        await client.put_blob(repository, blob, source, lambda _: None)
    for manifest in built.manifests:
        await client.put_manifest(repository, manifest)
    await client.move_tags([TagMove(Reference(repository, "1"), built.root.descriptor)])


async def check(client: RegistryClient, repository: Repository, built: BuiltImage) -> None:
    """Pull everything and compare it byte for byte."""
    assert await client.resolve(Reference(repository, "1")) == built.root.descriptor
    for manifest in built.manifests:
        assert await client.read_manifest(repository, manifest.descriptor) == manifest.raw
    for digest, content in built.blobs.items():
        blob = Descriptor("application/octet-stream", digest, len(content))
        assert await read_blob(client, repository, blob) == content
        assert await read_blob(client, repository, blob, 100) == content[100:]


@pytest.mark.parametrize("kind", ["stream", "file", "pieces"])
async def test_an_image_goes_in_and_comes_out_the_same(
    tmp_path: Path, make_client: MakeClient, kind: str
) -> None:
    """From a stream, from files by sendfile, and in pieces; shared layers are mounted."""
    folder = tmp_path if kind == "file" else None
    client = await make_client(quick(chunk_size=700_000 if kind == "pieces" else None))
    async with real_registry(tmp_path / "registry") as registry:
        one, two = Repository(registry.host, "team/one"), Repository(registry.host, "team/two")
        await push(client, one, IMAGE, folder)
        uploads = registry.requests("PUT")
        await push(client, two, IMAGE, folder)
        # The second time only manifests and a tag are put.
        assert registry.requests("PUT") - uploads == len(IMAGE.manifests) + 1
        fresh = await make_client()
        await check(fresh, one, IMAGE)
        await check(fresh, two, IMAGE)
        assert [tag async for tag in fresh.tags(one)] == ["1"]
        assert [r async for r in fresh.catalog(registry.host).repositories()] == [one, two]
        with pytest.raises(NotFound, match="not known to registry"):
            assert [tag async for tag in fresh.tags(Repository(registry.host, "no/such"))]


async def test_a_referrer_is_entered_under_the_fallback_tag(
    tmp_path: Path, make_client: MakeClient
) -> None:
    """This registry knows no referrers; whoever asks finds them all the same."""
    client = await make_client()
    async with real_registry(tmp_path / "registry") as registry:
        repository = Repository(registry.host, "team/app")
        await push(client, repository, IMAGE)
        sbom = images.artifact(b"sbom", subject=IMAGE.root.descriptor)
        await push(client, repository, sbom)
        fresh = await make_client()
        (found,) = await fresh.referrers(repository, IMAGE.digest)
        assert found == sbom.root.descriptor
        assert found.artifact_type == "application/vnd.example.sbom.v1"


async def test_a_password_lets_in_and_a_wrong_one_does_not(
    tmp_path: Path, make_client: MakeClient
) -> None:
    """From settings, and from the file that a login is stored in."""
    async with real_registry(tmp_path / "registry", user=("user", "secret")) as registry:
        repository = Repository(registry.host, "team/app")
        nobody = await make_client()
        with pytest.raises(AccessDenied):
            await nobody.resolve(Reference(repository, "1"))
        with pytest.raises(AccessDenied):
            await nobody.check_login(registry.host, Login("user", "wrong"))
        await nobody.check_login(registry.host, Login("user", "secret"))
        await push(await make_client(quick(login=Login("user", "secret"))), repository, IMAGE)
        await CredentialStore({}, tmp_path).store(registry.host, Login("user", "secret"))
        known = await make_client(ClientSettings(home=tmp_path))
        await check(known, repository, IMAGE)


async def test_a_private_authority_is_trusted_where_it_is_set(
    tmp_path: Path, make_client: MakeClient, certificates: Certificates
) -> None:
    """Without it the certificate is refused, at once and with a hint."""
    async with real_registry(tmp_path / "registry", tls=certificates) as registry:
        repository = Repository(registry.host, "team/app")
        hosts = {registry.host: HostSettings(ca_file=certificates.ca)}
        trusting = await make_client(ClientSettings(hosts=hosts))
        await push(trusting, repository, IMAGE, tmp_path)
        await check(trusting, repository, IMAGE)
        other = make_certificates(tmp_path / "other")
        hosts = {registry.host: HostSettings(ca_file=other.ca)}
        careful = await make_client(ClientSettings(hosts=hosts))
        with pytest.raises(Unreachable, match="certificate is not trusted") as caught:
            await careful.resolve(Reference(repository, "1"))
        assert "certs.d" in caught.value.hint


def in_home(home: Path) -> tuple[Path, ClientSettings]:
    """Return the user's own folder of certificates, and settings that look there."""
    return home / ".config/containers/certs.d", ClientSettings(home=home, system_certs=())


def in_system(home: Path) -> tuple[Path, ClientSettings]:
    """Return a folder for all users, and settings that look there."""
    return home / "etc/certs.d", ClientSettings(home=home, system_certs=(home / "etc/certs.d",))


@pytest.mark.parametrize("where", [in_home, in_system])
async def test_certificates_are_found_in_certs_d(
    tmp_path: Path,
    make_client: MakeClient,
    certificates: Certificates,
    where: Callable[[Path], tuple[Path, ClientSettings]],
) -> None:
    """The authority, and the client's certificate for a registry that asks for one."""
    async with real_registry(
        tmp_path / "registry", tls=certificates, ask_client_certificate=True
    ) as registry:
        repository = Repository(registry.host, "team/app")
        folder, settings = where(tmp_path)
        host = folder / registry.host
        host.mkdir(parents=True)
        (host / "ca.crt").write_bytes(certificates.ca.read_bytes())
        with pytest.raises(Unreachable, match="it refuses us"):
            await (await make_client(settings)).resolve(Reference(repository, "1"))
        (host / "client.cert").write_bytes(certificates.client_cert.read_bytes())
        with pytest.raises(NotFound, match="has no key beside it"):
            await (await make_client(settings)).resolve(Reference(repository, "1"))
        (host / "client.key").write_bytes(certificates.client_key.read_bytes())
        client = await make_client(settings)
        await push(client, repository, IMAGE)
        await check(client, repository, IMAGE)


async def test_https_to_a_plain_registry_says_so(
    tmp_path: Path, make_client: MakeClient, certificates: Certificates
) -> None:
    """The handshake's failure is explained."""
    async with real_registry(tmp_path / "registry") as registry:
        hosts = {registry.host: HostSettings(ca_file=certificates.ca)}
        client = await make_client(ClientSettings(hosts=hosts))
        with pytest.raises(Unreachable, match="TLS handshake failed") as caught:
            await client.resolve(Reference(Repository(registry.host, "a"), "1"))
        assert "plain http" in caught.value.hint


async def test_a_registry_that_is_gone_is_unreachable(
    tmp_path: Path, make_client: MakeClient
) -> None:
    """After a few quick tries, with the operating system's word for it."""
    async with real_registry(tmp_path / "registry") as registry:
        repository = Repository(registry.host, "team/app")
    client = await make_client()
    with pytest.raises(Unreachable, match="connection refused"):
        await client.resolve(Reference(repository, "1"))


async def test_a_deleted_manifest_is_not_found(tmp_path: Path, make_client: MakeClient) -> None:
    """A tag that stays behind without its manifest is as good as none."""
    client = await make_client()
    async with real_registry(tmp_path / "registry") as registry:
        repository = Repository(registry.host, "team/app")
        await push(client, repository, IMAGE)
        link = registry.root / "docker/registry/v2/repositories/team/app/_manifests/tags/1"
        assert json.dumps(IMAGE.digest)[1:-1] == (link / "current/link").read_text()
        (link / "current/link").write_text("sha256:" + "0" * 64)
        assert await client.find(Reference(repository, "1")) is None
