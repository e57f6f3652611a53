"""``airgap images``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click

from airgap.cli.find_images import find
from airgap.cli.invocation import Invocation, common_options, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.cli.tables import table
from airgap.oci.reference import Reference
from airgap.operations.documents import Document
from airgap.operations.sizes import counted, human_age, human_size
from airgap.store.listing import ListedImage, list_images
from airgap.usecases.choose_images import ImageFilter, choose_images, created
from airgap.usecases.labels import labels_of
from airgap.usecases.local_images import UNTAGGED, image_id

_SHOWN_PLATFORMS = 2
NAMELESS = "<none>"


class _ListingGroup(click.Group):
    """A group that lists where no other command of it is named: ``airgap images alpine``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the listing in front, where no command's stands there."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ListingGroup)
def images() -> None:
    """List the images of the local store, or find those that files name.

    Without a command, `list` is meant: `airgap images alpine` is `airgap images list alpine`.
    """


images.add_command(find)


@images.command("list", short_help="List the images of the local store.")
@click.argument("repository", required=False, metavar="[REPO[:TAG]]")
@click.option("--digests", is_flag=True, help="Show what each name resolves to, too.")
@click.option(
    "-f",
    "--filter",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    help="reference=PATTERN, dangling=true, label=KEY[=VALUE], before=IMAGE or since=IMAGE.",
)
@click.option("--no-trunc", is_flag=True, help="Show ids and digests whole.")
@store_option
@common_options
def list_all(
    invocation: Invocation,
    *,
    repository: str | None,
    digests: bool,
    filters: tuple[str, ...],
    no_trunc: bool,
) -> int:
    """List the images of the local store.

    SIZE is what an image's content takes, SHARED how much of that other images have as well. An
    image of several platforms has the digest of its index as id. -q prints ids only.
    """
    app = invocation.app()
    wanted = ImageFilter.parse(repository, filters)

    async def work(view: EventView) -> Result:
        del view
        async with app.open_store() as store:
            found = await list_images(store)
            labels = await labels_of(found, store) if wanted.labels else {}
        chosen = choose_images(wanted, found, labels)
        if invocation.verbosity < 0:
            unique = dict.fromkeys(image_id(image) for image in chosen)
            lines = [known if no_trunc else known.short for known in unique]
        else:
            lines = list(_lines(chosen, digests=digests, whole=no_trunc))
        return Result({"images": [_document(image) for image in chosen]}, lines, always=True)

    return perform(invocation, "images", work)


def shown_name(reference: Reference) -> str:
    """Return a name as lists show it."""
    return NAMELESS if reference.repository == UNTAGGED else reference.familiar


def _document(image: ListedImage) -> Document:
    return {
        "reference": str(image.reference) if image.reference.repository != UNTAGGED else None,
        "id": image_id(image),
        "digest": image.digest,
        "media_type": image.media_type,
        "artifact_type": image.artifact_type,
        "images": [
            {
                "id": variant.config,
                "manifest": variant.manifest,
                "platform": str(variant.platform) if variant.platform else None,
                "created": variant.created,
            }
            for variant in image.variants
        ],
        "size": image.size,
        "shared_size": image.shared_size,
    }


def _lines(images: Sequence[ListedImage], *, digests: bool, whole: bool) -> Iterator[str]:
    now = datetime.now(UTC)
    heads = ["REFERENCE", *(["DIGEST"] if digests else []), "IMAGE ID"]
    rows = [[*heads, "PLATFORM", "CREATED", "SIZE", "SHARED"]]
    for image in images:
        known, when = image_id(image), created(image)
        rows.append(
            [
                shown_name(image.reference),
                *([image.digest] if digests else []),
                known if whole else known.short,
                _platforms(image),
                human_age(now - when) if when is not None else "-",
                human_size(image.size),
                human_size(image.shared_size),
            ]
        )
    yield from table(rows, right={"SIZE", "SHARED"})
    yield counted(len(images), "image")


def _platforms(image: ListedImage) -> str:
    if not image.variants:
        return image.artifact_type or "-"
    found = [str(variant.platform) for variant in image.variants if variant.platform is not None]
    more = len(found) - _SHOWN_PLATFORMS
    return ", ".join(found[:_SHOWN_PLATFORMS]) + (f" and {more} more" if more > 0 else "")
