"""Planning an export asks the catalog as often for many names as for few."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from airgap.errors import NotFound
from airgap.oci.reference import Reference
from airgap.store.ledger import StoreLedger
from airgap.store.store import Store
from airgap.usecases.delivery import DeliveryRequest, plan_next
from airgap.usecases.export import ExportRequest, plan_export
from tests.support.filled_store import filled_store
from tests.support.images import image, random_layer
from tests.support.memory import MemorySource


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Note every statement that any database is given."""
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def store_of(path: Path, names: int) -> Path:
    """Make a store with so many names of one image, in as many repositories."""
    built = image([random_layer(1)])
    return await filled_store(
        path, MemorySource({f"quay.io/team/app-{n}:1": built for n in range(names)})
    )


async def statements_for(path: Path, names: int) -> int:
    """Return how many statements it takes to plan a bundle of so many names."""
    async with Store.open(await store_of(path, names), sync=False) as store:
        with counted_statements() as statements:
            planned = await plan_next(
                DeliveryRequest("plant", ExportRequest()), store, StoreLedger(store)
            )
    assert len(planned.delivery.carried.roots) == names
    return len(statements)


async def test_many_names_take_no_more_statements_than_few(tmp_path: Path) -> None:
    """The catalog is asked for all names at once."""
    few = await statements_for(tmp_path / "few", 3)
    assert await statements_for(tmp_path / "many", 120) == few <= 30


async def test_digests_and_attachments_are_found_all_the_same(tmp_path: Path) -> None:
    """A manifest can be named by digest alone, and what is signed brings its signature along."""
    built = image([random_layer(1)])
    signature = f"quay.io/team/app:{built.digest.replace(':', '-')}.sig"
    source = MemorySource({"quay.io/team/app:1": built, signature: image([random_layer(2)])})
    async with Store.open(await filled_store(tmp_path / "store", source), sync=False) as store:
        by_digest = ExportRequest((f"quay.io/team/app@{built.digest}",))
        names = [str(root.reference) for root in (await plan_export(by_digest, store)).roots]
        assert names == [f"quay.io/team/app@{built.digest}", signature]
        absent = Reference.parse(f"quay.io/team/app@sha256:{'0' * 64}")
        with pytest.raises(NotFound):
            await plan_export(ExportRequest((str(absent),)), store)
