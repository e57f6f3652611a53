"""``status``: where each channel stands, on either side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from airgap.bundle.journal import ImportEntry, ReceivedBundle
from airgap.bundle.ledger import ChannelStatus


class Sending(Protocol):
    """What was exported for each channel."""

    async def channels(self) -> Sequence[str]:
        """Return every channel that something was exported for."""
        ...

    async def status(self, channel: str) -> ChannelStatus:
        """Return all bundles of a channel."""
        ...


class Receiving(Protocol):
    """What each channel has brought."""

    async def channels(self) -> Sequence[ReceivedBundle]:
        """Return the newest bundle of each channel."""
        ...

    async def entries(self) -> Sequence[ImportEntry]:
        """Return all imports, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """Where the channels of a store stand.

    Attributes:
        sending: those that bundles are exported for.
        receiving: the newest bundle of those that bundles came from.
        unfinished: imports that did not come to their end.
    """

    sending: tuple[ChannelStatus, ...]
    receiving: tuple[ReceivedBundle, ...]
    unfinished: tuple[ImportEntry, ...]


async def read_status(
    sending: Sending, receiving: Receiving, wanted: Sequence[str], *, only: bool
) -> StoreStatus:
    """Find out where channels stand.

    Args:
        sending: the ledger.
        receiving: the journal.
        wanted: channels that are shown even if nothing was exported for them.
        only: show no others.
    """
    names = list(wanted) if only else sorted({*wanted, *await sending.channels()})
    received = [b for b in await receiving.channels() if not only or b.channel in wanted]
    newest = {bundle.channel: bundle.sequence for bundle in received}
    unfinished = [
        entry
        for entry in await receiving.entries()
        if not entry.is_finished
        and (not only or entry.channel in wanted)
        # What a newer bundle has overtaken has nothing left to do.
        and (entry.sequence or 0) >= newest.get(entry.channel or "", 0)
    ]
    return StoreStatus(
        tuple([await sending.status(name) for name in names]), tuple(received), tuple(unfinished)
    )
