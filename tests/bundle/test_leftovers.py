"""Which files a bundle has, and what became of one that was about to get its name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airgap.bundle import durable
from airgap.bundle.ledger import WrittenFile
from airgap.bundle.leftovers import Fate, delete, fate_of, files_of
from airgap.errors import Refused

WHOLE = ["b.tar", "b.tar.sha256", "b.tar.001", "b.tar.002", "b.tar.p01", "b.tar.volumes.json"]
OTHERS = ["b.tar.partial", "b.tar.1", "b.tar.001.damaged", "xb.tar", "b_tar", "b.tar.gz"]


def test_only_files_of_the_bundle_are_its_files(tmp_path: Path) -> None:
    """Names are matched whole: what merely begins alike is somebody else's."""
    for name in (*WHOLE, *OTHERS):
        (tmp_path / name).write_bytes(b"12")
    found = files_of(tmp_path / "b.tar")
    assert sorted(file.path.name for file in found) == sorted(WHOLE)
    assert {file.size for file in found} == {2}


@pytest.mark.parametrize(
    "there, fate",
    [
        ([], Fate.GONE),
        (["b.tar"], Fate.PUBLISHED),
        (["b.tar", "b.tar.sha256"], Fate.PUBLISHED),
        (["b.tar.partial"], Fate.NEVER),
        (["b.tar", "b.tar.partial"], Fate.NEVER),
        (["b.tar.001", "b.tar.volumes.json"], Fate.PUBLISHED),
        (["b.tar.001.partial", "b.tar.volumes.json.partial"], Fate.NEVER),
        (["b.tar.001", "b.tar.volumes.json.partial"], Fate.GONE),
        (["b.tar.001"], Fate.GONE),
    ],
)
def test_what_is_left_tells_what_became_of_it(tmp_path: Path, there: list[str], fate: Fate) -> None:
    """A number may be given again only where the bundle can never have had its name."""
    for name in there:
        (tmp_path / name).touch()
    assert fate_of(tmp_path / "b.tar") is fate


def test_a_folder_that_is_not_there_any_more_tells_nothing(tmp_path: Path) -> None:
    """The stick was taken away."""
    assert fate_of(tmp_path / "stick" / "b.tar") is Fate.GONE


def test_a_bundle_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    """Its unfinished file is locked by who writes it."""
    path = tmp_path / "b.tar"
    file = durable.create_locked(durable.partial(path), path)
    with pytest.raises(Refused, match="another process is writing"):
        fate_of(path)
    os.close(file)


def test_deleting_spares_what_has_changed_since(tmp_path: Path) -> None:
    """A file of another size is not the one that was written."""
    for name in ("b.tar", "b.tar.sha256"):
        (tmp_path / name).write_bytes(b"123")
    changed = WrittenFile(tmp_path / "b.tar", 4)
    delete((changed, WrittenFile(tmp_path / "b.tar.sha256", 3), WrittenFile(tmp_path / "no", 1)))
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar"]
