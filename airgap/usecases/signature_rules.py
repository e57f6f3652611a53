"""Whose signatures the images of a repository must have, as the config's mirror entries say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airgap.config.mirroring import MirrorEntry
from airgap.oci.reference import Repository
from airgap.oci.repository_pattern import RepositoryPattern
from airgap.usecases.mirror_entries import read_entries
from airgap.usecases.upstream_signatures import SignaturePolicy


@dataclass(frozen=True, slots=True)
class SignatureRule:
    """What an entry with ``verify`` wants of its repositories.

    Attributes:
        places: repositories, and patterns of them.
        policy: whose signature each of their images must have.
    """

    places: frozenset[Repository | RepositoryPattern]
    policy: SignaturePolicy

    def covers(self, repository: Repository) -> bool:
        """Tell whether a repository is one of them."""
        return any(
            place.matches(repository)
            if isinstance(place, RepositoryPattern)
            else place == repository
            for place in self.places
        )


@dataclass(frozen=True, slots=True)
class SignatureRules:
    """The rules of all entries.

    An entry speaks for every image of the repositories that it names, also for those that it does
    not mirror: who asks for another tag by hand, or through the server, is no less at risk.
    """

    rules: tuple[SignatureRule, ...] = ()

    @classmethod
    async def of_entries(cls, entries: Sequence[MirrorEntry]) -> SignatureRules:
        """Read the keys of the entries that have some, and the files that name their images.

        Raises:
            ConfigError: a key cannot be used.
            NotFound: a file is not there, or names no image.
        """
        order = await read_entries([entry for entry in entries if entry.verify is not None])
        rules = []
        for wanted in order.wanted:
            if wanted.signed is not None:
                places = {reference.repository for reference in wanted.references}
                more = {wanted.repository} if wanted.repository is not None else set()
                rules.append(SignatureRule(frozenset(places | more), wanted.signed))
        return cls(tuple(rules))

    def of(self, repository: Repository) -> tuple[SignaturePolicy, ...]:
        """Return every policy that an image of a repository must satisfy."""
        return tuple(rule.policy for rule in self.rules if rule.covers(repository))
