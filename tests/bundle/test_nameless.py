"""Files without a name: nothing of them is seen, and they grow no further than they should."""

from __future__ import annotations

from itertools import repeat
from pathlib import Path

import pytest

from airgap.bundle.nameless import NamelessFile
from airgap.errors import ContentMismatch
from airgap.oci.digest import Digest


def test_a_nameless_file_can_be_read_and_is_in_no_listing(tmp_path: Path) -> None:
    """This process opens it by its path; the folder stays empty."""
    with NamelessFile(tmp_path) as file:
        digest = Digest.of(b"opened")
        assert file.fill([b"op", b"ened"], digest, 6) == digest
        assert file.path.read_bytes() == b"opened"
        assert list(tmp_path.iterdir()) == []


def test_what_is_made_without_end_does_not_fill_the_disk(tmp_path: Path) -> None:
    """A hostile delta may make more than the bundle announced; that ends at once."""
    with NamelessFile(tmp_path) as file:
        with pytest.raises(ContentMismatch, match="more than"):
            file.fill(repeat(bytes(1000)), Digest.of(b""), 4096)
        assert file.size == 4000
