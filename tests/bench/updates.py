"""What an update weighs: whole blobs, ``small``, ``delta``, and the bound of zstd on plain tars.

Run it with ``python -m tests.bench.updates [--encoder go|pgzip] [--folder DIR] [--bound LEVEL]``.
The layers are real (``update_layers.py``), compressed as Docker (go) or podman (pgzip) does; each
way has a store of its own on the other side, which takes in both versions and has every blob bit
for bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.bars import bars
from tests.bench.measuring import Cost, run
from tests.bench.update_layers import NAMES, build

WAYS = ("plain", "small", "delta")
PEERS = Path(__file__).parent.parent / "deflate" / "peers"
ENCODERS = {
    "go": ("gozip.go", ("-1", "32768")),
    "pgzip": ("pgzip.go", ("pgzip", "-1", "1048576")),
}
NAME = "registry.example/team/app:latest"
MEGABYTE = 1e6


@dataclass
class Bench:
    """The places, and what was measured.

    Attributes:
        folder: everything is in it.
        encoder: what compresses the layers.
        sizes: bytes of each bundle, by way and version.
        exports: what each export cost.
        imports: what each import cost.
    """

    folder: Path
    encoder: str
    sizes: dict[tuple[str, int], int] = field(default_factory=dict)
    exports: dict[tuple[str, int], Cost] = field(default_factory=dict)
    imports: dict[tuple[str, int], Cost] = field(default_factory=dict)

    def compressor(self) -> Sequence[str]:
        """Build the encoder; return the command that compresses standard input."""
        source, arguments = ENCODERS[self.encoder]
        program = self.folder / self.encoder
        environment = {
            **os.environ,
            "GO111MODULE": "off",
            "GOPATH": "/usr/share/gocode",
            "GOCACHE": str(self.folder / "gocache"),
        }
        build_it = ["go", "build", "-o", str(program), str(PEERS / source)]
        subprocess.run(build_it, check=True, env=environment)
        return [str(program), *arguments]

    def blobs(self, tars: Sequence[Path], version: int) -> list[Path]:
        """Compress the layers of a version."""
        command, made = self.compressor(), []
        for tar in tars:
            blob = self.folder / f"{tar.stem}.{self.encoder}.gz"
            if not blob.exists():
                with tar.open("rb") as plain, blob.open("wb") as packed:
                    subprocess.run(command, check=True, stdin=plain, stdout=packed)
            made.append(blob)
        self._layout(tars, made, version)
        return made

    def _layout(self, tars: Sequence[Path], blobs: Sequence[Path], version: int) -> None:
        """Make an OCI layout of one image."""
        layout = self.folder / f"image-{version}"
        shutil.rmtree(layout, ignore_errors=True)
        (layout / "blobs" / "sha256").mkdir(parents=True)

        def put(path: Path) -> dict[str, object]:
            digest = _sha256(path)
            (layout / "blobs" / "sha256" / digest).hardlink_to(path)
            return {"digest": f"sha256:{digest}", "size": path.stat().st_size}

        def put_json(name: str, document: object) -> dict[str, object]:
            path = self.folder / f"{name}-{version}.json"
            path.write_text(json.dumps(document))
            return put(path)

        base = "application/vnd.oci.image"
        diff_ids = [f"sha256:{_sha256(tar)}" for tar in tars]
        config = put_json(
            "config",
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": diff_ids},
            },
        )
        layers = [{"mediaType": f"{base}.layer.v1.tar+gzip", **put(blob)} for blob in blobs]
        manifest = put_json(
            "manifest",
            {
                "schemaVersion": 2,
                "mediaType": f"{base}.manifest.v1+json",
                "config": {"mediaType": f"{base}.config.v1+json", **config},
                "layers": layers,
            },
        )
        named = {
            "mediaType": f"{base}.manifest.v1+json",
            **manifest,
            "annotations": {"org.opencontainers.image.ref.name": "latest"},
        }
        (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
        (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def airgap(self, *arguments: str) -> Cost:
        """Run a command that must succeed."""
        config = self.folder / "airgap.yaml"
        command = [sys.executable, "-m", "airgap", *arguments, "--config", str(config)]
        return run([*command, "--json"])

    def carry(self, version: int) -> None:
        """Take a version across in every way."""
        connected = ("--store", str(self.folder / "connected"))
        self.airgap("copy", f"oci:{self.folder / f'image-{version}'}:latest", NAME, *connected)
        for way in WAYS:
            bundle = self.folder / f"{way}-{version}.tar"
            self.exports[way, version] = self.airgap("export", way, "-o", str(bundle), *connected)
            isolated = ("--store", str(self.folder / f"isolated-{way}"))
            self.imports[way, version] = self.airgap("import", str(bundle), *isolated)
            self.sizes[way, version] = bundle.stat().st_size

    def check(self, blobs: Sequence[Path]) -> None:
        """Check that every side has every blob bit for bit."""
        for way in WAYS:
            held = self.folder / f"isolated-{way}" / "blobs" / "sha256"
            for blob in blobs:
                assert _sha256(held / _sha256(blob)) == _sha256(blob), (way, blob)

    def bound(self, tars: Sequence[Path], bases: Sequence[Path], level: int) -> int:
        """Return what zstd makes of the plain tars, each against its own old version."""
        total = 0
        for tar, base in zip(tars, bases, strict=True):
            patch = self.folder / "patch"
            command = ["zstd", f"-{level}", "--long=31", "-q", "-f", f"--patch-from={base}"]
            subprocess.run([*command, str(tar), "-o", str(patch)], check=True)
            total += patch.stat().st_size
        return total

    def chart(self, blobs: Sequence[Sequence[Path]], bounds: Mapping[int, int]) -> str:
        """Draw what each way carries."""
        rows: list[tuple[str, float, bool]] = []
        for version, what in enumerate(("first bundle", "update")):
            whole = sum(blob.stat().st_size for blob in blobs[version])
            rows.append((f"{what}: the blobs", whole / MEGABYTE, False))
            ways = WAYS[1:] if version else WAYS[1:2]
            rows += [
                (f"{what}: --pack {way}", self.sizes[way, version] / MEGABYTE, True) for way in ways
            ]
        rows += [
            (f"update: zstd -{level} --patch-from", size / MEGABYTE, False)
            for level, size in bounds.items()
        ]
        return bars(f"What is carried, layers compressed as by {self.encoder}", rows, "MB")

    def lines(self, blobs: Sequence[Sequence[Path]], bounds: Mapping[int, int]) -> Iterator[str]:
        """Yield the tables."""
        whole = [sum(blob.stat().st_size for blob in version) for version in blobs]
        sums = " and ".join(map(_megabytes, whole))
        yield f"layers compressed as {self.encoder}: {sums} MB"
        yield f"{'what':<22}{'MB':>9}{'of blobs':>10}{'export':>26}{'import':>26}"
        for version in (0, 1):
            for way in WAYS:
                size = self.sizes[way, version]
                exported = _cost(self.exports[way, version])
                imported = _cost(self.imports[way, version])
                yield (
                    f"{f'version {version + 1}, {way}':<22}{_megabytes(size):>9}"
                    f"{size / whole[version]:>10.1%}{exported:>26}{imported:>26}"
                )
        delta = self.sizes["delta", 1]
        for level, size in bounds.items():
            yield (
                f"{f'zstd -{level} on tars':<22}{_megabytes(size):>9}{size / whole[1]:>10.1%}"
                f"   delta is {delta / size:.2f} of it"
            )


def _cost(cost: Cost) -> str:
    return f"{cost.wall:.0f} s, cpu {cost.cpu:.0f}, {cost.memory / MEGABYTE:.0f} MB"


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:.1f}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def measure(
    folder: Path, encoder: str, levels: Sequence[int], charts: Path | None
) -> Iterator[str]:
    """Run everything; yield the lines of the report."""
    first, second = build(folder / "layers")
    work = folder / encoder
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    channels = {
        way: {"output": "unused.tar", "policy": "assume-delivered", "pack": way} for way in WAYS
    }
    (work / "airgap.yaml").write_text(json.dumps({"export": channels}))
    bench = Bench(work, encoder)
    blobs = []
    for version, tars in enumerate((first, second)):
        blobs.append(bench.blobs(tars, version))
        bench.carry(version)
        bench.check(blobs[version])
    for name, tar, blob in zip(NAMES, second, blobs[1], strict=True):
        plain, packed = (_megabytes(path.stat().st_size) for path in (tar, blob))
        yield f"  {name:<8} {plain:>8} MB plain, {packed:>8} MB"
    bounds = {level: bench.bound(second, first, level) for level in levels}
    yield from bench.lines(blobs, bounds)
    if charts is not None:
        (charts / f"update-{encoder}.svg").write_text(bench.chart(blobs, bounds))


def main() -> None:
    """Read the command line and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", choices=sorted(ENCODERS), action="append")
    parser.add_argument("--folder", type=Path, help="keep layers here for the next time")
    parser.add_argument("--bound", type=int, nargs="*", default=[9], help="levels of zstd")
    parser.add_argument("--charts", type=Path, help="write a chart of each encoder here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="airgap-updates-") as scratch:
        for encoder in arguments.encoder or sorted(ENCODERS):
            folder = arguments.folder or Path(scratch)
            for line in measure(folder, encoder, arguments.bound, arguments.charts):
                print(line, flush=True)  # noqa: T201 - its report


if __name__ == "__main__":
    main()
