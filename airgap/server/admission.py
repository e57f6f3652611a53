"""Which manifests of upstream are let in: those signed as the config wants it of their repository.

A signature is over what a tag stands for. What that is made of is let in with it, so the platforms
of an index are, when a client goes on to ask for one by its digest; and what is here is trusted to
have been let in. Signatures and SBOMs under tags of their own are no images, and vouch for
themselves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from airgap.content.ports import Source
from airgap.oci.attachment_tag import parse_attachment_tag
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import Manifest, Role
from airgap.oci.reference import Reference, Repository
from airgap.usecases.mirror import PoliciesOf
from airgap.usecases.upstream_signatures import require_signature

_REMEMBERED = 20_000
"""Manifests that need not be looked at again: a few MiB at most."""


class Admission:
    """Lets manifests in, or refuses them, and remembers which it has let in."""

    def __init__(self, upstream: Source, rules: PoliciesOf) -> None:
        self._upstream = upstream
        self._rules = rules
        self._admitted: OrderedDict[tuple[Repository, Digest], None] = OrderedDict()

    async def require(
        self, reference: Reference, descriptor: Descriptor, learn: Callable[[], Awaitable[None]]
    ) -> None:
        """Let a manifest pass.

        Args:
            reference: the name or digest by which it was asked for.
            descriptor: what that stands for.
            learn: tells of every manifest of the repository that is here, by ``parts``.

        Raises:
            Refused: it has none of the signatures that it must have.
        """
        repository, tag = reference.repository, reference.tag
        policies = self._rules(repository)
        key = (repository, descriptor.digest)
        if not policies or key in self._admitted:
            return
        if tag is not None and parse_attachment_tag(tag) is not None:
            return
        if tag is None:
            await learn()
            if key in self._admitted:
                return
        for policy in policies:
            await require_signature(policy, (self._upstream,), reference, descriptor)
        self._admit(key)

    def parts(self, repository: Repository, manifest: Manifest) -> None:
        """Let in what a manifest that is here is made of."""
        if self._rules(repository):
            for child in manifest.children():
                if child.role is Role.MANIFEST:
                    self._admit((repository, child.descriptor.digest))

    def _admit(self, key: tuple[Repository, Digest]) -> None:
        self._admitted[key] = None
        self._admitted.move_to_end(key)
        while len(self._admitted) > _REMEMBERED:
            self._admitted.popitem(last=False)
