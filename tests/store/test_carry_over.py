"""Ledger and journal outlive the making of a new catalog, where the old one can be read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from airgap.bundle.delivery import Holding
from airgap.bundle.format import Kind
from airgap.bundle.ledger import DeliveryRecord
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference
from airgap.store.ledger import StoreLedger
from airgap.store.rebuild import rebuild_catalog
from airgap.store.store import Store
from tests.content.conformance import put_image
from tests.support.images import image, random_layer

REFERENCE = Reference.parse("alpine:3")


async def _with_history(root: Path) -> None:
    async with Store.open(root, create=True) as store:
        built = image([random_layer(1)])
        await put_image(store, REFERENCE, built)
        content = frozenset({built.digest, *built.blobs})
        record = DeliveryRecord(
            "plant", 1, "one", Digest.of(b"1"), datetime(2026, 11, 24, tzinfo=UTC), Kind.FULL
        )
        names = {REFERENCE: built.root.descriptor}
        await StoreLedger(store).announce(record, content, Holding(1, "one", names, content))


async def test_a_rebuilt_store_knows_what_it_has_sent(root: Path) -> None:
    """Numbers go on, and the next bundle stands on what was confirmed."""
    await _with_history(root)
    async with Store.open(root) as store:
        before = (await StoreLedger(store).status("plant")).history
        held = await StoreLedger(store).holding(before[0])
    assert (await rebuild_catalog(root)).history
    async with Store.open(root) as store:
        after = (await StoreLedger(store).status("plant")).history
        assert after == before
        assert await StoreLedger(store).holding(after[0]) == held


async def test_a_damaged_catalog_is_replaced_without_it(root: Path) -> None:
    """The names come from the layout all the same, and it is told what is lost."""
    await _with_history(root)
    catalog = root / "airgap" / "catalog.sqlite"
    catalog.write_bytes(b"this is no database" * 1000)
    report = await rebuild_catalog(root)
    assert not report.history
    async with Store.open(root) as store:
        await store.resolve(REFERENCE)
        assert list(await StoreLedger(store).channels()) == []
