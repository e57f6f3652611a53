"""The coder as machine code and as plain Python: one behaviour, whatever a model says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import airgap.deflate
from airgap.deflate.models import is_compiled

LIARS = 150
MIB = 1 << 20
GROWTH = 32 * MIB


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def test_what_the_tests_run_on_is_compiled() -> None:
    """Every module with C types beside it was compiled, since its source was last changed.

    To make it so: ``python .build/compile.py``.
    """
    room = Path(airgap.deflate.__file__).parent
    for types in room.rglob("*.pxd"):
        made = list(types.parent.glob(f"{types.stem}.*.so"))
        assert made, f"{types.stem} is not compiled"
        for source in (types, types.with_suffix(".py")):
            assert source.stat().st_mtime <= made[0].stat().st_mtime, f"{source.name} is newer"
    assert is_compiled()


def test_compiled_or_not_the_coder_does_the_same() -> None:
    """Plain bytes, recipes, errors, and what damaged recipes make, are alike for every file."""
    compiled = _run("tests.deflate.samples")
    plain = _run("tests.deflate.uncompiled", "tests.deflate.samples")
    assert "compiled: True" in compiled.stderr
    assert "compiled: False" in plain.stderr
    assert compiled.stdout == plain.stdout
    assert len(compiled.stdout.splitlines()) > 20


def test_streams_come_back_however_a_model_lies() -> None:
    """A model that says anything at all costs corrections, never a bit of the stream."""
    done = _run("tests.deflate.uncompiled", "tests.deflate.lying", str(LIARS))
    assert f"{LIARS} liars came back" in done.stdout


def test_memory_does_not_grow_with_the_stream() -> None:
    """A file of 300 MB is opened and rebuilt in the memory that one of 10 MB takes."""
    done = _run("tests.deflate.long_stream", str(300 * MIB))
    assert int(done.stdout) < GROWTH


def test_memory_does_not_leak_where_files_are_refused() -> None:
    """A thousand damaged files and recipes leave nothing behind."""
    done = _run("tests.deflate.long_stream", "refused", "1000")
    assert int(done.stdout) < GROWTH
