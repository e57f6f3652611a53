"""``mirror`` as the config has it."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from airgap.app import App
from airgap.config.mirroring import MirrorEntry
from airgap.content.copy_images import CopyLimits
from airgap.content.report import CopyReport
from airgap.content.walk import WalkRules
from airgap.errors import UsageError
from airgap.oci.selection import TagSelection
from airgap.operations.turns import turn
from airgap.operations.watching import NOBODY, AskingTarget, Watcher
from airgap.usecases.mirror import Wanted, mirror, select


def matching_entries(entries: Sequence[MirrorEntry], pattern: str) -> list[MirrorEntry]:
    """Return the entries whose repository, or one of whose references, fits a shell pattern.

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
    wanted = [_wanted(entry) for entry in matching_entries(app.config.mirror, pattern)]
    async with (
        app.registries(watcher.emit) as upstream,
        app.open_store(create=True) as store,
        turn(app.store_path, "mirror", patience=watcher.patience),
        store.writing(),
    ):
        selection = await select(wanted, upstream)
        target = AskingTarget(store, watcher.ask)
        return await mirror(selection, upstream, target, limits, watcher.emit)


def _wanted(entry: MirrorEntry) -> Wanted:
    return Wanted(
        entry.references,
        entry.repository,
        entry.tags.selection() if entry.tags is not None else TagSelection(),
        WalkRules(entry.platform_choice, rewrite_index=entry.rewrite_index),
        entry.referrers,
    )


def _names(entry: MirrorEntry) -> list[object]:
    return [entry.repository, *entry.references] if entry.repository else [*entry.references]
