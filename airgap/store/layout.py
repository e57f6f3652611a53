"""``index.json`` and ``oci-layout``: what other programs read (OCI image-spec, "Image Layout")."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from airgap.content.ports import TagMove
from airgap.oci import media_types
from airgap.store.changes import generation, set_generation
from airgap.store.database import Database
from airgap.store.durable import exclusive_lock, replace_file
from airgap.store.lookups import all_names
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


def write_index(places: Places, database: Database, *, sync: bool) -> None:
    """Bring ``index.json`` up to the names in the catalog, unless it is so already.

    Whoever changes names raises ``layout_wanted`` in the same transaction; what was written last
    is ``layout_written``. A process killed in between leaves them different, and the next one
    writes. The lock keeps a slow process from writing older names over newer ones.
    """
    with exclusive_lock(places.index_lock, patience=LOCK_PATIENCE):
        with database.reading() as connection:
            wanted = generation(connection, "layout_wanted")
            if wanted == generation(connection, "layout_written") and places.index.exists():
                return
            names = all_names(connection)
        replace_file(places.index, index_document(names), temporary=places.temporary(), sync=sync)
        with database.writing() as connection:
            set_generation(connection, "layout_written", wanted)


def is_current(places: Places, database: Database) -> bool:
    """Tell whether ``index.json`` has the names of the catalog."""
    with database.reading() as connection:
        wanted = generation(connection, "layout_wanted")
        return places.index.exists() and wanted == generation(connection, "layout_written")
