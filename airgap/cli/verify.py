"""``airgap verify``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import click

from airgap.app import App
from airgap.bundle.medium import Medium
from airgap.bundle.opening import FoundBundle
from airgap.bundle.signatures import SignatureVerdict
from airgap.bundle.verify import VerifyReport, verify_bundle
from airgap.bundle.volume_files import VolumeCheck, check_volumes, find_volumes
from airgap.cli.invocation import Invocation, common_options
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.cli.reading import (
    Reading,
    reading_options,
    signature_document,
    signature_line,
    unchecked_warning,
)
from airgap.errors import AirgapError, Refused
from airgap.oci.digest import Digest
from airgap.operations.documents import Document
from airgap.operations.sizes import counted, human_size


@click.command()
@reading_options
@common_options
def verify(invocation: Invocation, *, reading: Reading) -> int:
    """Read a bundle and check everything: .sha256, volumes, signatures, every digest, every edge.

    FILE is the bundle; or volumes of it, or folders that hold them. All that is wrong is listed;
    of volumes by number, and whether `airgap repair` could rebuild them. Nothing is written
    anywhere.
    """
    app = invocation.app()

    async def work(view: EventView) -> Result:
        del view
        volumes = await asyncio.to_thread(find_volumes, reading.paths)
        check = await asyncio.to_thread(check_volumes, volumes) if volumes is not None else None
        if check is not None and check.lost_data:
            return Result(_volumes_document(check), _volume_lines(check), check.error())
        return await _content(app, reading, await reading.find(), check)

    return perform(invocation, "verify", work)


async def _content(
    app: App, reading: Reading, found: FoundBundle, check: VolumeCheck | None
) -> Result:
    medium: Medium = reading.medium(app, found)
    report = await asyncio.to_thread(verify_bundle, medium)
    verdict = reading.verdict(app, report.head)
    verified = _Verified(report, verdict, check)
    return Result(verified.document(), verified.lines(), verified.error())


@dataclass(frozen=True, slots=True)
class _Verified:
    report: VerifyReport
    verdict: SignatureVerdict
    volumes: VolumeCheck | None

    def problems(self) -> list[str]:
        """Return everything that is wrong."""
        problems = list(self.volumes.problems()) if self.volumes is not None else []
        problems += self.report.problems
        index = self.volumes.volumes.index if self.volumes is not None else None
        if index is not None and index.bundle_json != Digest.of(self.report.head.bundle_json):
            problems.append("the index of the volumes speaks of another bundle.json")
        refusal = self._refusal()
        return [*problems, refusal.cause] if refusal is not None else problems

    def _refusal(self) -> Refused | None:
        try:
            self.verdict.require(str(self.report.path))
        except Refused as refused:
            return refused
        return None

    def error(self) -> AirgapError | None:
        """Return what the command ends with: damage first, then parity, then signatures."""
        parity = self.volumes.error() if self.volumes is not None else None
        return self.report.error() or parity or self._refusal()

    def document(self) -> Document:
        """Return all of it for a machine."""
        report = self.report
        return {
            "bundle": str(report.path),
            "id": report.manifest.id,
            "sha256": report.digest.hex if report.digest else None,
            "checksum_matches": report.digest == report.checksum if report.checksum else None,
            "references": len(report.manifest.references),
            "blobs": len(report.manifest.blobs),
            "signatures": signature_document(self.verdict),
            **(_volumes_document(self.volumes) if self.volumes is not None else {"volumes": None}),
            "problems": self.problems(),
        }

    def lines(self) -> Iterator[str]:
        """Return it for a person."""
        problems = self.problems()
        for problem in problems:
            yield f"  {problem}"
        if problems:
            return
        report, manifest = self.report, self.report.manifest
        if self.volumes is not None:
            yield f"{counted(len(self.volumes.good), 'volume')}, each as it should be"
        yield f"signed by {signature_line(self.verdict)}"
        warning = unchecked_warning(self.verdict)
        if warning is not None:
            yield warning
        if report.checksum is None and self.volumes is None:
            yield "there is no .sha256 beside it; its content was checked all the same"
        yield (
            f"{report.path}: {counted(len(manifest.references), 'reference')} in "
            f"{counted(len(manifest.blobs), 'blob')} with {human_size(manifest.size)}, all as they "
            "should be"
        )


def _volumes_document(check: VolumeCheck) -> Document:
    index = check.volumes.index
    return {
        "bundle": str(check.volumes.path),
        "volumes": {
            "set": index.set_id,
            "data": len(index.data),
            "parity": len(index.parity),
            "lost": [str(volume) for volume in check.lost],
            "repairable": check.is_repairable,
        },
        "problems": list(check.problems()),
    }


def _volume_lines(check: VolumeCheck) -> Iterator[str]:
    for problem in check.problems():
        yield f"  {problem}"
    if check.is_repairable:
        yield "`airgap repair` can rebuild all of it"
