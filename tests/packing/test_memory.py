"""The bound of memory, held against what a process really takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airgap.packing.cutting import MIN_MEMORY
from tests.packing.tars import noise

MIB = 1024 * 1024

_PEAK = """
import re, sys
from pathlib import Path
from airgap.packing.delta import apply_delta, make_delta
from airgap.packing.scratch import file_pieces
{work}
status = Path("/proc/self/status").read_text()
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024)
"""
_MAKE = "make_delta([Path('base')], Path('target'), Path('delta'), memory={memory})"
_APPLY = """
with open("made", "wb") as made:
    made.writelines(apply_delta([Path("base")], file_pieces(Path("delta")), memory={memory}))
"""


def _peak(work: str, folder: Path) -> int:
    """Return the most bytes that a process has resident that does some work in a folder."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAK.format(work=work)],
        cwd=folder,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.fixture(name="layers", scope="module")
def _layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two versions of a layer, either larger than the memory there is."""
    folder = tmp_path_factory.mktemp("layers")
    blocks = [noise(MIB, seed=n) for n in range(280)]
    (folder / "base").write_bytes(b"".join(blocks))
    # Half of it has moved, a fourth stayed, and a fourth is new.
    new = [noise(MIB, seed=n) for n in range(1000, 1070)]
    target = b"".join([*blocks[140:], *new, *blocks[:70]])
    (folder / "target").write_bytes(target)
    return folder


def test_a_layer_larger_than_the_memory_stays_within_it(layers: Path) -> None:
    """On both sides, interpreter included; and what moved is found all the same."""
    assert (layers / "base").stat().st_size > MIN_MEMORY < (layers / "target").stat().st_size
    assert _peak(_MAKE.format(memory=MIN_MEMORY), layers) <= MIN_MEMORY
    assert _peak(_APPLY.format(memory=MIN_MEMORY), layers) <= MIN_MEMORY
    assert (layers / "made").read_bytes() == (layers / "target").read_bytes()
    assert (layers / "delta").stat().st_size < 72 * MIB
