"""The half of ``airgap inspect`` that shows images."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from airgap.app import App
from airgap.archive.opening import open_archive, open_layout
from airgap.cli.go_template import Template
from airgap.cli.output import Result
from airgap.cli.progress import EventView
from airgap.errors import ArchiveDamaged, UsageError
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference
from airgap.usecases.inspect_image import InspectedImage, inspect_image
from airgap.usecases.local_images import UNTAGGED
from airgap.usecases.places import PlacedImage, image_at


@dataclass(frozen=True, slots=True)
class Show:
    """What is wanted of an image.

    Attributes:
        template: of Go; None shows everything.
        config: the image's config instead of docker's view of it.
        manifest: its manifest instead.
        raw: the bytes as they are; alone, those of what the name stands for.
        platform: which image of a multi-platform one.
    """

    template: str | None = None
    config: bool = False
    manifest: bool = False
    raw: bool = False
    platform: Platform | None = None

    @property
    def says_something(self) -> bool:
        """Whether anything but ``raw`` was asked for."""
        return bool(self.template or self.config or self.manifest or self.platform)

    def check(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            UsageError: two views are asked for at once, or the template is none.
        """
        if self.config and self.manifest:
            raise UsageError("--config", "and --manifest are two things", "ask for one of them")
        if self.template is not None and (self.config or self.manifest or self.raw):
            raise UsageError("--format", "is for docker's view of an image", "leave the others out")
        if self.template is not None:
            Template.parse(self.template)


_Found: TypeAlias = tuple[InspectedImage, Sequence[Reference]]
"""An image, and its names."""


async def inspect_images(
    app: App, references: Sequence[str], show: Show, view: EventView, *, as_json: bool
) -> Result:
    """Show images, by name or id in the store, or in any other place.

    Raises:
        NotFound: one of them is not there.
        UsageError: the template is none, or options contradict each other.
    """
    show.check()
    found: list[_Found] = []
    for text in references:
        async with image_at(text, app, view.emit) as placed:
            found.append(await _inspect(app, placed, show))
    return await _result(found, show, as_json=as_json)


async def inspect_file(app: App, path: Path, show: Show, *, as_json: bool) -> Result | None:
    """Show every image of an archive or an OCI layout; None where the path is neither.

    Raises:
        UsageError: the template is none, or options contradict each other.
        AirgapError: an image cannot be read.
    """
    show.check()
    with app.scratch() as scratch:
        async with AsyncExitStack() as stack:
            try:
                if path.is_dir():  # noqa: ASYNC240 - one question to the file system
                    archive = await open_layout(path)
                else:
                    opening = open_archive(path, scratch=scratch)
                    archive = await stack.enter_async_context(opening)
            except ArchiveDamaged:
                return None
            found = []
            for image in archive.images:
                by_digest = Reference(UNTAGGED, digest=image.descriptor.digest)
                placed = PlacedImage(archive, by_digest, None, names=image.names)
                found.append(await _inspect(app, placed, show))
            return await _result(found, show, as_json=as_json)


async def _result(found: Sequence[_Found], show: Show, *, as_json: bool) -> Result:
    if show.raw and not as_json:
        for image, _ in found:
            await asyncio.to_thread(sys.stdout.buffer.write, _raw(image, show))
        await asyncio.to_thread(sys.stdout.buffer.flush)
        return Result({})
    shown = [_shown(image, names, show) for image, names in found]
    if show.template is not None:
        template = Template.parse(show.template)
        lines = [template.render(value) for value in shown]
    elif show.config or show.manifest or show.raw:
        lines = [json.dumps(value, indent=2) for value in shown]
    else:
        lines = [json.dumps(shown, indent=4)]
    return Result({"images": shown}, lines, always=True)


async def _inspect(app: App, placed: PlacedImage, show: Show) -> _Found:
    image = await inspect_image(placed, show.platform, app.platform)
    return image, [name for name in placed.names if name.repository != UNTAGGED]


def _raw(image: InspectedImage, show: Show) -> bytes:
    if show.config:
        return image.config
    return image.image.raw if show.manifest else image.raw


def _shown(image: InspectedImage, names: Sequence[Reference], show: Show) -> Any:
    if show.config or show.manifest or show.raw:
        return json.loads(_raw(image, show))
    return image.document(names)
