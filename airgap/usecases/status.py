"""``status``: where each channel stands, on either side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from airgap.bundle.journal import ImportEntry, ReceivedBundle
from airgap.bundle.ledger import ChannelStatus
from airgap.errors import NotFound, UsageError


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


class Stopped(Protocol):
    """Imports that did not come to their end."""

    async def entries(self) -> Sequence[ImportEntry]:
        """Return all imports, oldest first."""
        ...

    async def give_up(self, entry: ImportEntry) -> ImportEntry:
        """Write down that an import will not go on."""
        ...


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """Where the channels of a store stand.

    Attributes:
        sending: those that bundles are exported for.
        receiving: the newest bundle of those that bundles came from.
        unfinished: imports that did not come to their end and still can; not those that were given
            up, nor those that a newer bundle of the channel, or (outside of any channel) a later
            import of the same names and content, has overtaken.
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
    entries = await receiving.entries()
    unfinished = [
        entry
        for entry in entries
        if not (entry.is_finished or entry.is_given_up)
        and (not only or entry.channel in wanted)
        # What a newer bundle has overtaken has nothing left to do.
        and (entry.sequence or 0) >= newest.get(entry.channel or "", 0)
        and not any(entry.is_repeated_by(later) for later in entries)
    ]
    return StoreStatus(
        tuple([await sending.status(name) for name in names]), tuple(received), tuple(unfinished)
    )


async def give_up(number: int, journal: Stopped) -> ImportEntry:
    """Let an import that stopped count as ended; its report stays.

    What it has put into the store without a name goes with the next collection.

    Raises:
        NotFound: there is no such import.
        UsageError: it has come to its end.
    """
    entry = next((e for e in await journal.entries() if e.number == number), None)
    if entry is None:
        raise NotFound(f"import {number}", "is not in the journal", "`airgap report` lists all")
    if entry.is_finished:
        raise UsageError(f"import {number}", "has come to its end: there is nothing to give up")
    return await journal.give_up(entry)
