"""``mirror`` as the config has it."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from contextlib import nullcontext

from airgap.app import App
from airgap.config.mirroring import MirrorEntry
from airgap.content.copy_images import CopyLimits
from airgap.content.report import CopyReport, joined
from airgap.errors import UsageError
from airgap.operations.turns import turn
from airgap.operations.watching import NOBODY, AskingTarget, Watcher
from airgap.usecases.mirror import mirror, no_policies, select
from airgap.usecases.mirror_entries import MirrorOrder, read_entries
from airgap.usecases.pull import from_engine
from airgap.usecases.signature_rules import SignatureRules


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
        Busy, NoSpace, StoreUnusable, Refused: as ``mirror_ordered``.
    """
    order = await read_entries(matching_entries(app.config.mirror, pattern))
    return await mirror_ordered(app, order, watcher, limits)


async def mirror_ordered(
    app: App,
    order: MirrorOrder,
    watcher: Watcher = NOBODY,
    limits: CopyLimits = CopyLimits(),
    *,
    by_config: bool = True,
) -> CopyReport:
    """Mirror what is wanted into the store.

    Args:
        app: the program's config and places.
        order: what is wanted.
        watcher: is told what happens, and asked before names move.
        limits: how much at once.
        by_config: it is what the config's entries want, so that somebody else may be at the same;
            otherwise what the entries want of signatures is wanted besides.

    Raises:
        Busy: somebody else mirrors by the config right now.
        NoSpace, StoreUnusable: the store cannot take in anything more; no name has moved.
        Refused: the watcher does not let the names move.
    """
    for note in order.notes:
        watcher.emit(note)
    patience, entries = watcher.patience, app.config.mirror
    rules = no_policies if by_config else (await SignatureRules.of_entries(entries)).of
    async with (
        app.registries(watcher.emit) as upstream,
        app.open_store(create=True) as store,
        turn(store, "mirror", patience=patience) if by_config else nullcontext(),
        store.writing(),
    ):
        selection = await select(order.wanted, upstream, watcher.emit, rules=rules)
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
