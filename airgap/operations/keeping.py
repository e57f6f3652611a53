"""What a collection leaves alone, beside what the store's own names need."""

from __future__ import annotations

from collections.abc import Mapping

from airgap.app import App
from airgap.config.transfer import PackKind
from airgap.store.ledger import StoreLedger
from airgap.store.store import Store


async def held_for_deltas(app: App, store: Store) -> Mapping[str, int]:
    """Return the channels that deltas are made for, with the bundle that their next one stands on.

    What a destination holds stays on this side until a later bundle has arrived, too.
    """
    ledger = StoreLedger(store)
    held: dict[str, int] = {}
    for name, channel in app.config.exports.items():
        if channel.pack is PackKind.DELTA:
            status = await ledger.status(name)
            base = status.base(channel.policy) or status.last
            if base is not None:
                held[name] = base.sequence
    return held
