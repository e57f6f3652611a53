"""Contents to pack: noise that nothing compresses, and tars of given files."""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Mapping


def noise(size: int, seed: int = 0) -> bytes:
    """Return bytes that have nothing in common with those of another seed."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - nobody guards a secret with it


def tar_of(files: Mapping[str, bytes], *, mtime: int = 0) -> bytes:
    """Return a tar of these files, in this order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), mtime
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
