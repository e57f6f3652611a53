"""``receipt apply``: the file of a receipt into the ledger."""

from __future__ import annotations

import time
from pathlib import Path

from airgap.app import App
from airgap.content.events import Emit, discard
from airgap.operations.statements import read_receipt
from airgap.store.ledger import StoreLedger
from airgap.usecases.receipts import ReceiptReport, apply_receipt


async def apply_receipt_file(app: App, file: Path, emit: Emit = discard) -> ReceiptReport:
    """Take the receipt that a file holds into the ledger of the store.

    Raises:
        UsageError: it is a request.
        ContentMismatch: it is neither.
        Refused: too few of the channel's signers have signed it, or it is of another history.
        NotFound: there is no such file, or no store.
    """
    said = read_receipt(app, file, emit)
    async with app.open_store() as store:
        return await apply_receipt(said, StoreLedger(store), time.time())
