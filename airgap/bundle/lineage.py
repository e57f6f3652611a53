"""Which bundles of a channel may come next: a trusted state, and a step for each bundle. Pure.

Whatever the order in which bundles arrive, and whichever of them are lost, names never go back: a
bundle is taken in only if it comes after all that were taken in before. Bundles that never came
leave gaps; whether one matters is told by the content that the next bundle relies on, all of which
must be there (see ``missing_base``), and not by its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airgap.bundle.format import BundleManifest
from airgap.errors import Refused


@dataclass(frozen=True, slots=True)
class Lineage:
    """What an importer knows of a channel.

    Attributes:
        channel: who ships to whom.
        passed: the ids of the bundles that were taken in, by sequence.
    """

    channel: str
    passed: Mapping[int, str] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The newest bundle's sequence; 0 where none was taken in."""
        return max(self.passed, default=0)

    def has_just_passed(self, manifest: BundleManifest) -> bool:
        """Tell whether a bundle is the newest one that was taken in; to take it in is no change."""
        return self.last > 0 and (manifest.sequence, manifest.id) == (
            self.last,
            self.passed[self.last],
        )

    def accept(self, manifest: BundleManifest) -> Lineage:
        """Return what is known once a bundle has been taken in.

        Raises:
            Refused: it is of another channel, has been passed, or is of another history.
        """
        sequence = manifest.sequence
        if manifest.channel != self.channel or sequence is None:
            raise Refused(manifest.id, f"is not a bundle of the channel {self.channel}")
        bundle = f"{self.channel}, bundle {sequence} ({manifest.id})"
        passed = self.passed.get(sequence)
        if passed is not None and passed != manifest.id:
            raise Refused(
                bundle,
                f"another bundle of this number, {passed}, was taken in: the channel has two "
                "histories",
                "two stores export under one name, or one was set back; give one of them a "
                "channel name of its own",
            )
        if sequence <= self.last:
            done = "was taken in before" if passed is not None else "never came"
            raise Refused(
                bundle,
                f"{done}, and bundle {self.last} after it: going back is refused",
                "nothing is lost by leaving it out; what is newer is in the store",
            )
        base = manifest.base
        if base is not None and self.passed.get(base.sequence, base.id) != base.id:
            raise Refused(
                bundle,
                f"stands on bundle {base.sequence} with id {base.id}, and the one that was taken "
                f"in is {self.passed[base.sequence]}: the channel has two histories",
                "export a full bundle (`airgap export CHANNEL --full`) from the right store",
            )
        return Lineage(self.channel, {**self.passed, sequence: manifest.id})
