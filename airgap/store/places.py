"""Where things are on disk: the OCI layout, and beside it what is the store's own."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from airgap.oci.digest import Digest

OWN_FOLDER = "airgap"
PARTIAL = ".partial"
TEMPORARY = ".tmp"


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of one store.

    ::

        STORE/oci-layout, index.json, blobs/<algorithm>/<hex>    an OCI image layout
        STORE/airgap/catalog.sqlite                              the catalog
        STORE/airgap/catalog.postgresql                          or that it is in a database
        STORE/airgap/ingest/<algorithm>-<hex>.partial            a blob that can be resumed
        STORE/airgap/ingest/<uuid>.tmp                           any other unfinished file
        STORE/airgap/ingest/uploads/<id>, <id>.json              uploads of registry clients
        STORE/airgap/sessions/<uuid>                             locked by a running copy
        STORE/airgap/sessions/<uuid>.push                        how far back pushes reach
        STORE/airgap/locks/{use,sweep,index,turn.*}            what processes exclude by
        STORE/airgap/trash/                                      on its way out
        STORE/airgap/quarantine/                                 damaged blobs, kept to look at
    """

    root: Path

    @property
    def marker(self) -> Path:
        """The file that makes the folder an OCI image layout."""
        return self.root / "oci-layout"

    @property
    def index(self) -> Path:
        """The layout's list of names."""
        return self.root / "index.json"

    @property
    def blobs(self) -> Path:
        """The folder of all content."""
        return self.root / "blobs"

    @property
    def own(self) -> Path:
        """The folder of what other readers of the layout need not know."""
        return self.root / OWN_FOLDER

    @property
    def catalog(self) -> Path:
        """The catalog, where it is a SQLite database."""
        return self.own / "catalog.sqlite"

    @property
    def ingest(self) -> Path:
        """Files that are not content yet."""
        return self.own / "ingest"

    @property
    def uploads(self) -> Path:
        """Uploads of registry clients."""
        return self.ingest / "uploads"

    @property
    def sessions(self) -> Path:
        """One locked file for each running copy."""
        return self.own / "sessions"

    @property
    def trash(self) -> Path:
        """Content that garbage collection took out and is about to delete."""
        return self.own / "trash"

    @property
    def quarantine(self) -> Path:
        """Damaged content that a repair took out."""
        return self.own / "quarantine"

    @property
    def locks(self) -> Path:
        """Files that processes exclude each other by, where the catalog is a file too."""
        return self.own / "locks"

    @property
    def elsewhere(self) -> Path:
        """The file that says that the catalog is in a server's database; holds the store's id."""
        return self.own / "catalog.postgresql"

    def folders(self) -> tuple[Path, ...]:
        """Return every folder that must be there, parents first."""
        return (
            self.own,
            self.ingest,
            self.uploads,
            self.sessions,
            self.trash,
            self.quarantine,
            self.locks,
            self.blobs,
            self.blobs / "sha256",
            self.blobs / "sha512",
        )

    def blob(self, digest: Digest) -> Path:
        """Return where the content of a digest is, or would be."""
        return self.blobs / digest.algorithm / digest.hex

    def partial(self, digest: Digest) -> Path:
        """Return where the beginning of a blob waits for the rest."""
        return self.ingest / f"{digest.algorithm}-{digest.hex}{PARTIAL}"

    def temporary(self) -> Path:
        """Return a new name for an unfinished file that nobody resumes."""
        return self.ingest / f"{uuid.uuid4().hex}{TEMPORARY}"
