"""Volumes of a bundle that is out already: what ``airgap export CHANNEL --only-volume`` does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from airgap.app import App
from airgap.bundle.output import WriteOptions
from airgap.bundle.volume_files import read_index
from airgap.bundle.volumes import VolumeIndex
from airgap.cli.output import Result
from airgap.cli.progress import EventView
from airgap.cli.wrapping import Wrapping, written_document, written_lines
from airgap.config.transfer import ExportChannel, PackKind
from airgap.errors import UsageError
from airgap.operations.turns import turn
from airgap.store.journal import StoreJournal
from airgap.store.ledger import StoreLedger
from airgap.usecases.redelivery import deliver_again, plan_again


def refuse_other_options(options: Mapping[str, object]) -> None:
    """Refuse what would make another bundle of it.

    Args:
        options: by name, what the command line gave; empty where it gave nothing.

    Raises:
        UsageError: it gave something.
    """
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(
            "--only-volume",
            "makes volumes of a channel's bundle as they were",
            f"leave out {', '.join(given)}",
        )


@dataclass(frozen=True, slots=True)
class Remaking:
    """Volumes of a channel's bundle that are to be made again.

    Attributes:
        app: the program's config and places.
        name: the channel's name.
        channel: what the config says of it.
        wrapping: which volumes, and with which keys.
        sequence: which bundle; the newest where None.
        path: folder and name of the volumes; where they were written where None.
    """

    app: App
    name: str
    channel: ExportChannel
    wrapping: Wrapping
    sequence: int | None
    path: Path | None

    async def work(self, view: EventView) -> Result:
        """Make them."""
        sign = self.wrapping.signer(self.channel, self.app.environ)
        async with (
            self.app.open_store() as store,
            turn(store, f"export.{self.name}"),
            store.writing(),
        ):
            ledger, keeper = StoreLedger(store), StoreJournal(store)
            again = await plan_again(self.name, self.sequence, self.path, ledger, keeper)
            index = await asyncio.to_thread(read_index, again.index_path())
            again.expect_index(index)
            bundle = await deliver_again(
                again, store, options=self._options(index), sign=sign, emit=view.emit
            )
        only = sorted(self.wrapping.only_volumes)
        document = {
            "channel": self.name,
            "sequence": again.record.sequence,
            "made_again": [volume.file_name(bundle.path.name) for volume in only],
            **written_document(bundle),
        }
        first = f"{self.name}, bundle {again.record.sequence}"
        return Result(document, [first, *written_lines(bundle, only)])

    def _options(self, index: VolumeIndex) -> WriteOptions:
        # How the bundle was written, the ledger says; what the config says now is no matter.
        plain = self.channel.model_copy(update={"encrypt": (), "pack": PackKind.PLAIN})
        return self.wrapping.options(plain, index, sync=self.app.config.store.sync)
