"""A Docker Engine as a place for images: against Podman's service and Debian's dockerd."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from airgap.archive.folder_target import LayoutTarget
from airgap.archive.opening import open_layout
from airgap.engine.client import EngineAddress, EngineClient
from airgap.engine.engine import ContainerCommit, Engine
from airgap.engine.target import engine_target
from airgap.errors import (
    AirgapError,
    ContentMismatch,
    EngineFault,
    NotFound,
    Unreachable,
    Unsupported,
    UsageError,
)
from airgap.oci.digest import Digest
from airgap.oci.manifest import parse_manifest
from airgap.oci.reference import Reference
from tests.archive.moving import carry, copy_one
from tests.archive.peers import busybox_image
from tests.support.engines import docker_engine, podman_service
from tests.support.images import BuiltImage
from tests.support.memory import MemorySource

pytestmark = pytest.mark.xdist_group("engines")

Service = Callable[[Path], AbstractAsyncContextManager[str]]


@pytest.fixture(params=[podman_service, docker_engine], ids=["podman", "dockerd"])
async def address(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """Run each engine in turn."""
    service: Service = request.param
    # Podman takes no state folder whose path is over 50 characters long.
    with tempfile.TemporaryDirectory(prefix="ag-", ignore_cleanup_errors=True) as folder:
        async with service(Path(folder)) as text:
            yield text


async def test_an_engine_takes_images_and_gives_them_back_with_their_ids(
    address: str, tmp_path: Path
) -> None:
    """What is loaded can be listed, inspected, tagged and saved, and keeps its image ids."""
    one, two = busybox_image(1), busybox_image(2, docker=True)
    source = MemorySource({"one:1": one, "quay.io/team/two:2": two})
    async with EngineClient(EngineAddress.parse(address)) as client:
        engine = Engine(client)
        async with engine_target(engine) as target:
            await carry(source, target, ["one:1", "quay.io/team/two:2"])
        ids = {
            name.familiar: item.image_id for item in await engine.images() for name in item.names
        }
        assert ids == {"one:1": _config(one), "quay.io/team/two:2": _config(two)}

        name = Reference.parse("quay.io/team/two:2")
        assert (await engine.inspect(name))["Architecture"] == "amd64"
        await engine.tag(name, Reference.parse("localhost:5000/again:x"))

        wanted = [Reference.parse("one:1"), Reference.parse("localhost:5000/again:x")]
        async with engine.saved(wanted, scratch=tmp_path) as saved:
            layout = LayoutTarget(tmp_path / "layout")
            for reference in wanted:
                await copy_one(saved, layout, str(reference), str(reference))
    kept = await open_layout(tmp_path / "layout")
    configs = {_config_in(tmp_path / "layout", image.descriptor.digest) for image in kept.images}
    assert configs == {_config(one), _config(two)}
    assert not list(tmp_path.glob("airgap-*"))


async def test_an_engine_commits_a_container(address: str, tmp_path: Path) -> None:
    """A container becomes an image with the author, the message and the changes asked for."""
    source = MemorySource({"busybox:1": busybox_image()})
    async with EngineClient(EngineAddress.parse(address)) as client:
        engine = Engine(client)
        async with engine_target(engine) as target:
            await carry(source, target, ["busybox:1"])
        await client.ask(
            "POST",
            "/containers/create",
            what="container",
            parameters={"name": "made"},
            body={"Image": "docker.io/library/busybox:1", "Cmd": ["/bin/busybox", "true"]},
        )
        (container,) = await engine.containers()
        assert container.names == ("made",)

        made = await engine.commit(
            "made",
            ContainerCommit(
                Reference.parse("committed:1"),
                author="Ada <ada@example.org>",
                message="why not",
                changes=('CMD ["/bin/busybox", "httpd"]', "ENV A=1"),
                pause=False,
            ),
        )
        found = await engine.inspect(made)
        assert found["Author"] == "Ada <ada@example.org>"
        assert found["Config"]["Cmd"] == ["/bin/busybox", "httpd"]
        assert "A=1" in found["Config"]["Env"]
        async with engine.saved([made], scratch=tmp_path) as saved:
            assert len(saved.images) == 1


async def test_what_an_engine_does_not_have_is_not_found(address: str, tmp_path: Path) -> None:
    """An unknown image or container is one clear error, and leaves nothing behind."""
    async with EngineClient(EngineAddress.parse(address)) as client:
        engine = Engine(client)
        with pytest.raises(NotFound, match="absent"):
            async with engine.saved([Reference.parse("absent:1")], scratch=tmp_path):
                pass
        with pytest.raises(NotFound, match="nobody"):
            await engine.commit("nobody", ContainerCommit())
        assert await engine.images() == ()
    assert not list(tmp_path.glob("airgap-*"))


async def test_a_lie_in_the_content_breaks_the_load_off(address: str) -> None:
    """A blob with other bytes than promised reaches the engine in no image."""
    image = busybox_image()
    lie = image.root.layers[0]
    source = MemorySource({"busybox:1": image}, lies={lie.digest: bytes(lie.size)})
    async with EngineClient(EngineAddress.parse(address)) as client:
        engine = Engine(client)
        with pytest.raises(ContentMismatch):
            async with engine_target(engine) as target:
                await carry(source, target, ["busybox:1"])
        assert await engine.images() == ()


async def test_an_engine_refuses_what_is_no_archive(address: str) -> None:
    """The engine's own words about a bad archive are the cause of the error."""

    async def nonsense() -> AsyncIterator[bytes]:
        yield b"not a tar" * 1000

    async with EngineClient(EngineAddress.parse(address)) as client:
        with pytest.raises(EngineFault):
            await Engine(client).load(nonsense())


async def test_no_engine_is_told_as_such(tmp_path: Path) -> None:
    """Without a socket, or with nobody behind it, the error says what to start or to set."""
    socket = tmp_path / "absent.sock"
    async with EngineClient(EngineAddress.parse(f"unix://{socket}")) as client:
        with pytest.raises(Unreachable) as absent:
            await Engine(client).images()
    assert "DOCKER_HOST" in absent.value.hint
    async with EngineClient(EngineAddress.parse("tcp://127.0.0.1:1")) as client:
        with pytest.raises(Unreachable):
            await Engine(client).images()


async def test_something_else_on_the_socket_is_not_taken_for_an_engine(tmp_path: Path) -> None:
    """A server that names no version of the API is no engine."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        writer.close()

    socket = tmp_path / "other.sock"
    address = EngineAddress.parse(f"unix://{socket}")
    async with await asyncio.start_unix_server(answer, socket), EngineClient(address) as client:
        with pytest.raises(EngineFault, match="not a container engine"):
            await Engine(client).images()


@pytest.mark.parametrize(
    "text,error",
    [
        ("ssh://host", Unsupported),
        ("npipe:////./pipe/docker_engine", Unsupported),
        ("unix://", UsageError),
        ("/var/run/docker.sock", UsageError),
    ],
)
def test_addresses_that_cannot_be_spoken_to_are_refused(
    text: str, error: type[AirgapError]
) -> None:
    """Only unix:// and tcp:// are spoken."""
    with pytest.raises(error):
        EngineAddress.parse(text)


def test_the_environment_names_the_engine() -> None:
    """DOCKER_HOST wins over the default socket, and TLS is used where it is asked for."""
    assert EngineAddress.from_environment({}).socket == "/var/run/docker.sock"
    there = {"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/c"}
    address = EngineAddress.from_environment(there)
    assert (address.base, address.certificates) == ("https://h:2376", Path("/c"))


def _config_in(layout: Path, digest: Digest) -> Digest:
    """Return the config digest of an image in a layout."""
    raw = (layout / "blobs" / "sha256" / digest.hex).read_bytes()
    config = parse_manifest(raw).config
    assert config is not None
    return config.digest


def _config(image: BuiltImage) -> Digest:
    assert image.root.config is not None
    return image.root.config.digest
