"""The fuzzer over the bundle reader runs with the tests, for some seconds and from one seed."""

from __future__ import annotations

import asyncio
import io
import random
import sys
from pathlib import Path

import pytest

from airgap.bundle.stream import ZstdStream
from airgap.errors import BundleDamaged, Unsupported
from tests.bundle.fuzz_mutations import mutations_of
from tests.bundle.fuzz_subjects import Subject, make_subjects
from tests.bundle.samples import COMPRESSED, QUICK, write_bundle
from tests.support import images
from tests.support.command import run
from tests.support.memory import MemorySource

SECONDS = 20


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> list[Subject]:
    """Return a good bundle of each kind."""
    return make_subjects(tmp_path_factory.mktemp("subjects"))


async def test_mutated_bundles_are_refused_or_change_nothing() -> None:
    """No trial publishes anything else, fails with another error, hangs, or takes much memory."""
    command = ("-m", "tests.bundle.fuzz", "--seconds", str(SECONDS), "--seed", "1")
    done = await run(sys.executable, *command)
    assert done.code == 0, done.out + done.err
    assert " 0 findings" in done.out


def test_every_mutation_changes_bundles(subjects: list[Subject]) -> None:
    """Each of them, for each kind of bundle that it is for, does something to it."""
    for subject in subjects:
        for name, mutation in mutations_of(subject).items():
            changed = (
                mutation(random.Random(seed), subject) != subject.files  # noqa: S311 - repeatable
                for seed in range(9)
            )
            assert any(changed), (subject.name, name)


def test_a_good_bundle_is_what_it_is_made_of(subjects: list[Subject]) -> None:
    """The fuzzer reads what is inside by means of its own, and finds the same tar in all kinds."""
    inside = {
        subject.inside()
        for subject in subjects
        if not (subject.policy.trusted or subject.name.startswith("packed"))
    }
    assert len(inside) == 1


def test_every_single_bit_of_a_compressed_bundle(tmp_path: Path) -> None:
    """Each flip is refused, or (bits that say nothing) gives exactly the bytes that were inside."""
    source = MemorySource({"a:1": images.image([images.layer({"f": b"x"})])})
    for name, options in (("plain", QUICK), ("zstd", COMPRESSED)):
        asyncio.run(write_bundle(tmp_path / name, source, options))
    plain, stored = ((tmp_path / name).read_bytes() for name in ("plain", "zstd"))
    refused = 0
    for bit in range(len(stored) * 8):
        flipped = bytearray(stored)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            inside = decompressed(bytes(flipped), len(plain))
        except (BundleDamaged, Unsupported):
            refused += 1
        else:
            assert inside == plain, bit
    assert refused > 0.99 * 8 * len(stored)


def decompressed(stored: bytes, size: int) -> bytes:
    """Return what the reader of bundles makes of a zstd stream, read to its end."""
    with ZstdStream(Path("bundle"), io.BytesIO(stored)) as stream:
        inside = stream.read(size, "all of it")
        stream.expect_end()
    return inside
