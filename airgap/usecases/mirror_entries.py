"""From the config's ``mirror`` entries to what they want: keys and named files are read here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from airgap.config.mirroring import MirrorEntry
from airgap.content.events import Note
from airgap.content.walk import WalkRules
from airgap.discovery.findings import Findings
from airgap.errors import NotFound
from airgap.oci.reference import Reference
from airgap.oci.selection import TagSelection
from airgap.usecases.find_images import find_images
from airgap.usecases.mirror import Wanted
from airgap.usecases.pull import EngineWanted
from airgap.usecases.upstream_signatures import SignaturePolicy


@dataclass(frozen=True, slots=True)
class MirrorOrder:
    """What the entries want.

    Attributes:
        wanted: one for each entry.
        engine: images of the Docker Engine.
        findings: what the files that entries name have in them, and what of that is not understood.
    """

    wanted: tuple[Wanted, ...]
    findings: Findings
    engine: tuple[EngineWanted, ...] = ()

    @property
    def notes(self) -> Iterator[Note]:
        """A warning for each thing that may name an image and is not understood."""
        return unread_notes(self.findings)


def unread_notes(findings: Findings) -> Iterator[Note]:
    """Yield a warning for each thing that is not understood, so that none is missed in silence."""
    for item in findings.unread:
        yield Note("warning", f"{item.place}: {item.text!r} {item.reason}")


async def read_entries(entries: Sequence[MirrorEntry], *, referrers: bool = True) -> MirrorOrder:
    """Read what entries name.

    Args:
        entries: of the config.
        referrers: without it nothing is taken along, whatever the entries say.

    Raises:
        ConfigError: a key cannot be used.
        NotFound: a file is not there, or names no image.
    """
    wanted: list[Wanted] = []
    engine: list[EngineWanted] = []
    findings = Findings()
    for entry in entries:
        if entry.engine:
            walk = WalkRules(entry.platform_choice, rewrite_index=entry.rewrite_index)
            engine += (EngineWanted(name, walk) for name in entry.engine)
            continue
        references: tuple[Reference, ...] = entry.references
        if entry.from_file:
            found = await find_images(entry.from_file)
            if not found.found:
                raise NotFound(", ".join(map(str, entry.from_file)), "no image is named there")
            findings += found
            references = found.references
        wanted.append(
            Wanted(
                references,
                entry.repository,
                entry.tags.selection() if entry.tags is not None else TagSelection(),
                WalkRules(entry.platform_choice, rewrite_index=entry.rewrite_index),
                referrers and entry.referrers,
                await SignaturePolicy.of_files(entry.verify.key) if entry.verify else None,
            )
        )
    return MirrorOrder(tuple(wanted), findings, tuple(engine))
