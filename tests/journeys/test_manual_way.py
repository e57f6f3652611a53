"""The manual way, verb for verb: a page is put into busybox, and served on the other side."""

from __future__ import annotations

import json
import os
import sys
import tarfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from airgap.oci.digest import Digest
from tests.support.command import Done, airgap, run, succeed
from tests.support.debian import Buildah, busybox
from tests.support.podman import podman
from tests.support.real_registry import real_registry

pytestmark = [pytest.mark.xdist_group("real-peers"), pytest.mark.asyncio(loop_scope="module")]

PAGE = "<h1>across the gap</h1>\n"
COMMAND = ["/bin/httpd", "-f", "-h", "/data/html"]
AUTHOR = "Ada <ada@example.org>"
EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}
LIMITS = ("--network=none", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")


@dataclass(frozen=True)
class Places:
    """A registry with busybox in it, and a folder."""

    host: str
    folder: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def places(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Places]:
    """Pack Debian's busybox as an image with buildah, and push it into a real registry."""
    folder = tmp_path_factory.mktemp("manual")
    root = folder / "root.tar"
    with tarfile.open(root, "w") as tar:
        tar.add(busybox(), "bin/busybox")
        for applet in ("sh", "httpd", "wget", "sleep"):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(real_registry(folder / "registry"))
        buildah = Buildah(folder / "buildah")
        await buildah.image("busybox", (root, "/"))
        await buildah.push("busybox", f"{registry.host}/tools/busybox:1")
        yield Places(registry.host, folder)


async def ok(*arguments: str, store: Path | None = None, **more: str) -> Done:
    """Run a command that must succeed, on a store."""
    where = ("--store", str(store)) if store is not None else ()
    done = await airgap(*arguments, *where, environment=more)
    assert done.code == 0, f"{' '.join(arguments)}\n{done.out}{done.err}"
    return done


async def test_a_page_crosses_the_gap_in_busybox(places: Places, tmp_path: Path) -> None:
    """Pull, commit, tag, save, load elsewhere, push: podman serves it, skopeo and umoci agree."""
    here, there = tmp_path / "here", tmp_path / "there"
    base, other = f"{places.host}/tools/busybox:1", "local/other:1"
    await ok("pull", base, store=here)
    image_id = await _commit(base, "web:1", here, tmp_path)
    await ok("commit", "scratch", other, "--add", f"{busybox()}:/", store=here)

    await ok("tag", "web:1", "team/web:1", store=here)
    await ok("tag", image_id.hex[:12], "team/web:stable", store=here)
    listed = await ok("images", "team/web", "--json", store=here)
    assert {entry["id"] for entry in listed.document["images"]} == {image_id}
    archive = str(tmp_path / "both.tar")
    await ok("save", "-o", archive, "team/web:1", "team/web:stable", other, store=here)

    loaded = await ok("load", "-i", archive, store=there)
    assert "Loaded image: team/web:1" in loaded.out
    target = f"{places.host}/site/web"
    await ok("push", "team/web:1", f"{target}:1", store=there)
    await ok("push", "--all-tags", "team/web", target, store=there)

    tags = json.loads(
        await succeed("skopeo", "list-tags", "--tls-verify=false", f"docker://{target}")
    )
    assert sorted(tags["Tags"]) == ["1", "stable"]
    config = await succeed(
        "skopeo", "inspect", "--config", "--raw", "--tls-verify=false", f"docker://{target}:1"
    )
    assert Digest.of(config.encode()) == image_id
    await _podman_serves(f"{target}:1", image_id)
    layout = tmp_path / "layout"
    await ok("copy", f"docker://{target}:1", f"oci:{layout}:v1")
    await succeed("umoci", "unpack", "--image", f"{layout}:v1", str(tmp_path / "unpacked"))
    assert (tmp_path / "unpacked" / "rootfs" / "data" / "html" / "index.html").read_text() == PAGE


async def _commit(base: str, target: str, store: Path, folder: Path) -> Digest:
    page = folder / "index.html"
    page.write_text(PAGE)
    made = await ok(
        *("commit", base, target, "--add", f"{page}:/data/html/index.html:0:0:644"),
        *("-a", AUTHOR, "-m", "add the page", "-c", f"CMD {json.dumps(COMMAND)}", "--json"),
        store=store,
        **EPOCH,
    )
    return Digest(made.document["id"])


async def _podman_serves(name: str, image_id: Digest) -> None:
    async with podman() as place:
        await place("pull", "--quiet", "--tls-verify=false", name)
        seen = json.loads(await place("image", "inspect", name))[0]
        assert (seen["Id"], seen["Author"]) == (image_id.hex, AUTHOR)
        assert seen["Config"]["Cmd"] == COMMAND
        assert seen["History"][-1]["comment"] == "add the page"
        container = await place("--runtime", "runc", "run", "--detach", *LIMITS, name)
        try:
            fetch = ("/bin/sh", "-c", "until wget -q -O - http://127.0.0.1/; do sleep 0.1; done")
            shown = await place("--runtime", "runc", "exec", container.strip(), *fetch)
        finally:
            await place("--runtime", "runc", "rm", "--force", "--time=0", container.strip())
        assert shown == PAGE


async def test_a_commit_can_be_repeated_bit_for_bit(places: Places, tmp_path: Path) -> None:
    """Under SOURCE_DATE_EPOCH two machines make the same image of the same files."""
    base = f"{places.host}/tools/busybox:1"
    ids = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        await ok("pull", base, store=tmp_path / name / "store")
        ids.append(await _commit(base, "web:1", tmp_path / name / "store", tmp_path / name))
    assert ids[0] == ids[1]


async def test_an_image_can_be_looked_into(places: Places, tmp_path: Path) -> None:
    """Inspect, history, ls and cat tell what is inside, in the store and anywhere else."""
    store = tmp_path / "store"
    base = f"{places.host}/tools/busybox:1"
    await ok("pull", base, store=store)
    image_id = await _commit(base, "web:1", store, tmp_path)
    await ok("commit", "web:1", "bare:1", "--remove", "/data/html/index.html", store=store)

    cmd = await ok("inspect", "web:1", "--format", "{{json .Config.Cmd}} {{.Id}}", store=store)
    assert cmd.out.strip() == f"{json.dumps(COMMAND, separators=(',', ':'))} {image_id}"
    config = await ok("inspect", "web:1", "--config", "--raw", store=store)
    assert Digest.of(config.out.encode()) == image_id
    steps = await ok("history", "web:1", "--json", store=store)
    assert steps.document["steps"][0]["comment"] == "add the page"
    assert (await ok("cat", "web:1", "/data/html/index.html", store=store)).out == PAGE
    assert (await ok("ls", "web:1", "/data/html", store=store)).out == "index.html\n"
    assert (await ok("ls", "bare:1", "/data/html", store=store)).out == ""
    remote = await ok("ls", f"docker://{base}", "/bin")
    assert "busybox" in remote.out.split()


async def test_every_place_gives_back_what_it_was_given(places: Places, tmp_path: Path) -> None:
    """Round the whole house by ``copy``: the digest stays, whatever stands between."""
    store, name = tmp_path / "store", f"{places.host}/tools/busybox:1"
    archive, layout = tmp_path / "a.tar", tmp_path / "layout"
    await ok("copy", f"docker://{name}", f"oci:{layout}:v1")
    await ok("copy", f"oci:{layout}:v1", f"oci-archive:{archive}:team/x:1")
    await ok("copy", f"oci-archive:{archive}:team/x:1", f"dir:{tmp_path / 'dir'}")
    await ok("copy", f"dir:{tmp_path / 'dir'}", f"docker-archive:{tmp_path / 'b.tar'}:team/x:1")
    await ok("copy", f"docker-archive:{tmp_path / 'b.tar'}", "team/x:2", store=store)
    await ok("copy", "team/x:2", f"docker://{places.host}/copied:1", store=store)
    for place in (f"docker://{name}", f"docker://{places.host}/copied:1"):
        raw = await ok("inspect", "--raw", place)
        assert Digest.of(raw.out.encode()) == await _digest(name)
    seen = await succeed("skopeo", "inspect", "--raw", f"oci:{layout}:v1")
    assert Digest.of(seen.encode()) == await _digest(name)


async def test_an_archive_goes_through_a_pipe(places: Places, tmp_path: Path) -> None:
    """``save | load`` as people write it, compressed on the way."""
    one, two = tmp_path / "one", tmp_path / "two"
    name = f"{places.host}/tools/busybox:1"
    await ok("pull", name, store=one)
    command = f"airgap save {name} --store {one} | xz -1 | airgap load --store {two}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"AIRGAP_CONFIG": os.devnull, "PATH": path}
    done = await run("bash", "-eo", "pipefail", "-c", command, environment=environment)
    assert done.code == 0, done.err
    listed = await ok("images", "--json", store=two)
    assert [entry["digest"] for entry in listed.document["images"]] == [await _digest(name)]


async def _digest(name: str) -> Digest:
    raw = await succeed("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}")
    return Digest.of(raw.encode())


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
async def test_what_podman_saves_is_loaded(form: str, places: Places, tmp_path: Path) -> None:
    """Both formats of ``podman save``, with gzip around the one; the image id stays."""
    name = f"{places.host}/tools/busybox:1"
    saved = tmp_path / "saved.tar"
    async with podman() as place:
        await place("pull", "--quiet", "--tls-verify=false", name)
        image_id = json.loads(await place("image", "inspect", name))[0]["Id"]
        await place("save", "--format", form, "-o", str(saved), name)
    if form == "docker-archive":
        await succeed("gzip", str(saved))
        saved = saved.with_name("saved.tar.gz")
    await ok("load", "-i", str(saved), store=tmp_path / "store")
    listed = await ok("images", "--json", store=tmp_path / "store")
    assert [i["id"] for e in listed.document["images"] for i in e["images"]] == [
        f"sha256:{image_id}"
    ]
    shown = await ok("inspect", str(saved), "--format", "{{.Id}}")
    assert shown.out.strip() == f"sha256:{image_id}"


@pytest.mark.parametrize("form", ["docker", "oci"])
@pytest.mark.parametrize("packing", ["none", "zstd"])
async def test_skopeo_reads_what_is_saved(
    form: str, packing: str, places: Places, tmp_path: Path
) -> None:
    """Every format and packing that Debian's skopeo reads, by the image's full name."""
    store, name = tmp_path / "store", f"{places.host}/tools/busybox:1"
    await ok("pull", name, store=store)
    saved = tmp_path / "saved.tar"
    options = ("--format", form, "--compress", packing)
    await ok("save", "-o", str(saved), name, *options, store=store)
    config = await succeed("skopeo", "inspect", "--config", "--raw", f"{form}-archive:{saved}")
    image = await ok("inspect", name, "--format", "{{.Id}}", store=store)
    assert Digest.of(config.encode()) == image.out.strip()
