"""A full bundle is taken, unchanged, by the tools that people have on the other side."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from airgap.bundle.output import WriteOptions
from airgap.bundle.writer import BundleReport
from airgap.oci import media_types
from airgap.oci.digest import Digest
from airgap.oci.manifest import parse_manifest
from airgap.oci.reference import Reference
from tests.bundle.samples import COMPRESSED, QUICK, several_images, write_bundle
from tests.support import images
from tests.support.memory import MemorySource

BOTH = pytest.mark.parametrize("options", [QUICK, COMPRESSED], ids=["plain", "zstd"])
LOADABLE = ("docker.io/library/oci:1", "quay.io/team/docker:1.10", "registry.example:5000/multi:v2")
_START_SECONDS = 30.0


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """Run a peer and return what it prints; its complaints are part of a failure."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | (env or {}),
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def bundle(folder: Path, options: WriteOptions, source: MemorySource | None = None) -> BundleReport:
    """Write a bundle of several images."""
    return asyncio.run(write_bundle(folder / "bundle", source or several_images(), options))


def image_id(source: MemorySource, name: str) -> str:
    """Return the image id that docker knows the amd64 image of a name by."""
    built = source.roots[Reference.parse(name)]
    root = built.root
    if root.is_index:
        entry = next(e for e in root.manifests if str(e.platform) == "linux/amd64")
        root = parse_manifest(source.blobs[entry.digest])
    assert root.config is not None
    return root.config.digest


@BOTH
def test_sha256sum_accepts_the_checksum(tmp_path: Path, options: WriteOptions) -> None:
    """The file beside the bundle is one that `sha256sum -c` reads, odd names included."""
    for name in ("bundle", "a name with spaces", "back\\slash", "line\nfeed"):
        asyncio.run(write_bundle(tmp_path / name, several_images(), options))
        subprocess.run(
            ["sha256sum", "-c", "--strict", f"{name}.sha256"],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )


@BOTH
def test_podman_loads_a_bundle(tmp_path: Path, options: WriteOptions) -> None:
    """Every image gets its name and its id; the artifact is passed over."""
    source = several_images()
    bundle(tmp_path, options, source)
    # podman takes no runroot of over 50 characters, which pytest's folders have.
    with TemporaryDirectory(prefix="podman") as runroot:
        podman = (
            *("podman", "--root", tmp_path / "root", "--runroot", runroot),
            *("--storage-driver", "vfs"),
        )
        run(*podman, "load", "-i", tmp_path / "bundle")
        listed = json.loads(run(*podman, "images", "--format", "json"))
    found = {name: f"sha256:{image['Id']}" for image in listed for name in image["Names"]}
    assert found == {name: image_id(source, name) for name in LOADABLE}


@BOTH
@pytest.mark.parametrize("name", LOADABLE)
def test_skopeo_copies_an_image_as_docker_archive(
    tmp_path: Path, options: WriteOptions, name: str
) -> None:
    """`docker-archive:FILE:REF` finds each image by its name, with all of its layers."""
    source = several_images()
    bundle(tmp_path, options, source)
    familiar = Reference.parse(name).familiar
    run(
        *("skopeo", "copy", "--insecure-policy"),
        *(f"docker-archive:{tmp_path / 'bundle'}:{familiar}", f"dir:{tmp_path / 'out'}"),
    )
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["config"]["digest"] == image_id(source, name)


@BOTH
def test_skopeo_copies_from_an_oci_archive_by_full_reference(
    tmp_path: Path, options: WriteOptions
) -> None:
    """`oci-archive:FILE:REF` finds each of several images, and its digest is the original one.

    Debian's skopeo looks for OCI media types only; a Docker image is found by `docker-archive:`.
    """
    source = several_images()
    bundle(tmp_path, options, source)
    for number, (reference, built) in enumerate(source.roots.items()):
        if built.root.descriptor.media_type not in {
            media_types.OCI_MANIFEST,
            media_types.OCI_INDEX,
        }:
            continue
        out = tmp_path / f"out{number}"
        run(
            *("skopeo", "copy", "--insecure-policy", "--all", "--preserve-digests"),
            *(f"oci-archive:{tmp_path / 'bundle'}:{reference}", f"dir:{out}"),
        )
        assert Digest.of((out / "manifest.json").read_bytes()) == built.digest


@BOTH
def test_skopeo_copies_the_only_image_of_an_oci_archive(
    tmp_path: Path, options: WriteOptions
) -> None:
    """With one image in the bundle no name is needed, though something refers to it."""
    built = images.image([images.random_layer(1)])
    bundle(tmp_path, options, MemorySource({"only:1": built}))
    run(
        *("skopeo", "copy", "--insecure-policy", "--preserve-digests"),
        *(f"oci-archive:{tmp_path / 'bundle'}", f"dir:{tmp_path / 'out'}"),
    )
    assert Digest.of((tmp_path / "out" / "manifest.json").read_bytes()) == built.digest


def test_a_tar_tool_unpacks_a_bundle(tmp_path: Path) -> None:
    """With nothing but tar and sha256sum a person gets at every blob."""
    report = bundle(tmp_path, QUICK)
    run("tar", "-xf", tmp_path / "bundle", "-C", tmp_path)
    for item in report.manifest.blobs:
        digest = item.descriptor.digest
        assert Digest.of((tmp_path / "blobs" / "sha256" / digest.hex).read_bytes()) == digest


@contextmanager
def daemon(folder: Path, socket: Path, *command: str | Path) -> Iterator[None]:
    """Run a daemon until the block ends; wait for its socket."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([str(c) for c in command], stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not socket.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            # Another process comes up: there is nothing to wait on but time.
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def docker_daemon(folder: Path) -> Iterator[str]:
    """Run a Docker daemon without network on a private socket; yield its address."""
    with TemporaryDirectory(prefix="docker") as short:
        socket = Path(short) / "docker.sock"  # a socket's path has at most 107 bytes
        with daemon(
            folder,
            socket,
            *("dockerd", "-H", f"unix://{socket}", "--data-root", folder / "data"),
            *("--exec-root", Path(short) / "exec", "--pidfile", folder / "pid"),
            *("--storage-driver", "vfs", "--bridge", "none", "--userland-proxy=false"),
            *("--iptables=false", "--ip6tables=false", "--ip-forward=false"),
        ):
            yield f"unix://{socket}"


def test_docker_loads_a_bundle(tmp_path: Path) -> None:
    """`docker load` of Debian's Docker takes every image of a plain bundle."""
    source = several_images()
    bundle(tmp_path, QUICK, source)
    with docker_daemon(tmp_path / "docker") as host:
        run("docker", "-H", host, "load", "-i", tmp_path / "bundle")
        for name in LOADABLE:
            found = run("docker", "-H", host, "image", "inspect", "-f", "{{.Id}}", name).strip()
            assert found == image_id(source, name)


@contextmanager
def containerd(folder: Path) -> Iterator[Path]:
    """Run containerd on a private socket; yield the socket."""
    folder.mkdir(parents=True)
    with TemporaryDirectory(prefix="containerd") as short:
        socket = Path(short) / "containerd.sock"
        config: dict[str, Any] = {"root": f"{folder / 'root'}", "state": f"{short}/state"}
        lines = ["version = 2", 'disabled_plugins = ["io.containerd.grpc.v1.cri"]']
        lines += [f"{key} = {json.dumps(value)}" for key, value in config.items()]
        lines += ["[grpc]", f"address = {json.dumps(str(socket))}"]
        (folder / "config.toml").write_text("\n".join(lines))
        with daemon(folder, socket, "containerd", "--config", folder / "config.toml"):
            yield socket


def test_containerd_imports_a_bundle(tmp_path: Path) -> None:
    """`ctr images import` keeps every name with its original digest, the artifact too."""
    source = several_images()
    bundle(tmp_path, QUICK, source)
    with containerd(tmp_path / "c") as socket:
        ctr = ("ctr", "-a", socket)
        run(*ctr, "images", "import", "--no-unpack", "--all-platforms", tmp_path / "bundle")
        listed = [line.split() for line in run(*ctr, "images", "ls").splitlines()[1:]]
        found = {fields[0]: fields[2] for fields in listed}
    assert found == {str(r): built.digest for r, built in source.roots.items()}
