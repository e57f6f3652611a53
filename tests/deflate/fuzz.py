"""A fuzzer over the deflate coder: ``python -m tests.deflate.fuzz --seconds 600``.

Each trial damages a gzip file and opens it, or damages a recipe or its plain bytes and rebuilds by
it. What must come of it: a file is refused, or comes back bit for bit, with the plain bytes that
zlib finds in it; a recipe is refused, or makes some bytes, of a bounded number. Anything else is a
finding: another exception, a crash, a trial that does not end in time, or more memory than a worker
may have. Trials run in a worker process whose address space is limited; a trial is repeated with
``--seed`` and ``--trial``.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import resource
import subprocess
import sys
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Sequence
from random import Random

from airgap.deflate.container import TRAILER, header_size
from airgap.deflate.faults import CannotOpen, CannotRebuild
from airgap.deflate.models import names
from airgap.deflate.opening import Opener
from airgap.deflate.rebuilding import Rebuilder
from tests.deflate.fuzz_subjects import Subject, as_recipe, make_subjects, mutated, other_recipe
from tests.deflate.streams import chance
from tests.deflate.trips import ANY_SIZE, pieces

ADDRESS_SPACE = 1 << 30
"""Bytes of memory, libraries and all, that a worker may map."""

SECONDS_LIMIT = 60
"""A trial that takes longer hangs; then the worker ends, and says where it was."""

MOST_MADE = 1 << 24
"""Bytes that a recipe makes at most of what the fuzzer has."""

_FOUND = 3  # the exit code of a worker that has a finding


def _open(random: Random, subject: Subject) -> str:
    """Damage a file and open it."""
    kind, file = mutated(random, subject.file)
    models = None if random.random() < 0.1 else [random.choice(names())]
    opener = Opener(max_recipe=ANY_SIZE, models=models)
    size = random.choice((1 << 20, 1 << 20, 4097, 333))
    try:
        plain = b"".join(opener.feed(part) for part in pieces(file, size))
        recipe = opener.finish()
    except CannotOpen:
        return f"file, {kind}: refused"
    rebuilder = Rebuilder(recipe)
    made = b"".join(rebuilder.feed(part) for part in pieces(plain, size)) + rebuilder.finish()
    assert made == file, "another file came back"
    assert _plain_by_zlib(file) == plain, "zlib finds other plain bytes"
    return f"file, {kind}: came back"


def _plain_by_zlib(file: bytes) -> bytes:
    """What zlib finds in the members of a file that has no damage but in trailers and tail."""
    plain = bytearray()
    while file[:3] == b"\x1f\x8b\x08" and not file[3] & 0xE0:
        reader = zlib.decompressobj(31)
        try:
            member = reader.decompress(file)
            file = reader.unused_data
        except zlib.error:
            return _plain_around(file, plain)
        if not reader.eof:
            return bytes(plain)
        plain += member
    return bytes(plain)


def _plain_around(file: bytes, plain: bytearray) -> bytes:
    """Go on behind a header or trailer that is not true."""
    size = header_size(file)
    assert size is not None
    reader = zlib.decompressobj(-15)
    plain += reader.decompress(file[size:])
    return bytes(plain) + _plain_by_zlib(reader.unused_data[TRAILER:])


def _rebuild(random: Random, subject: Subject) -> str:
    """Damage a recipe, or plain bytes, and rebuild."""
    plain, recipe = subject.plain, subject.recipe
    chosen = random.random()
    if chosen < 0.1:
        kind, recipe = mutated(random, recipe)
        kind = f"as it is, {kind}"
    elif chosen < 0.2:
        kind, payload = mutated(random, subject.payload)
        kind = f"unpacked, {kind}"
        recipe = as_recipe(payload)
    elif chosen < 0.3:
        kind, plain = mutated(random, plain)
        kind = f"with plain {kind}"
    else:
        payload = subject.payload
        for _ in range(random.choice((1, 1, 2, 4))):
            kind, payload = other_recipe(random, payload)
        recipe = as_recipe(payload)
    made = 0
    try:
        rebuilder = Rebuilder(recipe)
        size = random.choice((1 << 20, 1 << 20, 65_537, 999))
        for part in pieces(plain, size):
            made += sum(map(len, rebuilder.pieces(part)))
        made += sum(map(len, rebuilder.last_pieces()))
    except CannotRebuild:
        return f"recipe, {kind}: refused"
    assert made < MOST_MADE, f"{made} bytes were made"
    return f"recipe, {kind}: made bytes"


def trial(seed: int, number: int, subjects: Sequence[Subject]) -> str:
    """Try one thing, and say what came of it."""
    random = chance(seed * 1_000_003 + number)
    subject = random.choice(subjects)
    act = _open if random.random() < 0.4 else _rebuild
    return act(random, subject)


def work(seed: int, first: int, seconds: float, only: int | None) -> int:
    """Make trials until the time is over; print what came of them, and how far it came."""
    subjects = make_subjects(chance(seed))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    faulthandler.enable()
    outcomes: Counter[str] = Counter()
    until = time.monotonic() + seconds
    number = first if only is None else only
    while time.monotonic() < until:
        os.write(1, b"at %d\n" % number)
        faulthandler.dump_traceback_later(SECONDS_LIMIT, exit=True)
        try:
            outcomes[trial(seed, number, subjects)] += 1
        except Exception:  # noqa: BLE001 - whatever else comes out is what is looked for
            sys.stderr.write(f"finding: trial {number} of seed {seed}\n{traceback.format_exc()}")
            return _FOUND
        finally:
            faulthandler.cancel_dump_traceback_later()
        if only is not None:
            break
        number += 1
    for outcome, count in sorted(outcomes.items()):
        os.write(1, f"{count:>8} {outcome}\n".encode())
    return 0


def main() -> int:
    """Run workers one after another until the time is over, and count their findings."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trial", type=int)
    parser.add_argument("--first", type=int, help="a worker: the trial to begin with")
    chosen = parser.parse_args()
    if chosen.first is not None:
        return work(chosen.seed, chosen.first, chosen.seconds, chosen.trial)
    until = time.monotonic() + chosen.seconds
    first = trials = findings = 0
    while (left := until - time.monotonic()) > 0 and (not trials or chosen.trial is None):
        command = [sys.executable, "-m", "tests.deflate.fuzz", "--seed", str(chosen.seed)]
        command += ["--first", str(first), "--seconds", str(left)]
        if chosen.trial is not None:
            command += ["--trial", str(chosen.trial)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        reached = [int(line.split()[1]) for line in lines if line.startswith("at ")]
        sys.stdout.writelines(f"{line}\n" for line in lines if not line.startswith("at "))
        if not reached:
            sys.stdout.write(f"no trial was made, exit {done.returncode}\n{done.stderr}\n")
            return 1
        if done.returncode:
            findings += 1
            sys.stdout.write(f"trial {reached[-1]}, exit {done.returncode}\n{done.stderr}\n")
        trials += len(reached)
        first = reached[-1] + 1
    sys.stdout.write(f"{trials} trials, {findings} findings\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
