"""What leaves on a bundle, what comes in, and where it goes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import PlainValidator, ValidationInfo, model_validator
from pydantic import WithJsonSchema as Schema

from airgap.config.protection import Recipient, SignSection, VolumesSection
from airgap.config.scalars import (
    Count,
    FilePath,
    Flag,
    OneOrMany,
    PushDestination,
    Size,
    Span,
    Text,
    Words,
    parsed,
    read_path,
    value_error,
)
from airgap.config.section import Section
from airgap.errors import AirgapError
from airgap.oci.name_mapping import Change, Destination, MappingRule, NameMapping
from airgap.oci.reference import Reference
from airgap.oci.tag_policy import OnExisting

_FIELD = re.compile(r"\{([^{}]*)\}")
_WILDCARDS = re.compile(r"[*?\[]")
_OUTPUT_FIELDS = ("channel", "date", "time")


class Compression(StrEnum):
    """What is wrapped around a bundle."""

    NONE = "none"
    ZSTD = "zstd"


class PackKind(StrEnum):
    """How much is done to make a bundle small.

    ``PLAIN``: every blob as it is. ``SMALL``: layers opened, one long-window zstd stream around
    them, recipes to close them again. ``DELTA``: besides, against what the receiver holds.
    """

    PLAIN = "plain"
    SMALL = "small"
    DELTA = "delta"


class DeliveryPolicy(StrEnum):
    """What a destination is taken to hold when the next bundle for it is planned."""

    CONFIRMED = "confirmed"
    ASSUME_DELIVERED = "assume-delivered"


class Removals(StrEnum):
    """What is done with names that the sender has taken out of a channel."""

    KEEP = "keep"
    APPLY = "apply"


def _output(value: Any, info: ValidationInfo) -> Path:
    path = read_path(value, info)
    unknown = [name for name in _FIELD.findall(str(path)) if name not in _OUTPUT_FIELDS]
    if unknown:
        raise value_error(
            f"{{{unknown[0]}}} is not a field of an output path",
            "fields are " + ", ".join(f"{{{name}}}" for name in _OUTPUT_FIELDS),
        )
    return path


def _pattern(text: str) -> str:
    if not _WILDCARDS.search(text):
        Reference.parse(text)
    return text


OutputPath = Annotated[
    Path, PlainValidator(_output), Schema({"type": "string"}), Words("a path with fields")
]
ReferencePattern = Annotated[
    str, parsed(_pattern, str), Schema({"type": "string"}), Words("a reference or shell pattern")
]


class KeepSection(Section):
    """Which files of a channel's older bundles stay; the newest bundle always does."""

    count: Count | None = None
    """So many of the newest. When not set, any number."""

    age: Span | None = None
    """Those made within this time. When not set, however old."""

    size: Size | None = None
    """The newest that together have no more bytes. When not set, however large."""


class ExportChannel(Section):
    """One destination that bundles are made for."""

    include: Annotated[tuple[ReferencePattern, ...], OneOrMany] = ()
    """Which references of the store go out: references (`alpine:3.19`), or shell patterns over
    whole ones (`quay.io/prometheus/*`, where `*` also takes slashes). When not set, all of them."""

    output: OutputPath | None = None
    """The file to write. `{channel}`, `{date}` (2024-05-31) and `{time}` (2024-05-31T23-59-58Z, in
    UTC) are filled in. When not set, the command line must name it."""

    compress: Compression = Compression.NONE
    """What to wrap around the bundle. Layers are mostly compressed already; a bundle without can
    be served in place, and every loader takes it."""

    pack: PackKind = PackKind.PLAIN
    """How much to do to make the bundle small: `plain` carries every layer as it is; `small` opens
    layers and compresses them together, anew; `delta` carries only how they differ from those that
    the destination holds. The other side rebuilds each layer bit for bit."""

    delta_memory: Size | None = None
    """How much memory packing may take, and unpacking on the other side. When not set, 1 GiB."""

    sign: SignSection = SignSection()
    """Who signs the bundle."""

    encrypt: Annotated[tuple[Recipient, ...], OneOrMany] = ()
    """Whom to encrypt the bundle for: public keys of age or SSH, or files of them. When none is
    set, it is readable. Encrypting again gives other bytes, so one volume alone cannot be made
    again."""

    volumes: VolumesSection = VolumesSection()
    """How to cut the bundle."""

    read_back: Flag = False
    """Read everything again from the medium after it was written, past the page cache, and compare.
    Takes as long again; finds sticks and discs that forget."""

    policy: DeliveryPolicy = DeliveryPolicy.CONFIRMED
    """What the next bundle may rely on: what a receipt has `confirmed`, or everything that was
    exported (`assume-delivered`), for a destination that sends nothing back."""

    signers: Annotated[tuple[FilePath, ...], OneOrMany] = ()
    """Public keys of the destination, whose signatures count under receipts and requests. When none
    is set, anybody can write one."""

    threshold: Count = 1
    """How many different signers must have signed."""

    keep: KeepSection = KeepSection()
    """Which files of older bundles stay. An export that went well deletes those that break any of
    these rules; when none is set, nothing is ever deleted."""

    def output_path(self, channel: str, now: datetime) -> Path | None:
        """Return the file to write at a time (with time zone), or None where none is set."""
        if self.output is None:
            return None
        utc = now.astimezone(UTC)
        values = {
            "channel": channel,
            "date": f"{utc:%Y-%m-%d}",
            "time": f"{utc:%Y-%m-%dT%H-%M-%SZ}",
        }
        return Path(_FIELD.sub(lambda field: values[field[1]], str(self.output)))


class MapEntry(Section):
    """A rule for names: `from` and exactly one of `strip`, `to`, `template`."""

    from_: Text = ""
    """Full name that repositories begin with, host first (`docker.io/library`), in whole
    components; the longest one that fits counts. When not set, every repository."""

    strip: Flag | None = None
    """`true` drops the prefix."""

    to: Text | None = None
    """Path to put in place of the prefix."""

    template: Text | None = None
    """Path in which `{host}` (as one component), `{path}` (all below the host), `{rest}` (all below
    the prefix) and `{name}` (the last component) are filled in."""

    @model_validator(mode="after")
    def _is_a_rule(self) -> Self:
        try:
            _ = self.rule
        except AirgapError as error:
            raise value_error(str(error), error.hint) from None
        return self

    @property
    def rule(self) -> MappingRule:
        """The rule as a value of the vocabulary."""
        changes = {Change.STRIP: self.strip, Change.TO: self.to, Change.TEMPLATE: self.template}
        given = [(change, value) for change, value in changes.items() if value]
        if len(given) != 1:
            raise value_error("needs exactly one of `strip: true`, to, template")
        change, value = given[0]
        return MappingRule(self.from_, change, value if isinstance(value, str) else "")


class DeliverySection(Section):
    """Which registry images are pushed to, and what they are called there."""

    to: PushDestination | None = None
    """The registry, and the path below which everything goes. When not set, the command line must
    name it."""

    on_existing: OnExisting = OnExisting.OVERWRITE
    """What is done with a tag of the registry that stands for another digest: `overwrite` it,
    `skip` the image, or let the image `fail`."""

    map: tuple[MapEntry, ...] = ()
    """Rules for names. A name that none fits keeps its source's host as the first component of its
    path, so that no two sources meet in one name."""

    def name_mapping(self, to: Destination | None = None) -> NameMapping | None:
        """Return what names become below ``to``, else below the section's own destination.

        None where neither is set.
        """
        destination = to if to is not None else self.to
        if destination is None:
            return None
        return NameMapping(destination, tuple(entry.rule for entry in self.map))


class ImportChannel(DeliverySection):
    """One source that bundles come from."""

    explained: ClassVar = {"push": "write `to` and `map` here"}

    to: PushDestination | None = None
    """Push what came in to this registry, below this path. When not set, it stays in the store."""

    removals: Removals = Removals.KEEP
    """What happens to names that the sender has removed: `keep` them, or `apply` the removal, to
    the store's names that this channel has brought. The registry's names stay in either case."""

    signers: Annotated[tuple[FilePath, ...], OneOrMany] = ()
    """Public keys whose signatures count for this channel, instead of those of `trust`."""

    threshold: Count | None = None
    """How many different signers must have signed. When not set, as many as in `trust`."""

    delta_memory: Size | None = None
    """How much memory the unpacking of a bundle may take. When not set, 1 GiB."""

    receipts: FilePath | None = None
    """The folder where receipts and requests are written, to be carried back. When not set,
    `airgap/receipts` in the store."""

    sign: SignSection = SignSection()
    """Who signs receipts and requests."""
