"""Taking several names away at once: all of them or none."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from airgap.errors import NotFound
from airgap.oci.reference import Reference
from airgap.store.removal import remove_name
from airgap.store.store import Store
from airgap.store.transactions import transact


async def remove_names(store: Store, names: Sequence[Reference]) -> None:
    """Remove names in one transaction; what they stood for goes with the next collection.

    Raises:
        NotFound: one of them is not there (any more); none was removed.
        NotPermitted: the store can only be read.
    """

    def act(connection: Connection) -> None:
        for name in names:
            if not remove_name(connection, name.repository, name.tag or name.name):
                raise NotFound(name.familiar, "is not in the store any more")

    await transact(store, act, renames=True)
