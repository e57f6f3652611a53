"""Writing a bundle as volumes: cut while it streams, published all together. Blocking."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from airgap.bundle import durable
from airgap.bundle.checksum import checksum_path, volume_checksums
from airgap.bundle.destination import Demand, HashedFile, Written
from airgap.bundle.failures import telling
from airgap.bundle.parity import VolumeFile, make_parity, zfec
from airgap.bundle.read_back import expect_on_medium
from airgap.bundle.volumes import (
    INDEX_SUFFIX,
    Inside,
    Volume,
    VolumeCut,
    VolumeId,
    VolumeIndex,
    data_volume,
    encode_index,
    is_set_name,
    listed,
    parity_volume,
    read_file_name,
)
from airgap.errors import Refused, UsageError
from airgap.oci.digest import Digest


class VolumeFiles:
    """A bundle in volumes; a ``Destination``.

    While it is written, every file is called ``….partial``. The index is the lock of the set.
    """

    def __init__(
        self, path: Path, cut: VolumeCut, demand: Demand, *, replace: bool, sync: bool
    ) -> None:
        """Prepare; nothing is touched yet.

        Args:
            path: folder and NAME of the set.
            cut: how to cut.
            demand: whether anybody waits for it.
            replace: existing volumes of that name may be replaced.
            sync: return only when the bytes are on the disk.
        """
        self.path = path
        self._cut = cut
        self._demand = demand
        self._replace = replace
        self._sync = sync
        self._index_path = path.with_name(path.name + INDEX_SUFFIX)
        self._lock = -1
        self._current: _OpenVolume | None = None
        self._data: list[Volume] = []
        self._parity: list[Volume] = []

    def open(self, size: int, *, exact: bool) -> None:
        """Begin the set; see ``Destination``."""
        if not is_set_name(self.path.name):
            raise UsageError(repr(self.path.name), "is no name for volumes", "choose a shorter one")
        if self.path.is_dir():
            raise UsageError(str(self.path), "is a folder", "name a file in it")
        self._cut.check(size if exact else 0)
        if self._cut.parity:
            zfec()
        with telling(self.path):
            self._expect_no_others()
            self._lock = durable.create_locked(durable.partial(self._index_path), self.path)
        if exact:
            durable.check_space(self._lock, self.path, self._needed(size))

    def _expect_no_others(self) -> None:
        for volume, path in self._present():
            if not self._replace and self._cut.wants(volume):
                raise UsageError(
                    str(path), "is already there", "choose another name, or replace it with --force"
                )

    def _present(self) -> Iterator[tuple[VolumeId, Path]]:
        """Yield the volumes of that name that are in the folder already."""
        for path in sorted(self.path.parent.iterdir()):
            found = read_file_name(path.name)
            if found is not None and found[0] == self.path.name:
                yield found[1], path

    def _needed(self, size: int) -> int:
        again = self._cut.again
        if again is not None:
            return sum(v.size for v in again.index.volumes if self._cut.writes(v.id))
        return size + self._cut.parity * min(size, self._cut.volume_size)

    def write(self, data: memoryview | bytes) -> Future[None] | None:
        """Append bytes; they are cut where a volume is full."""
        hashing: Future[None] | None = None
        rest = memoryview(data)
        while rest:
            volume = self._current or self._begin()
            room = self._cut.volume_size - volume.file.size
            with telling(volume.path):
                hashing = volume.file.write(rest[:room])
            rest = rest[room:]
            if volume.file.size == self._cut.volume_size:
                self._end(volume)
        return hashing

    def _begin(self) -> _OpenVolume:
        number = len(self._data) + 1
        if number > self._cut.limit:
            self._cut.check(self._cut.volume_size * number)
        self._current = self._create(data_volume(number))
        return self._current

    def _create(self, volume: VolumeId) -> _OpenVolume:
        path, write = durable.partial(self._final(volume)), self._cut.writes(volume)
        with telling(path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            handle = os.open(path if write else os.devnull, flags, 0o644)
        return _OpenVolume(volume, path, handle, HashedFile(handle, sync=self._sync and write))

    def _final(self, volume: VolumeId) -> Path:
        return self.path.with_name(volume.file_name(self.path.name))

    def _end(self, volume: _OpenVolume) -> None:
        self._current = None
        self._data.append(self._complete(volume))

    def _complete(self, volume: _OpenVolume) -> Volume:
        with telling(volume.path):
            try:
                digest = volume.file.finish()
            finally:
                volume.close()
        return Volume(volume.id, volume.file.size, digest)

    def finish(self) -> None:
        """Complete the last volume, compute the parity, and read everything back."""
        if self._current is not None:
            self._end(self._current)
        again = self._cut.again
        if again is not None:
            self._expect_same(again.index.data, self._data)
        if again is not None and not again.makes_parity:
            self._parity = list(again.index.parity)
        elif self._cut.parity:
            self._parity = self._make_parity()
            if again is not None:
                self._expect_same(again.index.parity, self._parity)
        if self._cut.read_back:
            for volume in self._written():
                path = durable.partial(self._final(volume.id))
                expect_on_medium(path, volume.digest, str(volume.id), self._demand.expect)

    def _expect_same(self, before: Sequence[Volume], now: Sequence[Volume]) -> None:
        differing = {v.id for v in before} ^ {v.id for v in now}
        differing |= {a.id for a, b in zip(before, now, strict=False) if a != b}
        if differing:
            raise Refused(
                str(self.path),
                f"{listed(sorted(differing))} would be other than before: the store has other "
                "content now, or the options or keys are others",
                "export the whole set again",
            )

    def _make_parity(self) -> list[Volume]:
        files = [
            VolumeFile(durable.partial(self._final(volume.id)), volume.size)
            for volume in self._data
        ]
        opened: list[_OpenVolume] = []
        try:
            numbers = range(1, self._cut.parity + 1)
            opened.extend(self._create(parity_volume(number)) for number in numbers)
            with telling(self.path):
                make_parity(files, [volume.file.write for volume in opened], self._demand.expect)
            return [self._complete(volume) for volume in opened]
        finally:
            for volume in opened:
                volume.close()

    def _written(self) -> list[Volume]:
        return [volume for volume in (*self._data, *self._parity) if self._cut.wants(volume.id)]

    def publish(self, inside: Inside) -> Written:
        """Give all volumes their names, then the index, and last the ``.sha256``."""
        index = VolumeIndex(
            self.path.name,
            self._cut.volume_size,
            tuple(self._data),
            tuple(self._parity),
            inside.bundle_json,
            inside.created,
        )
        with telling(self.path):
            checksum_path(self.path).unlink(missing_ok=True)
            if self._cut.again is None:
                self._remove_others(index)
            for volume in self._written():
                final = self._final(volume.id)
                durable.partial(final).rename(final)
            for volume in self._data:
                durable.partial(self._final(volume.id)).unlink(missing_ok=True)
            content = encode_index(index)
            self._publish_index(content)
            self._sync_folder()
            durable.replace_file(
                checksum_path(self.path), volume_checksums(index, self.path.name), sync=self._sync
            )
            self._sync_folder()
        size = sum(volume.size for volume in self._written())
        return Written(size, Digest.of(content), index)

    def _remove_others(self, index: VolumeIndex) -> None:
        """Remove volumes of an older and larger set; ``cat`` would take them for ours."""
        for volume, path in list(self._present()):
            if volume not in index.file_names:
                path.unlink()

    def _publish_index(self, content: bytes) -> None:
        durable.write_all(self._lock, content)
        if self._sync:
            os.fsync(self._lock)
        durable.partial(self._index_path).rename(self._index_path)
        os.close(self._lock)
        self._lock = -1

    def _sync_folder(self) -> None:
        if self._sync:
            durable.sync_folder(self.path.parent)

    def abandon(self) -> None:
        """Throw away what was written, unless it was published."""
        current, self._current = self._current, None
        if current is not None:
            current.close()
        if self._lock < 0:
            return
        with telling(self.path):
            for path in self.path.parent.iterdir():
                name = path.name.removesuffix(".partial")
                found = read_file_name(name)
                if name != path.name and found is not None and found[0] == self.path.name:
                    path.unlink()
            durable.partial(self._index_path).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1


@dataclass(slots=True)
class _OpenVolume:
    id: VolumeId
    path: Path
    handle: int
    file: HashedFile

    def close(self) -> None:
        """Let the file and its threads go; may be called twice."""
        self.file.close()
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1
