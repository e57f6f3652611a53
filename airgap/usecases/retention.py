"""Deleting the files of a channel's older bundles, by the rules of the config."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Protocol

from airgap.bundle.ledger import ChannelStatus, DeliveryRecord, KeepRules, superseded
from airgap.bundle.leftovers import delete


class BundleRecords(Protocol):
    """What was exported for each channel, with the files that are still there."""

    async def status(self, channel: str) -> ChannelStatus:
        """Return all bundles of a channel."""
        ...

    async def settle(self, record: DeliveryRecord) -> None:
        """Write down what has become of a bundle."""
        ...


async def retire(
    channel: str, rules: KeepRules, records: BundleRecords, now: float
) -> tuple[DeliveryRecord, ...]:
    """Delete the files that the rules let go, and return whose they were.

    Only files that the ledger has as written go, and only while they have the size that they were
    written with. The ledger keeps the bundles themselves.

    Args:
        channel: whose bundles.
        rules: which ones stay.
        records: the ledger.
        now: seconds since 1970.

    Raises:
        NotPermitted: a file cannot be deleted.
    """
    going = superseded((await records.status(channel)).history, rules, now)
    for record in going:
        await asyncio.to_thread(delete, record.files)
        await records.settle(replace(record, files=()))
    return going
