"""``airgap serve`` as a person runs it: what it says, what it serves, how it ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from airgap.content.copy_images import ImageCopy, copy_images
from airgap.oci.reference import Reference
from airgap.registry.client import RegistryClient
from airgap.registry.settings import ClientSettings
from tests.bundle.samples import write_bundle
from tests.server.api import Api
from tests.support.certificates import make_certificates
from tests.support.command import Done, airgap
from tests.support.images import image, random_layer
from tests.support.memory import MemorySource
from tests.support.real_registry import real_registry

APP = image([random_layer(1, 100_000)])


@dataclass
class Serving:
    """A running ``airgap serve``."""

    process: asyncio.subprocess.Process
    url: str
    said: list[str]

    async def end(self, *signals: signal.Signals) -> int:
        """Send signals and wait for the end; return the exit code."""
        for number in signals:
            self.process.send_signal(number)
        assert self.process.stderr is not None
        self.said += (await self.process.stderr.read()).decode().splitlines()
        return await self.process.wait()


@asynccontextmanager
async def serving(*arguments: object, config: str = "{}", folder: Path) -> AsyncIterator[Serving]:
    """Run ``airgap serve`` on a free port until the block ends."""
    (folder / "airgap.yaml").write_text(config)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "airgap", "serve", "--config", str(folder / "airgap.yaml")),
        *map(str, arguments),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "AIRGAP_STORE": str(folder / "store")},
    )
    assert process.stderr is not None
    said: list[str] = []
    try:
        while line := (await process.stderr.readline()).decode():
            said.append(line.rstrip())
            if found := re.search(r" at (https?://\S+)$", line.rstrip()):
                yield Serving(process, found[1], said)
                break
        else:
            raise AssertionError("\n".join(said))
    finally:
        if process.returncode is None:
            process.terminate()
            await process.stderr.read()
            await process.wait()


async def refused(*arguments: object) -> Done:
    """Run ``airgap serve`` with what cannot be."""
    return await airgap("serve", *map(str, arguments))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_the_store_and_ends_when_told(
    tmp_path: Path, number: signal.Signals
) -> None:
    """What is pushed is listed by ``airgap images`` at once; a signal ends it well."""
    free = ("--listen", "127.0.0.1:0")
    async with serving(*free, folder=tmp_path) as running, aiohttp.ClientSession() as session:
        await Api(session, running.url).push_image("team/app", APP, "1")
        store = str(tmp_path / "store")
        listed = (await airgap("images", "--json", "--store", store)).document["images"]
        assert [entry["reference"] for entry in listed] == ["localhost/team/app:1"]
        assert await running.end(number) == 0
    assert running.said[0].startswith(f"serving {store} at http://127.0.0.1:")
    assert running.said[-1] == f"{number.name} received, ending when running requests have"


async def test_it_serves_a_bundle_in_place(tmp_path: Path) -> None:
    """No store is made, and nothing can be pushed."""
    await write_bundle(tmp_path / "b.tar", MemorySource({"alpine:3": APP}))
    arguments = ("--listen", "127.0.0.1:0", "--bundle", tmp_path / "b.tar")
    async with serving(*arguments, folder=tmp_path) as running, aiohttp.ClientSession() as session:
        api = Api(session, running.url)
        pulled = await api.request("GET", "/v2/docker.io/library/alpine/manifests/3")
        assert pulled.body == APP.root.raw
        assert (await api.post("app")).status == 405
    assert not (tmp_path / "store").exists()


CONFIG = """
serve:
  listen: 127.0.0.1:0
  tls: {{certificate: {cert}, key: {key}}}
  htpasswd: htpasswd
  anonymous-read: true
  default-domain: docker.io
  rules:
    - {{repositories: library/*, users: ann, may: [pull, push]}}
    - {{repositories: ["**"], users: "*", may: pull}}
"""


async def test_the_config_sets_it_up(tmp_path: Path) -> None:
    """TLS, passwords, rules and the default domain come from the section ``serve``."""
    files = make_certificates(tmp_path / "tls")
    command = ["htpasswd", "-cbB", "-C", "4", str(tmp_path / "htpasswd"), "ann", "secret"]
    subprocess.run(command, check=True, capture_output=True)  # noqa: ASYNC221 - set-up
    config = CONFIG.format(cert=files.server_cert, key=files.server_key)
    trust = ssl.create_default_context(cafile=str(files.ca))
    connector = aiohttp.TCPConnector(ssl=trust)
    async with (
        serving(folder=tmp_path, config=config) as running,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        assert running.url.startswith("https://")
        ann = {"Authorization": aiohttp.encode_basic_auth("ann", "secret")}
        api, nobody = Api(session, running.url, ann), Api(session, running.url)
        await api.push_image("library/alpine", APP, "3")
        assert (await nobody.post("library/alpine")).status == 401
        assert (await api.post("quay.io/team/app")).status == 403
        pulled = await nobody.request("GET", "/v2/library/alpine/manifests/3?ns=docker.io")
        assert pulled.body == APP.root.raw


async def test_missing_images_come_from_upstream(tmp_path: Path) -> None:
    """With ``--upstream`` a pull fetches, keeps, and serves again without upstream."""
    listen = ("--listen", "127.0.0.1:0")
    async with real_registry(tmp_path / "upstream") as upstream:
        name = Reference.parse(f"{upstream.host}/team/app:1")
        async with RegistryClient(ClientSettings()) as client:
            source = MemorySource({str(name): APP})
            report = await copy_images(source, client, [ImageCopy(name, name)])
            assert report.error() is None
        path = f"/v2/{upstream.host.replace(':', '_')}/team/app"
        arguments = (*listen, "--upstream", upstream.host)
        async with (
            serving(*arguments, folder=tmp_path) as running,
            aiohttp.ClientSession() as session,
        ):
            await _pull(Api(session, running.url), path)
    async with serving(*listen, folder=tmp_path) as running, aiohttp.ClientSession() as session:
        await _pull(Api(session, running.url), path)


async def _pull(api: Api, path: str) -> None:
    assert (await api.request("GET", f"{path}/manifests/1")).body == APP.root.raw
    for digest, content in APP.blobs.items():
        assert (await api.request("GET", f"{path}/blobs/{digest}")).body == content


async def test_who_opens_it_to_everybody_is_told(tmp_path: Path) -> None:
    """Listening beyond the machine without passwords gets a warning that says what to do."""
    async with serving("--listen", "0.0.0.0:0", folder=tmp_path) as running:
        await running.end(signal.SIGTERM)
    assert any("may push and delete" in line and "--read-only" in line for line in running.said)
    async with serving("--listen", "0.0.0.0:0", "--read-only", folder=tmp_path) as running:
        await running.end(signal.SIGTERM)
    assert not any("warning" in line for line in running.said)


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (("--listen", "5000"), 2, "is not HOST:PORT"),
        (("--listen", "localhost:99999"), 2, "is not HOST:PORT"),
        (("--tls-cert", "x"), 2, "go together"),
        (("--anonymous-read",), 2, "goes with --htpasswd"),
        (("--bundle", "x", "--upstream", "docker.io"), 2, "neither --store nor --upstream"),
        (("--upstream", "https://docker.io"), 4, "is not a registry host"),
        (("--upstream", "docker"), 2, "is not a registry host as references name it"),
        (("--default-domain", "no host"), 4, "no host"),
        (("--bundle", "nowhere.tar"), 5, "nowhere.tar"),
        (("--read-only",), 5, "there is no store here"),
        (("--htpasswd", "nowhere"), 3, "cannot be read"),
        (("--tls-cert", "nowhere", "--tls-key", "nowhere"), 3, "cannot be read"),
    ],
)
async def test_what_cannot_be_is_told(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """Each mistake has its exit code and says what is wrong."""
    store = () if "--bundle" in arguments else ("--store", tmp_path / "store")
    listen = () if "--listen" in arguments else ("--listen", "127.0.0.1:0")
    done = await refused(*arguments, *store, *listen)
    assert done.code == code, done.err
    assert words in done.err


async def test_an_address_in_use_is_told(tmp_path: Path) -> None:
    """Two servers cannot listen at one address."""
    async with serving("--listen", "127.0.0.1:0", folder=tmp_path) as running:
        address = running.url.removeprefix("http://")
        done = await refused("--listen", address, "--store", tmp_path / "store")
    assert (done.code, "somebody listens there already" in done.err) == (2, True)
