"""Packed bundles unpacked: with which means, and into a plain bundle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from airgap.app import App
from airgap.bundle.access import FindMeans
from airgap.bundle.format import BundleManifest
from airgap.bundle.identity import BundleIdentity
from airgap.bundle.output import WriteOptions
from airgap.bundle.reader import Bundle
from airgap.bundle.unpacking_means import UnpackingMeans
from airgap.bundle.writer import BundleReport, BundleWriter
from airgap.config.transfer import ImportChannel
from airgap.content.copy_plan import copy_plan, stage_plan
from airgap.content.events import Emit
from airgap.errors import NotFound
from airgap.oci.digest import Digest
from airgap.packing.cutting import DEFAULT_MEMORY
from airgap.store.journal import StoreJournal
from airgap.store.places import Places
from airgap.store.store import Store
from airgap.usecases.import_bundle import whole_plan

_SHOWN = 3


def means_at(app: App, memory: int | None = None) -> FindMeans:
    """Return what says with which means a bundle is unpacked into the store, and on top of it.

    Args:
        app: the program's config and places.
        memory: bytes that it may take, instead of what the config says.
    """
    places = Places(app.store_path)

    def find_blob(digest: Digest) -> Path:
        path = places.blob(digest)
        if not path.is_file():
            raise NotFound(str(digest), "is the base of a delta, and is not in the store")
        return path

    def means(manifest: BundleManifest) -> UnpackingMeans:
        section = app.config.imports.get(manifest.channel or "") or ImportChannel()
        most = memory or section.delta_memory or DEFAULT_MEMORY
        return UnpackingMeans(places.ingest, find_blob, most)

    return means


def means_for(app: App, output: Path, memory: int | None = None) -> FindMeans:
    """Return what says with which means a bundle becomes a file; with the store, if there is one.

    Args:
        app: the program's config and places.
        output: the file; beside it is worked where there is no store.
        memory: bytes that it may take, instead of what the config says.
    """
    if app.store_path.exists():
        return means_at(app, memory)
    folder = output.absolute().parent
    return lambda _: UnpackingMeans(folder, None, memory or DEFAULT_MEMORY)


async def unpack(app: App, bundle: Bundle, output: Path, emit: Emit) -> BundleReport:
    """Write a plain bundle of all that a bundle's names stand for.

    What the bundle stands on is taken from the store; there, too, lies what it brings until the
    store is tidied the next time, without any name. A bundle that stands alone leaves the store
    alone.

    Args:
        app: the program's config and places.
        bundle: packed or not.
        output: the file to be.
        emit: is told what happens.

    Raises:
        NotFound: what the bundle stands on is not in the store.
        BundleDamaged, ContentMismatch: it is not what it says.
        NoSpace, UsageError: as for any bundle that is written.
    """
    manifest = bundle.manifest
    async with _store_for(app, manifest, output.parent) as store, store.writing():
        base = manifest.base.digests if manifest.base is not None else ()
        journal = StoreJournal(store)
        await journal.rely_on(base)
        if missing := await journal.missing(base):
            shown = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
            raise NotFound(
                str(bundle.path),
                f"stands on content that is not in the store: {shown} (together {len(missing)})",
                "name the store that has taken in what came before (--store)",
            )
        await stage_plan(bundle, store, await whole_plan(bundle), emit=emit)
        plan = await store.plan(bundle.roots, frozenset())
        identity = BundleIdentity(manifest.created)
        options = WriteOptions(sync=app.config.store.sync)
        async with BundleWriter(output, store, identity, options) as writer:
            await copy_plan(store, writer, plan, emit=emit)
            return writer.report


@asynccontextmanager
async def _store_for(app: App, manifest: BundleManifest, folder: Path) -> AsyncIterator[Store]:
    async with AsyncExitStack() as stack:
        if manifest.base is not None:
            yield await stack.enter_async_context(app.open_store())
            return
        scratch = Path(stack.enter_context(TemporaryDirectory(dir=folder, prefix=".airgap-")))
        yield await stack.enter_async_context(Store.open(scratch, create=True, sync=False))
