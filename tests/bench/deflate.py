"""The deflate coder on real files of real encoders: how fast, and what recipes weigh.

Run it with ``python -m tests.bench.deflate``. Speeds are in MB of plain bytes a second of CPU time,
beside those of zlib's inflate and of its deflate at level 6 on the same bytes; recipes are in parts
of the gzip file.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from airgap.deflate.models import is_compiled
from airgap.deflate.opening import Opener
from airgap.deflate.rebuilding import Rebuilder

PIECE = 1 << 20
PEERS = Path(__file__).parent.parent / "deflate" / "peers"


@dataclass(frozen=True)
class Input:
    """Plain bytes, and how fast zlib is on them."""

    what: str
    plain: bytes
    inflate: float
    deflate: float


def tar(folder: str, size: int, suffix: str = "") -> bytes:
    """The first bytes of a tar of what is in a folder."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path in sorted(Path(folder).rglob(f"*{suffix}")):
            if path.is_file() and not path.is_symlink():
                archive.add(path, recursive=False)
            if made.tell() > size:
                break
    return made.getvalue()[:size]


def inputs(size: int) -> Iterator[Input]:
    """Libraries, programs and text."""
    for what, plain in (
        ("tar of /usr/lib", tar("/usr/lib", size)),
        ("tar of /usr/bin", tar("/usr/bin", size)),
        ("Python sources", tar(sys.base_prefix, size, ".py")),
    ):
        started = time.process_time()
        packed = zlib.compress(plain, 6)
        deflate = _speed(len(plain), started)
        started = time.process_time()
        zlib.decompress(packed)
        yield Input(what, plain, _speed(len(plain), started), deflate)


def _speed(size: int, started: float) -> float:
    return size / 1e6 / max(time.process_time() - started, 1e-9)


def _by(*command: str) -> Callable[[bytes], bytes]:
    def compress(plain: bytes) -> bytes:
        return subprocess.run(command, input=plain, capture_output=True, check=True).stdout

    return compress


def _zlib(level: int) -> Callable[[bytes], bytes]:
    def compress(plain: bytes) -> bytes:
        compressor = zlib.compressobj(level, zlib.DEFLATED, 31)
        return compressor.compress(plain) + compressor.flush()

    return compress


def encoders(folder: Path) -> Iterator[tuple[str, Callable[[bytes], bytes]]]:
    """Those that are installed."""
    for level in (1, 6, 9):
        yield f"zlib {level}", _zlib(level)
    for program in ("gzip", "pigz"):
        if shutil.which(program):
            for level in (1, 6, 9):
                yield f"{program} {level}", _by(program, f"-{level}", "-c")
    if shutil.which("go"):
        for level in (1, 6):
            yield f"Go {level}", _by(_built("gozip", folder), str(level), "32768")
        for which, level in (("pgzip", 5), ("pgzip", 6), ("gzip", 6)):
            name = "klauspost" if which == "gzip" else which
            yield f"{name} {level}", _by(_built("pgzip", folder), which, str(level), "32768")


def _built(name: str, folder: Path) -> str:
    """A program of the tests, built with the libraries of Debian's packages."""
    program = folder / name
    if not program.exists():
        environment = os.environ | {
            "GO111MODULE": "off",
            "GOPATH": "/usr/share/gocode",
            "GOCACHE": str(folder / "cache"),
        }
        command = ["go", "build", "-o", str(program), str(PEERS / f"{name}.go")]
        subprocess.run(command, check=True, env=environment, cwd=folder)
    return str(program)


def measure(given: Input, name: str, file: bytes) -> str:
    """Open a file and rebuild it; give a row of figures."""
    started = time.process_time()
    opener = Opener(max_recipe=len(file))
    for at in range(0, len(file), PIECE):
        opener.feed(file[at : at + PIECE])
    recipe = opener.finish()
    opening = _speed(len(given.plain), started)
    started = time.process_time()
    rebuilder = Rebuilder(recipe)
    made = bytearray()
    for at in range(0, len(given.plain), PIECE):
        made += rebuilder.feed(given.plain[at : at + PIECE])
    made += rebuilder.finish()
    rebuilding = _speed(len(given.plain), started)
    if made != file:
        raise SystemExit(f"{name} of {given.what} did not come back")
    share = 100 * len(recipe) / len(file)
    models = "+".join(opener.models)
    return f"{name:<12}{models:<22}{opening:>8.1f}{rebuilding:>8.1f}{len(recipe):>10}{share:>9.4f}%"


def main() -> None:
    """Print a table for each input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=40, help="of plain bytes of each input")
    size = parser.parse_args().megabytes * 1_000_000
    sys.stdout.write(f"the coder is {'' if is_compiled() else 'not '}compiled\n")
    with tempfile.TemporaryDirectory() as folder:
        chosen = list(encoders(Path(folder)))
        for given in inputs(size):
            sys.stdout.write(
                f"\n{given.what}, {len(given.plain) / 1e6:.0f} MB: "
                f"zlib inflates {given.inflate:.0f} and deflates {given.deflate:.0f} MB/s\n"
                f"{'encoder':<12}{'model':<22}{'open':>8}{'rebuild':>8}{'recipe':>10}{'':>10}\n"
            )
            for name, compress in chosen:
                sys.stdout.write(measure(given, name, compress(given.plain)) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
