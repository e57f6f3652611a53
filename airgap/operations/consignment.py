"""A bundle that is to be taken in, with all that the config and its bringer say of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airgap.app import App
from airgap.bundle.reader import Bundle
from airgap.bundle.signatures import SignatureVerdict
from airgap.bundle.statements import Signer
from airgap.config.transfer import ImportChannel
from airgap.oci.name_mapping import Destination, NameMapping
from airgap.usecases.handover import Papers
from airgap.usecases.push import PushRequest
from airgap.usecases.reception import Admission, Holder, Journal, admit


@dataclass(frozen=True, slots=True)
class Consignment:
    """A bundle on its way in.

    Attributes:
        app: the program's config and places.
        bundle: what is taken in.
        verdict: what its signatures are worth.
        destination: the registry that it is pushed on to, instead of the config's.
        receipts: the folder for receipts, likewise.
        to_engine: load the images into the Docker Engine instead of a registry.
    """

    app: App
    bundle: Bundle
    verdict: SignatureVerdict
    destination: Destination | None = None
    receipts: Path | None = None
    to_engine: bool = False

    @property
    def section(self) -> ImportChannel | None:
        """What the config says of the bundle's channel."""
        return self.app.config.imports.get(self.bundle.manifest.channel or "")

    @property
    def mapping(self) -> NameMapping | None:
        """What its images are called in the registry; None where none is named."""
        section = self.section or self.app.config.push
        return section.name_mapping(self.destination)

    def push_request(self, mapping: NameMapping) -> PushRequest:
        """Return what goes on into the registry."""
        section = self.section or self.app.config.push
        return PushRequest(
            [root.reference for root in self.bundle.roots],
            mapping.map_all,
            on_existing=section.on_existing,
        )

    def papers(self, sign: Signer | None) -> Papers:
        """Return where its receipt and its report go."""
        own = self.app.store_path / "airgap"
        section = self.section or ImportChannel()
        folder = self.receipts or section.receipts or own / "receipts"
        return Papers(folder, own / "reports", sign, self.app.config.store.sync)

    async def admit(self, journal: Journal, holder: Holder | None = None) -> Admission:
        """Hold it against what came before, and what is here.

        Raises:
            Refused: it must not be taken in, or not yet.
        """
        section = self.section or ImportChannel()
        return await admit(
            self.bundle.head, self.verdict, journal, removals=section.removals, holder=holder
        )
