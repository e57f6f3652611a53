"""``airgap inspect``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from airgap.app import App
from airgap.bundle.encryption import Outside, read_outside
from airgap.bundle.foreign import MaybeImages
from airgap.bundle.format import FORMAT, PACKED_FORMAT, BundleManifest, encode_bundle_json
from airgap.bundle.inspect import BundleSummary, inspect_bundle
from airgap.bundle.opening import FoundBundle
from airgap.bundle.pack import Pack
from airgap.bundle.signatures import SignatureVerdict
from airgap.bundle.volumes import listed
from airgap.cli.inspect_image import Show, inspect_file, inspect_images
from airgap.cli.invocation import (
    Invocation,
    common_options_beside_config,
    one_platform_option,
    plain_http_option,
    store_option,
)
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.cli.reading import Reading, reading_options, signature_document, signature_line
from airgap.errors import NotFound, UsageError
from airgap.oci.platform import Platform
from airgap.operations.documents import Document
from airgap.operations.pack_summaries import pack_lines
from airgap.operations.sizes import counted, human_size
from airgap.usecases.pack_figures import figures_of


@click.command()
@reading_options
@click.option("--format", "template", metavar="TEMPLATE", help="Of an image: a template of Go.")
@click.option("--config", "of_config", is_flag=True, help="Of an image: show its config.")
@click.option("--manifest", "of_manifest", is_flag=True, help="Of an image: show its manifest.")
@click.option("--raw", is_flag=True, help="Print bytes as they are: a manifest, a bundle.json.")
@one_platform_option
@store_option
@plain_http_option
@common_options_beside_config
def inspect(
    invocation: Invocation,
    *,
    reading: Reading,
    template: str | None,
    of_config: bool,
    of_manifest: bool,
    raw: bool,
    platform: Platform | None,
) -> int:
    """Show what an image or a bundle is.

    A file or folder that is there is a bundle, and is shown from its head alone: nothing is checked
    but the head and its signatures; `airgap verify` reads all of it. Of an encrypted bundle without
    a key only the outside is shown. Other archives and layouts are shown image by image, and so is
    a bundle where the options are those of images.

    Anything else is an image: a name or id in the local store, or a place with skopeo's names, such
    as docker://REF or docker-archive:FILE. It is shown as docker shows it, or by a template such as
    '{{json .Config.Cmd}}'.
    """
    app = invocation.app()
    show = Show(template, of_config, of_manifest, raw, platform)
    names = reading.words

    async def work(view: EventView) -> Result:
        if not any(_is_file_name(name) for name in names):
            return await inspect_images(app, names, show, view, as_json=invocation.json)
        if not show.says_something:
            try:
                return await bundle()
            except (MaybeImages, NotFound):
                images = await _images_in(app, names, show, as_json=invocation.json)
                if images is None:
                    raise
                return images
        images = await _images_in(app, names, show, as_json=invocation.json)
        if images is None:
            raise UsageError(names[0], "holds no images to show so", "leave these options out")
        return images

    async def bundle() -> Result:
        found = await reading.find(whole=False)
        medium = reading.medium(app, found)
        if medium is found.medium and found.is_encrypted:
            return _outside(found, await asyncio.to_thread(read_outside, medium))
        summary = await asyncio.to_thread(inspect_bundle, medium)
        verdict = reading.shown_verdict(app, summary.head)
        encoded = encode_bundle_json(summary.manifest)
        if raw:
            return Result({"bundle_json": json.loads(encoded)}, [encoded.decode()])
        document = {
            "bundle": str(summary.path),
            "size": _size(found),
            "compressed": summary.compressed,
            "has_checksum": summary.has_checksum,
            "encrypted": found.is_encrypted,
            "volumes": _volumes_document(found),
            "signed_by": list(summary.signed_by),
            "signatures": signature_document(verdict),
            "bundle_json": json.loads(encoded),
        }
        return Result(document, _lines(summary, found, verdict))

    return perform(invocation, "inspect", work)


async def _images_in(app: App, names: Sequence[str], show: Show, *, as_json: bool) -> Result | None:
    if len(names) != 1 or not Path(names[0]).exists():  # noqa: ASYNC240 - one question
        return None
    return await inspect_file(app, Path(names[0]), show, as_json=as_json)


def _is_file_name(text: str) -> bool:
    """Tell whether a file is meant: one that is there, or what can be no image's name."""
    return Path(text).exists() or text.startswith(("/", ".", "~")) or text.endswith(".tar")


def _outside(found: FoundBundle, outside: Outside) -> Result:
    document = {
        "bundle": str(found.medium.path),
        "size": _size(found),
        "encrypted": True,
        "recipients": list(outside.recipients),
        "volumes": _volumes_document(found),
    }
    keys = counted(len(outside.recipients), "key")
    lines = [
        f"bundle    {found.medium.path}  {human_size(_size(found))}",
        *_volume_lines(found),
        f"encrypted for {keys} ({', '.join(outside.recipients)}); --identity FILE opens it",
    ]
    return Result(document, lines)


def _size(found: FoundBundle) -> int:
    """Return the bundle's bytes as stored, those of volumes that are not here included."""
    return found.medium.size() if found.volumes is None else found.volumes.index.size


def _volumes_document(found: FoundBundle) -> Document | None:
    volumes = found.volumes
    if volumes is None:
        return None
    index = volumes.index
    return {
        "set": index.set_id,
        "data": len(index.data),
        "parity": len(index.parity),
        "wanted": [str(volume) for volume in volumes.wanted],
    }


def _volume_lines(found: FoundBundle) -> Iterator[str]:
    if found.volumes is not None:
        index = found.volumes.index
        parity = f" and {len(index.parity)} of parity" if index.parity else ""
        wanted = listed(found.volumes.wanted)
        absent = f"; {wanted} not here" if wanted else ""
        yield f"volumes   {len(index.data)}{parity}, set {index.set_id}{absent}"


def _lines(summary: BundleSummary, found: FoundBundle, verdict: SignatureVerdict) -> Iterator[str]:
    manifest = summary.manifest
    around = ", zstd around it" if summary.compressed else ""
    around += ", encrypted" if found.is_encrypted else ""
    checksum = "stands beside it" if summary.has_checksum else "IS NOT THERE: is the copy complete?"
    yield f"bundle    {summary.path}  {human_size(_size(found))}{around}"
    yield from _volume_lines(found)
    version = FORMAT if manifest.pack is None else PACKED_FORMAT
    yield f"id        {manifest.id}  (format {version}, {manifest.kind})"
    if manifest.channel is not None:
        yield f"channel   {manifest.channel}, number {manifest.sequence or '-'}"
    base = manifest.base
    if base is not None:
        held = counted(len(base.digests), "item")
        yield f"stands on bundle {base.sequence} ({base.id}), and {held} that must be there"
    yield f"created   {manifest.created.isoformat()} by {manifest.tool}"
    yield f"signed by {signature_line(verdict)}"
    yield f".sha256   {checksum}"
    for role, amount in summary.content.items():
        yield f"content   {counted(amount.count, role)} with {human_size(amount.size)}"
    if manifest.pack is not None:
        yield from _pack_lines(manifest, manifest.pack)
    if manifest.omitted:
        yield f"left out  {counted(len(manifest.omitted), 'item')} that its images name"
    changes = ", ".join(f"{n} {change}" for change, n in summary.changes.items() if n)
    yield f"brings    {counted(len(manifest.present), 'reference')}: {changes}"
    for reference in manifest.references:
        digest = reference.descriptor.digest.short
        yield f"  {reference.change:<9} {reference.reference.familiar}  {digest}"


def _pack_lines(manifest: BundleManifest, pack: Pack) -> Iterator[str]:
    yield f"packed    {pack.kind}; unpacking takes {human_size(pack.memory)} of memory at most"
    yield from pack_lines(figures_of(manifest.blobs, pack, {}, {}))
