"""``mirror`` as the config has it."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from airgap.app import App
from airgap.config.mirroring import MirrorEntry
from airgap.content.copy_images import CopyLimits
from airgap.content.report import CopyReport, joined
from airgap.errors import UsageError
from airgap.operations.turns import turn
from airgap.operations.watching import NOBODY, AskingTarget, Watcher
from airgap.usecases.mirror import mirror, select
from airgap.usecases.mirror_entries import read_entries
from airgap.usecases.pull import from_engine


def matching_entries(entries: Sequence[MirrorEntry], pattern: str) -> list[MirrorEntry]:
    """Return the entries whose repository, reference or file fits a shell pattern.

    Raises:
        UsageError: there are none.
    """
    if not pattern:
        chosen = list(entries)
    else:
        chosen = [
            entry
            for entry in entries
            if any(fnmatch.fnmatchcase(str(name), pattern) for name in _names(entry))
        ]
    if not chosen:
        cause = (
            f"no entry of `mirror` fits {pattern!r}" if pattern else "the config mirrors nothing"
        )
        raise UsageError("mirror", cause, "see the section `mirror` of the config")
    return chosen


async def mirror_configured(
    app: App, pattern: str = "", watcher: Watcher = NOBODY, limits: CopyLimits = CopyLimits()
) -> CopyReport:
    """Mirror what the config's entries want.

    Raises:
        UsageError: no entry fits the pattern.
        Busy: somebody else mirrors right now.
        NoSpace, StoreUnusable: the store cannot take in anything more; no name has moved.
        Refused: the watcher does not let the names move.
    """
    order = await read_entries(matching_entries(app.config.mirror, pattern))
    for note in order.notes:
        watcher.emit(note)
    async with (
        app.registries(watcher.emit) as upstream,
        app.open_store(create=True) as store,
        turn(app.store_path, "mirror", patience=watcher.patience),
        store.writing(),
    ):
        selection = await select(order.wanted, upstream, watcher.emit)
        target = AskingTarget(store, watcher.ask)
        mirrored = await mirror(selection, upstream, target, limits, watcher.emit, mirrored=store)
        taken = await from_engine(order.engine, app, target, watcher.emit)
        return joined((mirrored, taken))


def _names(entry: MirrorEntry) -> list[object]:
    return [
        name
        for name in (entry.repository, *entry.references, *entry.engine, *entry.from_file)
        if name
    ]
