"""``receipt apply``: what a destination confirms goes into the ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace

from airgap.bundle.delivery import Holding
from airgap.bundle.format import Kind
from airgap.bundle.ledger import ChannelStatus, DeliveryRecord, Standing
from airgap.bundle.statements import ContentSum, Receipt
from airgap.errors import Refused
from airgap.usecases.delivery import Ledger


@dataclass(frozen=True, slots=True)
class ReceiptReport:
    """What a receipt has changed.

    Attributes:
        record: the bundle that it confirms.
        is_news: whether that was not known before.
        is_adopted: whether the ledger had not seen the bundle: it was lost, or is another store's.
        status: where the channel stands now.
    """

    record: DeliveryRecord
    is_news: bool
    is_adopted: bool
    status: ChannelStatus


async def apply_receipt(receipt: Receipt, ledger: Ledger, now: float) -> ReceiptReport:
    """Write down that a destination has taken in a bundle; the next one may rely on it.

    A receipt that comes late or twice changes nothing. One for a bundle that this ledger has never
    seen and whose number is still free (the ledger was lost) is taken over with all that it lists.

    Args:
        receipt: what the destination says; its signature has been checked.
        ledger: what was exported.
        now: seconds since 1970.

    Raises:
        Refused: it is of another history: the ledger has another bundle of this number, or other
            content in it, or is further on without having seen it.
    """
    status = await ledger.status(receipt.channel)
    sequence = receipt.bundle.sequence
    found = next((r for r in status.history if r.sequence == sequence), None)
    if found is None:
        record = await _adopt(receipt, status, ledger, now)
        return ReceiptReport(record, True, True, await ledger.status(receipt.channel))
    if (found.id, found.digest) != (receipt.bundle.id, receipt.bundle.digest):
        raise _fork(receipt, f"is {receipt.bundle.id} over there and {found.id} here")
    held = await ledger.holding(found)
    if ContentSum.of(held.content).sha256 != receipt.content.sha256:
        raise _fork(receipt, "has other content over there than here")
    if found.standing is Standing.CONFIRMED:
        return ReceiptReport(found, False, False, status)
    record = replace(found, standing=Standing.CONFIRMED, confirmed=now)
    await ledger.settle(record)
    return ReceiptReport(record, True, False, await ledger.status(receipt.channel))


async def _adopt(
    receipt: Receipt, status: ChannelStatus, ledger: Ledger, now: float
) -> DeliveryRecord:
    bundle, content = receipt.bundle, receipt.content
    if bundle.sequence < status.next_sequence:
        raise _fork(receipt, "is not in the ledger, though later ones are")
    if content.digests is None:
        raise Refused(
            f"{receipt.channel}, bundle {bundle.sequence}",
            f"is not in the ledger, and its receipt does not list its {content.count} pieces",
            "export a full bundle: `airgap export CHANNEL --full`",
        )
    record = DeliveryRecord(
        channel=receipt.channel,
        sequence=bundle.sequence,
        id=bundle.id,
        digest=bundle.digest,
        created=receipt.received,
        kind=Kind.FULL,
        standing=Standing.CONFIRMED,
        confirmed=now,
    )
    await ledger.adopt(record, Holding(bundle.sequence, bundle.id, receipt.names, content.digests))
    return record


def _fork(receipt: Receipt, cause: str) -> Refused:
    return Refused(
        f"{receipt.channel}, bundle {receipt.bundle.sequence}",
        f"{cause}: the channel has two histories",
        "the receipt belongs to another store's channel of this name",
    )
