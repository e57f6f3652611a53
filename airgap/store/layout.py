"""``index.json`` and ``oci-layout``: what other programs read (OCI image-spec, "Image Layout")."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from airgap.content.ports import TagMove
from airgap.oci import media_types
from airgap.store.changes import generation, set_generation
from airgap.store.database import Database
from airgap.store.durable import sync_folder, write_new_file
from airgap.store.locks import INDEX, Locks, exclusive
from airgap.store.lookups import all_names
from airgap.store.os_errors import explained
from airgap.store.places import Places

REF_NAME = "org.opencontainers.image.ref.name"
IMAGE_NAME = "io.containerd.image.name"
MARKER = b'{"imageLayoutVersion": "1.0.0"}'
LOCK_PATIENCE = 60.0
"""Seconds to wait for another process that writes ``index.json``."""


def index_document(names: Iterable[TagMove]) -> bytes:
    """Return ``index.json`` for names; each stands there as a fully normalised reference."""
    entries: list[dict[str, Any]] = []
    for move in names:
        name = str(move.reference)
        annotations = {REF_NAME: name, IMAGE_NAME: name}
        entries.append(replace(move.descriptor, annotations=annotations).to_json())
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}
    return json.dumps(document, indent=1).encode()


@contextmanager
def index_update(
    places: Places, database: Database, locks: Locks, *, sync: bool
) -> Iterator[IndexUpdate]:
    """Hold the right to write ``index.json``, and put the new one in place at the end.

    Whoever changes names raises ``layout_wanted`` in the same transaction; what was written last
    is ``layout_written``. A process killed in between leaves them different, and the next one
    writes. The lock keeps a slow process from writing older names over newer ones.
    """
    with exclusive(locks, INDEX, patience=LOCK_PATIENCE) as lock:
        update = IndexUpdate(places, sync=sync)
        try:
            yield update
            if update.staged is not None:
                with explained(places.index):
                    update.staged.replace(places.index)
                    if sync:
                        sync_folder(places.root)
                with database.writing(lock) as connection:
                    set_generation(connection, "layout_written", update.generation)
        finally:
            if update.staged is not None:
                update.staged.unlink(missing_ok=True)


class IndexUpdate:
    """An ``index.json`` that is about to be written.

    Attributes:
        staged: the file that will become it; None while there is nothing new.
        generation: which ``layout_wanted`` it has the names of.
    """

    def __init__(self, places: Places, *, sync: bool) -> None:
        self.staged: Path | None = None
        self.generation = 0
        self._places = places
        self._sync = sync

    def stage(self, connection: Connection) -> None:
        """Write the names of a transaction into a file, unless ``index.json`` has them already.

        It happens before the transaction ends, so that a disk too full for it undoes the rest.
        """
        wanted = generation(connection, "layout_wanted")
        written = generation(connection, "layout_written")
        if wanted == written and self._places.index.exists():
            return
        self.staged, self.generation = self._places.temporary(), wanted
        content = index_document(all_names(connection))
        write_new_file(self.staged, content, sync=self._sync)


def write_index(places: Places, database: Database, locks: Locks, *, sync: bool) -> None:
    """Bring ``index.json`` up to the names in the catalog, unless it is so already."""
    with (
        index_update(places, database, locks, sync=sync) as update,
        database.reading() as connection,
    ):
        update.stage(connection)


def is_current(places: Places, database: Database) -> bool:
    """Tell whether ``index.json`` has the names of the catalog."""
    with database.reading() as connection:
        wanted = generation(connection, "layout_wanted")
        return places.index.exists() and wanted == generation(connection, "layout_written")
