"""The half of ``airgap inspect`` that shows images."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airgap.app import App
from airgap.cli.go_template import Template
from airgap.cli.output import Result
from airgap.cli.progress import EventView
from airgap.errors import UsageError
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference
from airgap.usecases.inspect_image import InspectedImage, inspect_image
from airgap.usecases.local_images import UNTAGGED
from airgap.usecases.places import image_at


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


async def inspect_images(
    app: App, references: Sequence[str], show: Show, view: EventView, *, as_json: bool
) -> Result:
    """Show images, by name or id in the store, or in any other place.

    Raises:
        NotFound: one of them is not there.
        UsageError: the template is none, or options contradict each other.
    """
    if show.config and show.manifest:
        raise UsageError("--config", "and --manifest are two things", "ask for one of them")
    if show.template is not None and (show.config or show.manifest or show.raw):
        raise UsageError("--format", "is for docker's view of an image", "leave the others out")
    template = Template.parse(show.template) if show.template is not None else None
    found = [await _inspect(app, text, show, view) for text in references]
    if show.raw and not as_json:
        for image, _ in found:
            await asyncio.to_thread(sys.stdout.buffer.write, _raw(image, show))
        await asyncio.to_thread(sys.stdout.buffer.flush)
        return Result({})
    shown = [_shown(image, names, show) for image, names in found]
    if template is not None:
        lines = [template.render(value) for value in shown]
    elif show.config or show.manifest or show.raw:
        lines = [json.dumps(value, indent=2) for value in shown]
    else:
        lines = [json.dumps(shown, indent=4)]
    return Result({"images": shown}, lines, always=True)


async def _inspect(
    app: App, text: str, show: Show, view: EventView
) -> tuple[InspectedImage, Sequence[Reference]]:
    async with image_at(text, app, view.emit) as placed:
        found = await inspect_image(placed, show.platform, app.platform)
        names = [name for name in placed.names if name.repository != UNTAGGED]
        return found, names


def _raw(image: InspectedImage, show: Show) -> bytes:
    if show.config:
        return image.config
    return image.image.raw if show.manifest else image.raw


def _shown(image: InspectedImage, names: Sequence[Reference], show: Show) -> Any:
    if show.config or show.manifest or show.raw:
        return json.loads(_raw(image, show))
    return image.document(names)
