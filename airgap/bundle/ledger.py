"""What a channel's ledger says of its bundles, and what the next one may rely on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from airgap.bundle.format import BundleManifest, Kind
from airgap.config.transfer import DeliveryPolicy
from airgap.errors import NotFound
from airgap.oci.digest import Digest


class Standing(StrEnum):
    """How far a bundle has come, as its sender knows.

    ``ANNOUNCED``: it was about to get its name when its export was cut off, so that it may be out
    in the world or not. Its number is never given to another one.
    """

    ANNOUNCED = "announced"
    EXPORTED = "exported"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file of a bundle, as it was when it was written.

    Attributes:
        path: where.
        size: bytes.
    """

    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One bundle of a channel.

    Attributes:
        channel: who ships to whom.
        sequence: its place in the channel.
        id: its id.
        digest: that of its ``bundle.json``.
        created: when it was made.
        kind: full or incremental.
        base: the sequence that an incremental one stands on.
        standing: how far it has come.
        confirmed: when its receipt was taken in; seconds since 1970.
        blobs: how many pieces of content it carried.
        bytes: their bytes.
        path: where it was written; None where only its receipt is known.
        files: what was written and is still there.
    """

    channel: str
    sequence: int
    id: str
    digest: Digest
    created: datetime
    kind: Kind
    base: int | None = None
    standing: Standing = Standing.EXPORTED
    confirmed: float | None = None
    blobs: int = 0
    bytes: int = 0
    path: Path | None = None
    files: tuple[WrittenFile, ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenBundle:
    """How a bundle was written: what it takes to write it again.

    Attributes:
        manifest: what its ``bundle.json`` says.
        is_compressed: zstd is around it.
        is_encrypted: it was encrypted, so that nobody can write the same bytes again.
    """

    manifest: BundleManifest
    is_compressed: bool = False
    is_encrypted: bool = False


@dataclass(frozen=True, slots=True)
class KeepRules:
    """Which files of a channel's older bundles stay; None sets no limit.

    Attributes:
        count: so many of the newest.
        age: those made within so many seconds.
        bytes: the newest that together have no more bytes.
    """

    count: int | None = None
    age: float | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """Where a channel stands.

    Attributes:
        channel: its name.
        history: all of its bundles, oldest first.
    """

    channel: str
    history: tuple[DeliveryRecord, ...] = field(repr=False)

    @property
    def last(self) -> DeliveryRecord | None:
        """The newest bundle."""
        return self.history[-1] if self.history else None

    @property
    def confirmed(self) -> DeliveryRecord | None:
        """The newest bundle that a receipt came for."""
        return _newest(self.history, {Standing.CONFIRMED})

    @property
    def outstanding(self) -> tuple[DeliveryRecord, ...]:
        """The bundles after that."""
        confirmed = self.confirmed
        return tuple(
            record
            for record in self.history
            if confirmed is None or record.sequence > confirmed.sequence
        )

    @property
    def next_sequence(self) -> int:
        """The number of the next bundle."""
        return self.history[-1].sequence + 1 if self.history else 1

    def base(self, policy: DeliveryPolicy) -> DeliveryRecord | None:
        """Return the bundle that the next one may stand on; None where it must stand alone."""
        if policy is DeliveryPolicy.CONFIRMED:
            return self.confirmed
        return _newest(self.history, {Standing.CONFIRMED, Standing.EXPORTED})

    def record(self, sequence: int) -> DeliveryRecord:
        """Return one bundle.

        Raises:
            NotFound: there is none of this number.
        """
        for record in self.history:
            if record.sequence == sequence:
                return record
        raise NotFound(
            f"{self.channel}, bundle {sequence}",
            "is not in the ledger",
            "`airgap status` lists what is; --full needs nothing of it",
        )


def _newest(
    history: Sequence[DeliveryRecord], standings: Iterable[Standing]
) -> DeliveryRecord | None:
    wanted = frozenset(standings)
    return next((r for r in reversed(history) if r.standing in wanted), None)


def superseded(
    history: Sequence[DeliveryRecord], rules: KeepRules, now: float
) -> tuple[DeliveryRecord, ...]:
    """Return the bundles whose files may go; the newest one stays whatever the rules say.

    Args:
        history: a channel's bundles, oldest first.
        rules: a bundle that breaks any of them goes.
        now: seconds since 1970.
    """
    going: list[DeliveryRecord] = []
    kept = total = 0
    for record in reversed([record for record in history if record.files]):
        total += sum(file.size for file in record.files)
        stays = (
            (rules.count is None or kept < rules.count)
            and (rules.age is None or now - record.created.timestamp() <= rules.age)
            and (rules.bytes is None or total <= rules.bytes)
        )
        if record is history[-1] or stays:
            kept += 1
        else:
            going.append(record)
    return tuple(reversed(going))
