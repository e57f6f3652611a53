"""A fuzzer over everything that reads bundles: ``python -m tests.bundle.fuzz --seconds 600``.

Each trial damages or forges a good bundle and imports it into a new store. What must come of it:
either it is refused with an error that a person can read, and no name is published; or exactly the
names and the content of the good bundle are, and (where a bit was flipped) the bytes inside are
those of the good bundle. Anything else is a finding: another exception, other content, a trial that
does not end in time, or that takes more memory than it may. A trial is repeated with its seed and
number.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from airgap.bundle.access import open_bundle
from airgap.bundle.medium import Medium
from airgap.bundle.opening import find_bundle
from airgap.bundle.signatures import check_signatures
from airgap.bundle.unpacking_means import UnpackingMeans
from airgap.bundle.verify import verify_bundle
from airgap.errors import AirgapError, BundleDamaged, ContentMismatch
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from airgap.store.journal import StoreJournal
from airgap.store.lookups import all_names
from airgap.store.places import Places
from airgap.store.store import Store
from airgap.usecases.reception import admit, receive
from tests.bundle.fuzz_mutations import Files, mutations_of
from tests.bundle.fuzz_subjects import NAME, Subject, make_subjects

MEMORY_LIMIT = 320 * 1024 * 1024
"""Bytes that a trial may take on top: a zstd window of 128 MiB, a ``bundle.json`` of 32 MiB as
Python objects, and some."""

SECONDS_LIMIT = 60.0
"""A trial that takes longer hangs; then the program ends, and says where it was."""

_FLIPS = frozenset({"one bit flipped", "one bit flipped in front"})


@dataclass
class Tally:
    """What became of the trials.

    Attributes:
        outcomes: how often each mutation ended how.
        findings: what must not be.
        memory: the most bytes that a trial took on top.
        slowest: the longest trial, in seconds.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    memory: int = 0
    slowest: float = 0.0

    def lines(self) -> Iterator[str]:
        """Yield tables by mutation and by outcome, then findings."""
        for title, position in (("mutation", 0), ("outcome", 1)):
            counts: Counter[str] = Counter()
            for pair, count in self.outcomes.items():
                counts[pair[position]] += count
            yield f"{title:<52}{'trials':>8}"
            yield from (f"{name:<52}{count:>8}" for name, count in sorted(counts.items()))
            yield ""
        yield "accepted, by mutation"
        for (mutation, outcome), count in sorted(self.outcomes.items()):
            if outcome.startswith("accepted"):
                yield f"  {mutation:<30}{outcome:<44}{count:>6}"
        yield ""
        yield f"{self.outcomes.total()} trials, {len(self.findings)} findings"
        yield f"at most {self.memory >> 20} MiB on top, {self.slowest:.1f} s for a trial"
        yield from self.findings


@dataclass(frozen=True)
class Bench:
    """Where trials are made.

    Attributes:
        folder: for everything.
        seed: what all chances follow from.
        subjects: good bundles.
    """

    folder: Path
    seed: int
    subjects: Sequence[Subject]

    def trial(self, number: int, tally: Tally) -> None:
        """Damage a bundle in one way, and see what becomes of it."""
        chance = random.Random(f"{self.seed} {number}")  # noqa: S311 - repeatable, not secret
        subject = self.subjects[number % len(self.subjects)]
        mutations = mutations_of(subject)
        kind = chance.choice(sorted(mutations))
        files = mutations[kind](chance, subject)
        where = f"trial {number} of seed {self.seed}: {subject.name}, {kind}"
        started = time.monotonic()
        with _watched(where) as peak:
            outcome = "not changed" if files == subject.files else self._outcome(subject, files)
        if outcome == "accepted" and kind in _FLIPS:
            outcome = _of_a_flip(subject, files)
        grown = peak()
        tally.memory = max(tally.memory, grown)
        tally.slowest = max(tally.slowest, time.monotonic() - started)
        tally.outcomes[kind, outcome.splitlines()[0]] += 1
        if outcome.startswith("finding") or grown > MEMORY_LIMIT:
            tally.findings.append(f"{where}: {outcome}, {grown >> 20} MiB")

    def _outcome(self, subject: Subject, files: Files) -> str:
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            carried = Path(scratch) / "carried"
            carried.mkdir()
            for name, raw in files.items():
                (carried / name).write_bytes(raw)
            store = Path(scratch) / "store"
            try:
                refusal = asyncio.run(_refusal(subject, carried, store))
                return _judged(subject, carried, store, refusal)
            except Exception:  # noqa: BLE001 - whatever else comes out is what is looked for
                return f"finding: {sys.exc_info()[0]}\n{traceback.format_exc()}"


async def _refusal(subject: Subject, carried: Path, place: Path) -> AirgapError | None:
    """Import what was carried, as ``airgap import`` does; return why it was refused."""
    async with Store.open(place, create=True, sync=False) as store, store.writing():
        try:
            means = UnpackingMeans(store.places.ingest)
            async with open_bundle(_medium(subject, carried), lambda _: means) as bundle:
                head = bundle.head
                verdict = check_signatures(head.bundle_json, head.signatures, subject.policy)
                verdict.require(str(bundle.path))
                journal = StoreJournal(store)
                await receive(bundle, await admit(head, verdict, journal), store, journal)
        except AirgapError as error:
            return error
    return None


def _medium(subject: Subject, carried: Path) -> Medium:
    found = find_bundle([carried if subject.has_volumes else carried / NAME])
    return found.opened(subject.identities)


def _judged(subject: Subject, carried: Path, place: Path, refusal: AirgapError | None) -> str:
    names, blobs = asyncio.run(_content(place))
    if refusal is not None:
        if names:
            return f"finding: refused ({refusal}), and {len(names)} names were published"
        if isinstance(refusal, BundleDamaged | ContentMismatch) and not _is_damaged(
            subject, carried
        ):
            return f"finding: refused ({refusal}), and verify finds nothing wrong"
        return f"refused: {type(refusal).__name__}"
    if names != subject.names:
        return f"finding: other names: {names}"
    if blobs != subject.blobs:
        return "finding: other content"
    return "accepted"


async def _content(place: Path) -> tuple[dict[Reference, Digest], dict[Digest, bytes]]:
    """Return the names of a store, and the files of all its blobs."""
    async with Store.open(place) as store:
        with store.database.reading() as connection:
            names = {named.reference: named.descriptor.digest for named in all_names(connection)}
    files = Places(place).blobs.glob("*/*")
    blobs = {Digest(f"{file.parent.name}:{file.name}"): file.read_bytes() for file in files}
    return names, blobs


def _is_damaged(subject: Subject, carried: Path) -> bool:
    """Tell whether ``airgap verify`` finds something."""
    try:
        return bool(verify_bundle(_medium(subject, carried)).problems)
    except AirgapError:
        return True


def _of_a_flip(subject: Subject, files: Files) -> str:
    """Tell what a flipped bit that changes nothing was part of."""
    try:
        same = subject.inside(files) == subject.inside()
    except ValueError as error:
        return f"finding: a flipped bit is accepted that other programs refuse ({error})"
    if not same:
        return "finding: a flipped bit is accepted and changes the bytes inside"
    (name,) = (name for name, raw in files.items() if raw != subject.files[name])
    suffix = Path(name).suffix
    where = "bundle" if name == NAME else "volume" if suffix[1:].isdigit() else suffix
    return f"accepted: same bytes inside, bit in the {where}"


@contextmanager
def _watched(where: str) -> Iterator[_Peak]:
    """End the program if this hangs; measure what memory it takes."""
    faulthandler.dump_traceback_later(SECONDS_LIMIT, exit=True)
    peak = _Peak()
    try:
        yield peak
    except BaseException:
        sys.stderr.write(f"{where}\n")
        raise
    finally:
        faulthandler.cancel_dump_traceback_later()


class _Peak:
    """The most memory that this process has had since, over what it had then (``proc(5)``)."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
        self._before = self._field("VmRSS:")

    def __call__(self) -> int:
        return max(0, self._field("VmHWM:") - self._before)

    def _field(self, name: str) -> int:
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
        raise RuntimeError(name)


def fuzz(seed: int, *, seconds: float, trials: Sequence[int] = ()) -> Tally:
    """Make trials for some time, or certain ones.

    Args:
        seed: what all chances follow from.
        seconds: for how long.
        trials: only these.
    """
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="airgap-fuzz-") as folder:
        subjects = Path(folder) / "subjects"
        subjects.mkdir()
        bench = Bench(Path(folder), seed, make_subjects(subjects))
        for number in trials:
            bench.trial(number, tally)
        end = time.monotonic() + seconds
        number = 0
        while not trials and time.monotonic() < end:
            bench.trial(number, tally)
            number += 1
    return tally


def main(arguments: Sequence[str]) -> int:
    """Fuzz as the command line says; return the exit code: 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.bundle.fuzz")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--trial", type=int, action="append", default=[])
    options = parser.parse_args(arguments)
    tally = fuzz(options.seed, seconds=options.seconds, trials=options.trial)
    sys.stdout.write("\n".join([f"seed {options.seed}", "", *tally.lines()]) + "\n")
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
