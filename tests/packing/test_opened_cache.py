"""What is known of blobs: kept, found again, and never believed when it is damaged."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.oci.digest import Digest
from airgap.packing.opened import Form, Opened
from airgap.packing.opened_cache import KnownBlob, OpenedCache
from airgap.packing.signature import Signature
from tests.packing.tars import noise

BLOB = Digest.of(b"blob")
PLAIN = Digest.of(b"plain")
SIGNATURE = Signature.of([("bin/tool", 500), ("etc/motd", 3)])
GZIP = KnownBlob(Opened(Form.GZIP, PLAIN, 5, b"recipe"), SIGNATURE)
WHOLE = KnownBlob(Opened(Form.WHOLE, reason="it is zstd"))


def _cache(folder: Path, *, generation: str = "1", limit: int = 1 << 20) -> OpenedCache:
    return OpenedCache(folder / "cache", generation=generation, limit=limit)


@pytest.mark.parametrize(
    "known",
    [
        GZIP,
        WHOLE,
        KnownBlob(Opened(Form.PLAIN, BLOB, 4), SIGNATURE),
        KnownBlob(Opened(Form.PLAIN, BLOB, 4)),
        KnownBlob(Opened(Form.WHOLE, reason="it is not worth it"), SIGNATURE),
    ],
    ids=["gzip", "whole", "plain", "plain and no tar", "whole and a tar"],
)
def test_what_is_known_is_found_again(tmp_path: Path, known: KnownBlob) -> None:
    """By the same process and by the next one."""
    assert _cache(tmp_path).put(BLOB, known)
    assert _cache(tmp_path).get(BLOB) == known
    assert _cache(tmp_path).get(PLAIN) is None


def test_there_need_not_be_a_folder(tmp_path: Path) -> None:
    """Before the first blob nothing is known, and nothing fails."""
    assert _cache(tmp_path).get(BLOB) is None


def test_a_newer_coder_tries_again_what_an_older_one_could_not(tmp_path: Path) -> None:
    """But a recipe is good for ever."""
    old, new = _cache(tmp_path), _cache(tmp_path, generation="2")
    old.put(BLOB, WHOLE)
    assert new.get(BLOB) is None
    old.put(BLOB, GZIP)
    assert new.get(BLOB) == GZIP


@given(place=st.integers(0), change=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_file_counts_as_missing_and_goes(place: int, change: int, *, cut: bool) -> None:
    """Torn by a power cut or changed on disk: the blob is opened again."""
    with TemporaryDirectory() as name:
        cache = _cache(Path(name))
        cache.put(BLOB, GZIP)
        (path,) = (Path(name) / "cache").iterdir()
        raw = bytearray(path.read_bytes())
        place %= len(raw)
        if cut:
            del raw[place:]
        else:
            raw[place] ^= change
        path.write_bytes(raw)
        assert cache.get(BLOB) is None
        assert not path.exists()


def test_a_file_under_another_name_is_not_believed(tmp_path: Path) -> None:
    """Whole as it is, it speaks of another blob."""
    cache = _cache(tmp_path)
    cache.put(BLOB, GZIP)
    (path,) = (tmp_path / "cache").iterdir()
    path.rename(path.with_name(path.name.replace(BLOB.hex, PLAIN.hex)))
    assert cache.get(PLAIN) is None


def test_the_least_recently_used_go_when_room_is_short(tmp_path: Path) -> None:
    """Reading counts as use; what a killed process left half-written counts as size."""
    cache = _cache(tmp_path, limit=40_000)
    blobs = [Digest.of(bytes([n])) for n in range(5)]
    folder = tmp_path / "cache"
    for age, blob in enumerate(blobs[:4]):
        cache.put(blob, KnownBlob(Opened(Form.GZIP, PLAIN, 5, noise(8000))))
        os.utime(folder / f"sha256-{blob.hex}.opened", (1000 + age, 1000 + age))
    (folder / "killed.partial").write_bytes(bytes(5000))
    os.utime(folder / "killed.partial", (1, 1))
    assert cache.get(blobs[0]) is not None
    cache.put(blobs[4], KnownBlob(Opened(Form.GZIP, PLAIN, 5, noise(9500))))
    assert [cache.get(blob) is not None for blob in blobs] == [True, False, True, True, True]
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 40_000
    assert not (folder / "killed.partial").exists()


def test_what_is_too_large_is_not_kept(tmp_path: Path) -> None:
    """One recipe does not push out all others."""
    cache = _cache(tmp_path, limit=40_000)
    assert not cache.put(BLOB, KnownBlob(Opened(Form.GZIP, PLAIN, 5, noise(20_000))))
    assert cache.get(BLOB) is None


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    """There is a file in its place here: nothing is kept, and nothing fails."""
    (tmp_path / "cache").write_bytes(b"")
    cache = _cache(tmp_path)
    assert not cache.put(BLOB, GZIP)
    assert cache.get(BLOB) is None


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """Where the name is taken by a folder, the temporary file goes again."""
    (tmp_path / "cache" / f"sha256-{BLOB.hex}.opened" / "in the way").mkdir(parents=True)
    assert not _cache(tmp_path).put(BLOB, GZIP)
    assert len(list((tmp_path / "cache").iterdir())) == 1
