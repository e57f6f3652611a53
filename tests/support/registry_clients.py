"""Registry clients that lose no time, and what they tell."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from airgap.content.events import Event, Note
from airgap.oci.descriptor import Descriptor
from airgap.oci.reference import Repository
from airgap.registry.client import RegistryClient
from airgap.registry.settings import ClientSettings, HostSettings, RetryRules, Timeouts

QUICK_RETRY = RetryRules(first_delay=0.001, longest_delay=0.01)
QUICK_TIMEOUTS = Timeouts(connect=5, stall=0.4, answer=5, slowest=64, small=5)
QUICK = HostSettings(retry=QUICK_RETRY, timeouts=QUICK_TIMEOUTS)


@dataclass
class Told:
    """What a client told whoever watches."""

    notes: list[Note] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        if isinstance(event, Note):
            self.notes.append(event)

    def has(self, text: str, level: str = "") -> bool:
        """Tell whether a note holds the text."""
        return any(text in note.text and (not level or note.level == level) for note in self.notes)


class MakeClient(Protocol):
    """Makes a client that is closed when the test ends."""

    async def __call__(self, settings: ClientSettings | None = None) -> RegistryClient:
        """Make a client, with quick timeouts where no settings are given."""
        ...


def quick(**changes: Any) -> ClientSettings:
    """Return settings with quick timeouts for every host, and what else is asked for."""
    return ClientSettings(default=replace(QUICK, **changes))


async def read_blob(
    client: RegistryClient, repository: Repository, descriptor: Descriptor, offset: int = 0
) -> bytes:
    """Return what a client reads of a blob."""
    async with client.open_blob(repository, descriptor, offset) as reader:
        return b"".join([piece async for piece in reader])
