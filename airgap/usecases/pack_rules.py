"""How layers are made small, and with how much memory."""

from __future__ import annotations

from dataclasses import dataclass

from airgap.bundle.output import LONG_WINDOW
from airgap.config.transfer import PackKind
from airgap.errors import UsageError
from airgap.packing.cutting import DEFAULT_MEMORY, MIN_MEMORY

BESIDE = LONG_WINDOW + 64 * 1024 * 1024
"""Bytes that unpacking takes beside what a delta does: the stream's window, and the coders."""


@dataclass(frozen=True, slots=True)
class PackRules:
    """How layers are made small.

    Attributes:
        kind: small or delta.
        memory: bytes that either side may take for it.
    """

    kind: PackKind
    memory: int = DEFAULT_MEMORY

    def __post_init__(self) -> None:
        """Check that the memory is enough for any layer.

        Raises:
            UsageError: it is not.
        """
        if self.memory < BESIDE + MIN_MEMORY:
            raise UsageError(
                "--delta-memory",
                f"{self.memory:,} bytes are too few",
                f"allow {BESIDE + MIN_MEMORY:,} at least",
            )

    @classmethod
    def of(cls, kind: PackKind, memory: int | None) -> PackRules | None:
        """Return the rules; None where every blob travels as it is.

        Raises:
            UsageError: there is too little memory.
        """
        if kind is PackKind.PLAIN:
            return None
        return cls(kind, memory if memory is not None else DEFAULT_MEMORY)

    @property
    def for_deltas(self) -> int:
        """Bytes that one delta may take."""
        return self.memory - BESIDE
