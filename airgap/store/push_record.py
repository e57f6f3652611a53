"""The record of pushes: what the store's repositories are called in the registries around it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from airgap.content.report import CopyReport, Outcome
from airgap.oci.reference import Repository
from airgap.store import schema
from airgap.store.database import insert_or_replace
from airgap.store.store import Store
from airgap.store.transactions import ask, transact

Push = tuple[Repository, Repository]
"""A repository of the store, and the one that it was pushed to."""


async def record_pushes(store: Store, report: CopyReport) -> None:
    """Remember where the images of a push went; a store that can only be read remembers nothing.

    An image that got another tag says nothing of where its repository is.
    """
    pairs = {
        (image.source.repository, image.target.repository)
        for image in report.images
        if image.outcome is not Outcome.FAILED and image.source.tag == image.target.tag
    }
    if pairs and store.writable:
        await transact(store, lambda connection: _write(connection, sorted(pairs)))


async def pushed_repositories(store: Store) -> Sequence[Push]:
    """Return every push that was recorded, the latest first, then by name."""
    return await ask(store, _read)


def _write(connection: Connection, pairs: Iterable[Push]) -> None:
    now = time.time()
    rows = [
        {"source": str(source), "target": str(target), "pushed": now} for source, target in pairs
    ]
    insert_or_replace(connection, schema.pushes, rows, replaced=("pushed",))


def _read(connection: Connection) -> Sequence[Push]:
    table = schema.pushes.c
    rows = connection.execute(
        select(table.source, table.target).order_by(table.pushed.desc(), table.source, table.target)
    )
    return [(Repository.parse(source), Repository.parse(target)) for source, target in rows]
