"""``import``: from a bundle into the local store, and on into a registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from airgap.content import events
from airgap.content.copy_plan import Survey, copy_plan, survey_plan
from airgap.content.events import Emit
from airgap.content.plan import CopyPlan
from airgap.content.ports import KnowsGraphs, Source, TagMove, Target
from airgap.content.report import CopyReport
from airgap.errors import BundleDamaged, NotFound
from airgap.oci.platform_filter import ALL_PLATFORMS


class BundleSource(Source, KnowsGraphs, Protocol):
    """A bundle that is open for reading."""

    @property
    def roots(self) -> Sequence[TagMove]:
        """The names that it brings, and what they stand for."""
        ...


async def survey_import(bundle: BundleSource, store: Target) -> Survey:
    """Find out what an import would change, without changing anything.

    Raises:
        BundleDamaged: the bundle does not hold what its images are made of.
    """
    return await survey_plan(bundle, store, await whole_plan(bundle))


async def import_bundle(
    bundle: BundleSource, store: Target, emit: Emit = events.discard
) -> CopyReport:
    """Take in everything that a bundle carries; names move last, all of them or none.

    Raises:
        BundleDamaged, ContentMismatch: the bundle is not what it says; no name has moved.
        NoSpace: the new content does not fit; nothing was written.
    """
    plan = await whole_plan(bundle)
    return await copy_plan(bundle, store, plan, emit=emit)


async def whole_plan(bundle: BundleSource) -> CopyPlan:
    """Return everything that a bundle carries.

    Raises:
        BundleDamaged: its images need what it neither has nor relies on.
    """
    try:
        return await bundle.plan(bundle.roots, ALL_PLATFORMS)
    except NotFound as error:
        raise BundleDamaged(
            error.thing, "is needed by an image of the bundle and not inside", "export it again"
        ) from None
