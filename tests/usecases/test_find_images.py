"""Finding images in files, folders, archives and pipes."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from airgap.errors import NotFound, Unsupported
from airgap.usecases.find_images import MAX_FILE_SIZE, find_images, find_in_stream
from tests.support.command import airgap
from tests.support.images import image, random_layer
from tests.support.scripted_registry import ScriptedRegistry

POD = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: %s}]}\n"


def packed(files: dict[str, bytes]) -> bytes:
    """Return a chart as ``helm package`` writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"chart/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


SUBCHART = packed(
    {
        "Chart.yaml": b"name: redis-cluster\nversion: 18.1.0\nappVersion: 7.2.4\n",
        "values.yaml": b"image: {repository: bitnami/redis}\n",
    }
)
CHART = {
    "Chart.yaml": b"name: shop\nappVersion: '2'\n",
    "values.yaml": b"image: {repository: shop/web}\nredis-cluster: {image: {tag: custom}}\n",
    "templates/x.yaml": b"image: {{ .Values.image.repository }}:{{ .Chart.AppVersion }}\n",
    "charts/redis-cluster-18.1.0.tgz": SUBCHART,
}
OF_CHART = ["docker.io/bitnami/redis:custom", "docker.io/shop/web:2"]


async def found(*paths: Path) -> list[str]:
    """Return the references that paths name."""
    return [str(reference) for reference in (await find_images(paths)).references]


async def test_a_chart_is_read_from_its_archive_and_from_its_folder(tmp_path: Path) -> None:
    """Subcharts are archives within; the parent's values for them count in both cases."""
    archive = tmp_path / "shop-1.0.0.tgz"
    archive.write_bytes(packed(CHART))
    folder = tmp_path / "shop"
    for name, content in CHART.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert await found(archive) == OF_CHART
    assert await found(folder) == OF_CHART


async def test_a_folder_is_searched_for_manifests_and_charts(tmp_path: Path) -> None:
    """YAML and JSON of every depth; no hidden files, no other text, no links out of it."""
    (tmp_path / "deep/.git").mkdir(parents=True)
    (tmp_path / "a.yaml").write_text(POD % "one:1")
    (tmp_path / "deep/b.yml").write_text(POD % "two:1")
    (tmp_path / "deep/c.json").write_text('{"image": "three:1"}')
    (tmp_path / "deep/.git/d.yaml").write_text(POD % "hidden:1")
    (tmp_path / "README.txt").write_text("not a list of images")
    (tmp_path / "deep/loop").symlink_to(tmp_path)
    (tmp_path / "chart.tgz").write_bytes(packed(CHART))
    (tmp_path / "backup.tgz").write_bytes(b"no archive at all")
    findings = await find_images([tmp_path])
    assert [str(r) for r in findings.references] == [
        "docker.io/bitnami/redis:custom",
        "docker.io/library/one:1",
        "docker.io/library/three:1",
        "docker.io/library/two:1",
        "docker.io/shop/web:2",
    ]
    assert [item.text for item in findings.unread] == ["backup.tgz"]


async def test_variables_beside_a_compose_file_count(tmp_path: Path) -> None:
    """As ``docker compose`` reads ``.env``."""
    (tmp_path / ".env").write_text('# versions\nexport WEB="1.5"\nPG=16 # newest\n')
    compose = tmp_path / "compose.yaml"
    compose.write_text("services: {web: {image: 'web:$WEB'}, db: {image: 'postgres:${PG}'}}")
    assert await found(compose) == ["docker.io/library/postgres:16", "docker.io/library/web:1.5"]


def test_a_pipe_is_read() -> None:
    """``helm template x | airgap images find -``."""
    findings = find_in_stream(io.BytesIO((POD % "nginx:1").encode()))
    assert [str(item.place) for item in findings.found] == ["-:3: Pod: spec.containers[0].image"]


@pytest.mark.parametrize(
    "name,content",
    [
        ("x.tgz", b"no archive"),
        ("x.tgz", packed({"README.md": b"no chart"})),
        ("x.yaml", b"\xff\xfe\x00"),
        ("x.yaml", b" " * (MAX_FILE_SIZE + 1)),
    ],
)
async def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    """Archives that are none, bytes that are no text, files beyond any manifest."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Unsupported, match=name):
        await find_images([path])
    with pytest.raises(NotFound):
        await find_images([tmp_path / "absent"])


async def test_an_archive_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    """A few hundred kilobytes that become hundreds of megabytes."""
    path = tmp_path / "bomb.tgz"
    path.write_bytes(packed({"a.yaml": bytes(70_000_000), "b.yaml": bytes(70_000_000)}))
    with pytest.raises(Unsupported, match=r"larger than any chart|too many"):
        await find_images([path])


async def test_the_command_prints_references_and_where_they_stand(tmp_path: Path) -> None:
    """Plain for pipes, with places for people, in full for machines; what is unclear is told."""
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(POD % "nginx:1" + "---\n" + POD % "'$(IMAGE)'")
    done = await airgap("images", "find", str(manifest))
    assert done.code == 0, done.err
    assert done.out == "docker.io/library/nginx:1\n"
    assert "pod.yaml:7" in done.err
    done = await airgap("images", "find", "-v", str(manifest))
    assert f"{manifest}:3: Pod: spec.containers[0].image" in done.out
    done = await airgap("images", "find", "--json", "-", given=POD % "redis:7")
    assert done.document["images"][0]["places"] == [
        {"file": "-", "line": 3, "key": "Pod: spec.containers[0].image"}
    ]
    empty = tmp_path / "empty.yaml"
    empty.write_text("a: 1\n")
    assert (await airgap("images", "find", str(empty))).code == 5


async def test_a_mirror_entry_takes_what_a_file_names(
    upstream: ScriptedRegistry, tmp_path: Path
) -> None:
    """``from-file``, relative to the config; its other keys hold for every image of it."""
    for name in ("web:1", "db:2"):
        upstream.add(name, image([random_layer(1)]))
    (tmp_path / "pod.yaml").write_text(POD % f"{upstream.host}/web:1")
    (tmp_path / "list.txt").write_text(f"{upstream.host}/db:2\n")
    config = tmp_path / "airgap.yaml"
    config.write_text("mirror:\n  - from-file: [pod.yaml, list.txt]\n    referrers: false\n")
    options = ("--config", str(config), "--store", str(tmp_path / "store"))
    done = await airgap("mirror", *options)
    assert done.code == 0, done.err
    listed = await airgap("images", *options, "--json")
    names = [entry["reference"] for entry in listed.document["images"]]
    assert sorted(names) == [f"{upstream.host}/db:2", f"{upstream.host}/web:1"]
