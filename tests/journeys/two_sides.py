"""Two stores with a gap between them, and a channel that leads across it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airgap.bundle.access import open_bundle
from airgap.bundle.identity import BundleIdentity
from airgap.bundle.ledger import ChannelStatus
from airgap.bundle.output import WriteOptions
from airgap.bundle.signatures import SignaturePolicy, check_signatures
from airgap.bundle.statements import Receipt, Request, decode_statement, encode_statement
from airgap.config.transfer import DeliveryPolicy, Removals
from airgap.content.copy_images import ImageCopy, copy_images
from airgap.content.ports import TagMove
from airgap.oci.digest import Digest
from airgap.store.journal import StoreJournal
from airgap.store.ledger import StoreLedger
from airgap.store.store import Store
from airgap.usecases.choose import available_references
from airgap.usecases.delivery import (
    DeliveryReport,
    DeliveryRequest,
    PlannedDelivery,
    deliver,
    plan_next,
    reconcile,
)
from airgap.usecases.export import ExportRequest
from airgap.usecases.handover import Papers, finish, receipt_of
from airgap.usecases.receipts import ReceiptReport, apply_receipt
from airgap.usecases.reception import BaseMissing, Reception, admit, receive
from tests.support.images import BuiltImage, image, random_layer
from tests.support.memory import MemorySource

CHANNEL = "plant"
EVERYTHING = ExportRequest()


def images(**seeds: tuple[int, ...]) -> dict[str, BuiltImage]:
    """Return images by name (``app`` is ``team/app:1``), each of layers that the seeds make."""
    return {
        f"team/{name}:1": image([random_layer(seed, 2000) for seed in layers])
        for name, layers in seeds.items()
    }


@dataclass
class Sides:
    """A store that exports, one that imports, and what is on its way between them.

    Attributes:
        connected: the store that exports.
        isolated: the store that imports.
        folder: where bundles are.
        policy: what the destination is taken to hold.
        removals: what it does with names that the sender took out.
        compressed: whether bundles have zstd around them.
        channel: its name.
        exports: how many bundles were written.
    """

    connected: Store
    isolated: Store
    folder: Path
    policy: DeliveryPolicy = DeliveryPolicy.CONFIRMED
    removals: Removals = Removals.APPLY
    compressed: bool = False
    channel: str = CHANNEL
    exports: int = field(default=0)

    @property
    def ledger(self) -> StoreLedger:
        """What was exported."""
        return StoreLedger(self.connected)

    @property
    def journal(self) -> StoreJournal:
        """What was taken in."""
        return StoreJournal(self.isolated)

    @property
    def papers(self) -> Papers:
        """Where receipts and reports go."""
        return Papers(self.folder / "receipts", self.folder / "reports", sync=False)

    async def publish(self, wanted: Mapping[str, BuiltImage]) -> None:
        """Let the connected store have exactly these names."""
        source = MemorySource(wanted)
        copies = [ImageCopy(name, name) for name in source.roots]
        if copies:
            assert (await copy_images(source, self.connected, copies)).error() is None
        for name in await available_references(self.connected):
            if name not in source.roots:
                await self.connected.remove_tag(name)

    async def plan(self, request: DeliveryRequest | None = None) -> PlannedDelivery:
        """Plan the next bundle of the channel."""
        return await plan_next(request or self.request(), self.connected, self.ledger)

    def request(
        self, *, full: bool = False, since: int | None = None, asked: Request | None = None
    ) -> DeliveryRequest:
        """Ask for the next bundle of the channel."""
        return DeliveryRequest(self.channel, EVERYTHING, self.policy, full, since, asked)

    async def export(self, request: DeliveryRequest | None = None) -> DeliveryReport:
        """Write the next bundle of the channel."""
        await reconcile(self.channel, self.ledger)
        self.exports += 1
        made = datetime(2026, 11, 24, tzinfo=UTC) + timedelta(minutes=self.exports)
        return await deliver(
            await self.plan(request),
            self.folder / f"{self.exports}.tar",
            self.connected,
            self.ledger,
            identity=BundleIdentity(made),
            options=WriteOptions(sync=False, zstd=self.compressed),
        )

    async def take_in(self, report: DeliveryReport) -> Reception:
        """Import a bundle, to the end."""
        async with open_bundle(report.bundle.path) as bundle, self.isolated.writing():
            head = bundle.head
            verdict = check_signatures(head.bundle_json, head.signatures, SignaturePolicy())
            admission = await admit(head, verdict, self.journal, removals=self.removals)
            received = await receive(bundle, admission, self.isolated, self.journal)
            finished = await finish(received.entry, head.manifest, self.journal, self.papers)
        return replace(received, entry=finished.entry)

    async def refusal(self, report: DeliveryReport) -> Request:
        """Import a bundle whose base is not there; return what it asks for, as it is read there."""
        before = await self.held()
        try:
            await self.take_in(report)
        except BaseMissing as refusal:
            assert await self.held() == before
            said = decode_statement(encode_statement(refusal.request), "request").said
            assert isinstance(said, Request)
            return said
        raise AssertionError("the bundle was taken in")

    async def confirm(self, report: DeliveryReport) -> ReceiptReport:
        """Carry the receipt of an import back."""
        manifest = report.bundle.manifest
        entry = await self.journal.find(report.record.digest)
        assert entry is not None
        raw = encode_statement(receipt_of(entry, manifest))
        said = decode_statement(raw, "receipt").said
        assert isinstance(said, Receipt)
        return await apply_receipt(said, self.ledger, 0.0)

    async def status(self) -> ChannelStatus:
        """Return where the channel stands on the connected side."""
        return await self.ledger.status(self.channel)

    async def held(self) -> dict[str, Digest]:
        """Return the names of the isolated store, after checking that all below them is there."""
        return await names_of(self.isolated)

    async def offered(self) -> dict[str, Digest]:
        """Return the names of the connected store."""
        return await names_of(self.connected)


async def names_of(store: Store) -> dict[str, Digest]:
    """Return what each name of a store stands for; everything below them must be there."""
    found: dict[str, Digest] = {}
    for name in await available_references(store):
        descriptor = await store.resolve(name)
        plan = await store.plan([TagMove(name, descriptor)], frozenset())
        assert all(store.places.blob(digest).exists() for digest in plan.digests())
        found[name.familiar] = descriptor.digest
    return found


@asynccontextmanager
async def two_sides(folder: Path, policy: DeliveryPolicy) -> AsyncIterator[Sides]:
    """Open two empty stores."""
    async with (
        Store.open(folder / "connected", create=True, sync=False) as connected,
        Store.open(folder / "isolated", create=True, sync=False) as isolated,
    ):
        yield Sides(connected, isolated, folder, policy)
