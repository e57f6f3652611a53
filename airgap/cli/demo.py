"""``airgap demo``: the whole way on one machine, between two registries."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from airgap.app import App
from airgap.bundle.access import open_bundle
from airgap.bundle.identity import BundleIdentity
from airgap.bundle.output import WriteOptions
from airgap.bundle.writer import BundleReport, BundleWriter
from airgap.cli.demo_content import DemoContent
from airgap.cli.invocation import Invocation, common_options
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.content.copy_images import ImageCopy, copy_images
from airgap.content.report import CopyReport
from airgap.errors import AirgapError, Difference, UsageError
from airgap.oci.name_mapping import Change, Destination, MappingRule, NameMapping
from airgap.oci.reference import Reference
from airgap.operations.documents import Document
from airgap.operations.sizes import counted, human_size
from airgap.registry.client import RegistryClient
from airgap.server.registry import RunningRegistry, running_registry
from airgap.store.store import Store
from airgap.usecases.export import ExportRequest, export, plan_export
from airgap.usecases.import_bundle import import_bundle
from airgap.usecases.mirror import Wanted, mirror, select
from airgap.usecases.push import PushReport, PushRequest, push


@click.command()
@click.option(
    "--keep", type=click.Path(path_type=Path), metavar="DIR", help="Leave everything in DIR."
)
@common_options
def demo(invocation: Invocation, *, keep: Path | None) -> int:
    """Mirror, export, import and push a few images between two registries on this machine.

    An "upstream" and a "local" registry are started on free loopback ports. At the end every tag
    must resolve to the same digest on both sides; the exit code says whether it does.
    """
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise UsageError(str(keep), "is there already", "name a folder that is new or empty")

    async def work(view: EventView) -> Result:
        with tempfile.TemporaryDirectory(prefix="airgap-demo-") as scratch:
            folder = keep or Path(scratch)
            return await _Journey(folder, view).run(kept=keep)

    return perform(invocation, "demo", work)


@dataclass(frozen=True, slots=True)
class _Journey:
    folder: Path
    view: EventView

    async def run(self, kept: Path | None) -> Result:
        started = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        async with AsyncExitStack() as stack:
            upstream = await self._registry(stack, "upstream-registry")
            local = await self._registry(stack, "local-registry")
            client = await stack.enter_async_context(App().registries(self.view.emit))
            names = await self._publish(client, upstream)
            mirrored = await self._mirror(client, names)
            bundle = await self._export()
            imported, pushed = await self._deliver(bundle, client, upstream, local)
            differences = await self._compare(client, names, upstream, local)
        error: AirgapError | None = (
            mirrored.error() or imported.error() or pushed.copied.error() or pushed.audit.error()
        )
        if differences:
            error = Difference("demo", f"differ on the two sides: {', '.join(differences)}")
        document = _document(mirrored, bundle, names, differences)
        seconds = time.monotonic() - started
        return Result(document, _lines(document, seconds, kept), error)

    async def _registry(self, stack: AsyncExitStack, name: str) -> RunningRegistry:
        path = self.folder / name
        store = await stack.enter_async_context(Store.open(path, create=True, long_lived=True))
        registry = await stack.enter_async_context(running_registry(store))
        self.view.say(f"{name.replace('-', ' ')} listens at {registry.url}")
        return registry

    async def _publish(
        self, client: RegistryClient, upstream: RunningRegistry
    ) -> Sequence[Reference]:
        self.view.say("\npublishing a few images upstream")
        content = DemoContent(upstream.domain)
        copies = [ImageCopy(name, name) for name in content.references]
        report = await copy_images(content, client, copies, emit=self.view.emit)
        error = report.error()
        if error is not None:
            raise error
        return content.references

    async def _mirror(self, client: RegistryClient, names: Sequence[Reference]) -> CopyReport:
        self.view.say("\nconnected side: mirroring them into a store")
        selection = await select([Wanted(tuple(names))], client)
        async with Store.open(self.folder / "connected-store", create=True) as store:
            return await mirror(selection, client, store, emit=self.view.emit)

    async def _export(self) -> BundleReport:
        self.view.say("\nconnected side: exporting a bundle")
        path = self.folder / "bundle.tar"
        identity = BundleIdentity(datetime.now(UTC))
        async with Store.open(self.folder / "connected-store") as store:
            plan = await plan_export(ExportRequest(), store)
            async with BundleWriter(path, store, identity, WriteOptions()) as writer:
                await export(plan, store, writer, self.view.emit)
                report = writer.report
        self.view.say(f"  {path.name} with {human_size(report.size)}")
        return report

    async def _deliver(
        self,
        report: BundleReport,
        client: RegistryClient,
        upstream: RunningRegistry,
        local: RunningRegistry,
    ) -> tuple[CopyReport, PushReport]:
        self.view.say("\nisolated side: importing the bundle into a store of its own")
        rule = MappingRule(upstream.domain, Change.STRIP)
        mapping = NameMapping(Destination.parse(local.domain), (rule,))
        async with (
            open_bundle(report.path) as bundle,
            Store.open(self.folder / "isolated-store", create=True) as store,
        ):
            imported = await import_bundle(bundle, store, self.view.emit)
            self.view.say("\nisolated side: pushing into the local registry")
            request = PushRequest([root.reference for root in bundle.roots], mapping.map_all)
            return imported, await push(request, store, client, self.view.emit)

    async def _compare(
        self,
        client: RegistryClient,
        names: Sequence[Reference],
        upstream: RunningRegistry,
        local: RunningRegistry,
    ) -> list[str]:
        self.view.say("\ncomparing every tag on both sides")
        differences = []
        for name in names:
            there = await client.resolve(name)
            twin = Reference.parse(str(name).replace(upstream.domain, local.domain, 1))
            here = await client.find(twin)
            equal = here is not None and here.digest == there.digest
            word = "equal" if equal else "DIFFERS"
            shown = f"{twin.repository.path}:{twin.tag}"
            self.view.say(f"  {word:<8} {shown:<20} {there.digest}")
            if not equal:
                differences.append(shown)
        return differences


def _document(
    mirrored: CopyReport,
    bundle: BundleReport,
    names: Sequence[Reference],
    differences: Sequence[str],
) -> Document:
    return {
        "images": len(names),
        "blobs": len(bundle.manifest.blobs),
        "bytes": bundle.manifest.size,
        "bytes_saved": mirrored.traffic.bytes_reused,
        "bundle_size": bundle.size,
        "differences": list(differences),
    }


def _lines(document: Document, seconds: float, kept: Path | None) -> list[str]:
    carried, saved = human_size(document["bytes"]), human_size(document["bytes_saved"])
    summary = (
        f"{counted(document['images'], 'image')}, {counted(document['blobs'], 'blob')}, {carried} "
        f"carried, {saved} saved by deduplication, {seconds:.1f} seconds"
    )
    lines = ["", summary]
    if not document["differences"]:
        lines.append("every tag resolves to the same digest on both sides")
    if kept is not None:
        lines.append(f"everything is left in {kept}: the stores, the registries and bundle.tar")
    return lines
