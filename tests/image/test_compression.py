"""Packings are told by their first bytes and undone within bounds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import ArchiveDamaged
from airgap.image import compression
from airgap.image.compression import Compression, detect, unpacked

PACKERS: dict[Compression, Callable[[bytes], bytes]] = {
    Compression.NONE: bytes,
    Compression.GZIP: gzip.compress,
    Compression.ZSTD: zstandard.compress,
    Compression.XZ: lzma.compress,
    Compression.BZIP2: bz2.compress,
}


def read_all(packed: bytes, piece: int = 65536) -> bytes:
    """Unpack a whole stream."""
    stream = unpacked(io.BytesIO(packed), "stream")
    return b"".join(iter(lambda: stream.read(piece), b""))


@given(st.binary(max_size=5000), st.sampled_from(list(Compression)), st.integers(1, 7000))
def test_what_is_packed_comes_out(content: bytes, packing: Compression, piece: int) -> None:
    """Every packing gives the bytes back, read in pieces of any size."""
    if packing is Compression.NONE:
        content = b"plain" + content
    assert detect(PACKERS[packing](content)[:6]) is packing
    assert read_all(PACKERS[packing](content), piece) == content


@given(st.binary(max_size=200), st.sampled_from(list(Compression)))
def test_rubbish_is_damage(content: bytes, packing: Compression) -> None:
    """What only begins like a packing is refused with our error, or is plain."""
    magic = PACKERS[packing](b"x" * 100)[:6]
    try:
        read_all(magic + content)
    except ArchiveDamaged as error:
        assert error.thing == "stream"  # noqa: PT017 - both ways out are good
    else:
        assert packing in {Compression.NONE, Compression.ZSTD}


def test_a_zstd_file_may_begin_with_a_skippable_frame() -> None:
    """A frame that readers skip (RFC 8878, 3.1.2) may stand before the first real one."""
    skippable = struct.pack("<II", 0x184D2A53, 4) + b"note"
    assert read_all(skippable + zstandard.compress(b"content")) == b"content"


def test_an_expansion_without_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing real expands as a bomb does; reading stops long before memory or time run out."""
    monkeypatch.setattr(compression, "_FREE_EXPANSION", 1_000_000)
    monkeypatch.setattr(compression, "MAX_EXPANSION", 100)
    with pytest.raises(ArchiveDamaged, match="expands"):
        read_all(gzip.compress(bytes(20_000_000)))


def test_a_dictionary_of_gigabytes_is_refused() -> None:
    """Streams that want more memory to be unpacked than any real one are damage."""
    # An encoder would need that memory itself, so a header is changed to ask for it.
    packed = bytearray(lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 4096}]))
    # Block header (xz format, 3.1): size, flags, filter id, size of properties, dictionary size.
    packed[12 + 4] = 36
    header = bytes(packed[12:20])
    packed[20:24] = struct.pack("<I", zlib.crc32(header))
    with pytest.raises(ArchiveDamaged):
        read_all(bytes(packed))
    window = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=28)
    ).compressobj()
    with pytest.raises(ArchiveDamaged):
        read_all(window.compress(b"x") + window.flush())
