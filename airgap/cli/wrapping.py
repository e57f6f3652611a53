"""How a bundle is written: signed, compressed, encrypted, cut; from options and the config."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from airgap.bundle.age_keys import load_recipients
from airgap.bundle.output import WriteOptions
from airgap.bundle.volumes import (
    INDEX_SUFFIX,
    VolumeCut,
    VolumeId,
    VolumeIndex,
    data_volume,
    parity_volume,
)
from airgap.bundle.writer import BundleReport, Signer
from airgap.cli.passphrases import passphrase_source
from airgap.config.quantities import parse_size
from airgap.config.transfer import Compression, ExportChannel, PackKind
from airgap.errors import UsageError
from airgap.operations.sizes import counted, human_size
from airgap.usecases.pack_rules import PackRules

Command = TypeVar("Command", bound=Callable[..., Any])

_FILE = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What the command line says; what it leaves open, the channel of the config says.

    Attributes:
        compress: what to wrap around the bundle.
        pack: how much to do to make it small.
        delta_memory: bytes that this may take on either side.
        sign: private keys that sign.
        passphrase_file: holds the passphrase of those keys.
        recipients: whom to encrypt for.
        volume_size: bytes of a volume.
        parity: how many parity volumes to add.
        only_volumes: the volumes to make again, of a bundle that was written before.
        read_back: read everything again from the medium.
        force: replace what is there.
        no_verify: do not check the store's blobs.
    """

    compress: str | None = None
    pack: str | None = None
    delta_memory: int | None = None
    sign: tuple[Path, ...] = ()
    passphrase_file: Path | None = None
    recipients: tuple[str, ...] = ()
    volume_size: int | None = None
    parity: int | None = None
    only_volumes: tuple[VolumeId, ...] = ()
    read_back: bool = False
    force: bool = False
    no_verify: bool = False

    def written_before(self, path: Path | None) -> VolumeIndex | None:
        """Return the index of the bundle of which volumes are to be made again, if any are.

        Raises:
            UsageError: no file is named, or options say how to cut a bundle that is cut already.
            NotFound, BundleDamaged: the index is not there, or damaged.
        """
        from airgap.bundle.volume_files import read_index  # noqa: PLC0415 - seldom wanted

        if not self.only_volumes:
            return None
        if path is None:
            raise UsageError("--only-volume", "needs the bundle's name", "name it with -o FILE")
        if self.volume_size is not None or self.parity is not None or self.recipients:
            raise UsageError(
                "--only-volume",
                "makes volumes as they were; they cannot be cut or encrypted in another way",
                "leave out --volume-size, --parity and --recipient",
            )
        return read_index(path.with_name(path.name + INDEX_SUFFIX))

    def pack_rules(self, channel: ExportChannel | None) -> PackRules | None:
        """Return how layers are made small; None where they travel as they are.

        Raises:
            UsageError: there is too little memory for it, or the bundle is not to be compressed.
        """
        said = channel or ExportChannel()
        kind = PackKind(self.pack) if self.pack else said.pack
        rules = PackRules.of(kind, self.delta_memory or said.delta_memory)
        if rules is not None and self.compress == Compression.NONE:
            raise UsageError(
                "--compress none", f"undoes what --pack {kind} is for", "leave one of them out"
            )
        return rules

    def options(
        self, channel: ExportChannel | None, before: VolumeIndex | None, *, sync: bool
    ) -> WriteOptions:
        """Return how to write.

        Args:
            channel: what the config says.
            before: see :meth:`written_before`.
            sync: return only when the bytes are on the disk.

        Raises:
            UsageError: options contradict each other, or a recipient is none.
            NotFound, NotPermitted: a file of recipients cannot be read.
            Unsupported: ``pyrage`` is not installed.
        """
        said = channel or ExportChannel()
        compression = Compression(self.compress) if self.compress else said.compress
        recipients = self.recipients or said.encrypt
        is_packed = self.pack_rules(channel) is not None
        return WriteOptions(
            zstd=compression is Compression.ZSTD or is_packed,
            long=is_packed,
            sync=sync,
            verify=not self.no_verify,
            replace=self.force,
            read_back=self.read_back or said.read_back,
            cut=self._cut(said, before),
            recipients=tuple(load_recipients(recipients)) if recipients else (),
        )

    def _cut(self, channel: ExportChannel, before: VolumeIndex | None) -> VolumeCut | None:
        if before is not None:
            return VolumeCut.remake(before, frozenset(self.only_volumes))
        size = self.volume_size or channel.volumes.size
        parity = self.parity if self.parity is not None else channel.volumes.parity
        if size is None and parity:
            raise UsageError(
                "--parity", "is for volumes", "say how large they are with --volume-size"
            )
        return VolumeCut(size, parity or 0) if size is not None else None

    def signer(self, channel: ExportChannel | None, environ: Mapping[str, str]) -> Signer | None:
        """Return what signs, after every key was opened; None where nobody signs.

        Raises:
            AccessDenied: a passphrase is wrong or missing.
            UsageError, Unsupported: a file is not a private key of the right kind.
            NotFound, NotPermitted: a file cannot be read.
        """
        from airgap.bundle.keys import load_private_key  # noqa: PLC0415 - loads OpenSSL
        from airgap.bundle.signatures import signer  # noqa: PLC0415 - likewise

        said = (channel or ExportChannel()).sign
        paths = self.sign or said.with_
        if not paths:
            return None
        file = self.passphrase_file or said.passphrase_file
        ask = passphrase_source(file, said.passphrase_env, environ)
        return signer([load_private_key(path, ask) for path in paths])


def wrapping_options(command: Command) -> Command:
    """Add the options of ``Wrapping``; the command gets them as ``wrapping``."""
    names = Wrapping.__dataclass_fields__

    @functools.wraps(command)
    def gather(*args: Any, **arguments: Any) -> Any:
        wrapping = replace(Wrapping(), **{name: arguments.pop(name) for name in names})
        return command(*args, wrapping=wrapping, **arguments)

    gathered: Callable[..., Any] = gather
    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return cast("Command", gathered)


def _size(_context: Any, _parameter: Any, text: str | None) -> int | None:
    return parse_size(text) if text is not None else None


def _volumes(_context: Any, _parameter: Any, texts: tuple[str, ...]) -> tuple[VolumeId, ...]:
    return tuple(map(read_volume, texts))


def read_volume(text: str) -> VolumeId:
    """Read what a person calls a volume: ``3``, or ``p1`` for parity.

    Raises:
        UsageError: it is neither.
    """
    match = re.fullmatch(r"(p?)0*([1-9]\d{0,2})", text, re.ASCII)
    if match is None:
        raise UsageError(repr(text), "is not a volume", "write 3, or p1 for parity volume 1")
    return (parity_volume if match[1] else data_volume)(int(match[2]))


_OPTIONS = (
    click.option(
        "--compress",
        type=click.Choice([str(kind) for kind in Compression]),
        help="What to wrap around the bundle [none].",
    ),
    click.option(
        "--pack",
        type=click.Choice([str(kind) for kind in PackKind]),
        help="small: layers opened, compressed anew; delta: against what CHANNEL holds [plain].",
    ),
    click.option(
        "--delta-memory",
        callback=_size,
        metavar="SIZE",
        help="Memory that --pack may take, here and over there [1GiB].",
    ),
    click.option(
        "--sign",
        type=_FILE,
        multiple=True,
        metavar="KEY",
        help="Sign with this private key; may be repeated [the channel's].",
    ),
    click.option(
        "--passphrase-file",
        type=_FILE,
        metavar="FILE",
        help="Holds the keys' passphrase [$AIRGAP_KEY_PASSPHRASE, a prompt].",
    ),
    click.option(
        "--recipient",
        "recipients",
        multiple=True,
        metavar="KEY",
        help="Encrypt for age1…, ssh-…, or the keys in a file; may be repeated.",
    ),
    click.option(
        "--volume-size",
        callback=_size,
        metavar="SIZE",
        help="Cut into volumes: 4GiB-1, 700MB, fat32, cd, dvd, bd [one file].",
    ),
    click.option(
        "--parity",
        type=click.IntRange(min=0),
        metavar="N",
        help="Add N volumes from which any N lost ones are rebuilt [0].",
    ),
    click.option(
        "--only-volume",
        "only_volumes",
        callback=_volumes,
        multiple=True,
        metavar="N",
        help="Make volume N (of parity: pN) of a bundle again; may be repeated.",
    ),
    click.option("--read-back", is_flag=True, help="Read the medium again, and compare."),
    click.option("--force", is_flag=True, help="Replace a bundle that is there already."),
    click.option("--no-verify", is_flag=True, help="Do not check the store's blobs while packing."),
)


def written_lines(bundle: BundleReport, only: Collection[VolumeId] = ()) -> list[str]:
    """Return what was written, for a person: one line a file.

    Args:
        bundle: the report.
        only: the volumes that were made again, where not all were written.
    """
    volumes = bundle.volumes
    if volumes is None:
        return [f"{bundle.path}  {human_size(bundle.size)}  {bundle.digest}"]
    lines = [
        f"  {volume.id.file_name(bundle.path.name)}  {human_size(volume.size)}  {volume.digest}"
        for volume in volumes.volumes
        if not only or volume.id in only
    ]
    if only:
        return [*lines, f"{bundle.path}  the same as before, byte for byte"]
    parity = f" and {len(volumes.parity)} of parity" if volumes.parity else ""
    count = counted(len(volumes.data), "volume")
    return [*lines, f"{bundle.path}  {human_size(bundle.size)} in {count}{parity}"]


def written_document(bundle: BundleReport) -> dict[str, Any]:
    """Return what was written, for a machine."""
    document: dict[str, Any] = {
        "bundle": str(bundle.path),
        "size": bundle.size,
        "sha256": bundle.digest.hex,
        "id": bundle.manifest.id,
        "volumes": None,
    }
    if bundle.volumes is not None:
        document["volumes"] = {
            "set": bundle.volumes.set_id,
            "files": [
                {
                    "name": volume.id.file_name(bundle.path.name),
                    "size": volume.size,
                    "digest": volume.digest,
                }
                for volume in bundle.volumes.volumes
            ],
        }
    return document
