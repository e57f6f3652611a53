"""How a bundle is found, opened and trusted: from options and the config."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from airgap.app import App
from airgap.bundle.access import FindMeans, open_bundle
from airgap.bundle.age_keys import load_identities
from airgap.bundle.head import Head
from airgap.bundle.medium import Medium
from airgap.bundle.opening import FoundBundle, find_bundle
from airgap.bundle.reader import Bundle
from airgap.bundle.signatures import SignaturePolicy, SignatureVerdict, check_signatures
from airgap.bundle.volume_collection import VolumeCollection
from airgap.bundle.volume_files import check_volumes
from airgap.errors import AirgapError, BundleDamaged, ContentMismatch, Refused
from airgap.operations.documents import Document

Command = TypeVar("Command", bound=Callable[..., Any])

_FILE = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the command line says of the bundle to read.

    Attributes:
        paths: the file; or volumes, or folders that hold them.
        signers: public keys to trust instead of the config's.
        threshold: how many of them must have signed, instead of the config's.
        identities: private keys of age to open it with, instead of the config's.
        words: the paths as they were written, which need not be paths at all.
    """

    paths: tuple[Path, ...]
    signers: tuple[Path, ...] = ()
    threshold: int | None = None
    identities: tuple[Path, ...] = ()
    words: tuple[str, ...] = ()

    async def find(
        self, collection: VolumeCollection | None = None, *, whole: bool = True
    ) -> FoundBundle:
        """Find the one bundle that is meant; see ``find_bundle``."""
        return await asyncio.to_thread(find_bundle, self.paths, collection, whole=whole)

    def medium(self, app: App, found: FoundBundle) -> Medium:
        """Return what is found, decrypted where there is a key.

        Raises:
            NotFound, NotPermitted, UsageError: a file of keys cannot be read.
        """
        if not found.is_encrypted:
            return found.medium
        return found.opened(load_identities(self.identities or app.config.trust.identities))

    def verdict(self, app: App, head: Head) -> SignatureVerdict:
        """Check the signatures of a bundle against the keys that count for it.

        Raises:
            Refused: only other channels have signers.
            NotFound, NotPermitted, UsageError, Unsupported: a public key cannot be read.
            ConfigError: more must sign than there are signers.
        """
        policy = app.signature_policy(head.manifest.channel, self.signers, self.threshold)
        return check_signatures(head.bundle_json, head.signatures, policy)

    def shown_verdict(self, app: App, head: Head) -> SignatureVerdict:
        """Check signatures only to show them: where no signers count, none were checked."""
        try:
            return self.verdict(app, head)
        except Refused:
            return check_signatures(head.bundle_json, head.signatures, SignaturePolicy())

    @asynccontextmanager
    async def opened(
        self, app: App, found: FoundBundle, means: FindMeans | None = None
    ) -> AsyncIterator[Bundle]:
        """Open a bundle for a reading that relies on it, with means to unpack it if it is packed.

        Where something in it is damaged and it came in volumes, the error names them.
        """
        try:
            async with open_bundle(self.medium(app, found), means) as bundle:
                yield bundle
        except (BundleDamaged, ContentMismatch) as error:
            raise await diagnosed(found, error) from error


async def diagnosed(found: FoundBundle, error: AirgapError) -> AirgapError:
    """Return the error that names damaged volumes, or the given one where there are none."""
    if found.volumes is None:
        return error
    check = await asyncio.to_thread(check_volumes, found.volumes)
    return check.error() or error


def reading_options(command: Command) -> Command:
    """Add the arguments and options of ``Reading``; the command gets them as ``reading``."""

    @functools.wraps(command)
    def gather(*args: Any, **arguments: Any) -> Any:
        words = arguments.pop("words")
        reading = Reading(
            tuple(map(Path, words)),
            arguments.pop("signers"),
            arguments.pop("threshold"),
            arguments.pop("identities"),
            words,
        )
        return command(*args, reading=reading, **arguments)

    gathered: Callable[..., Any] = gather
    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return cast("Command", gathered)


_OPTIONS = (
    click.argument("words", nargs=-1, required=True, type=click.Path(), metavar="FILE…"),
    click.option(
        "--signer",
        "signers",
        type=_FILE,
        multiple=True,
        metavar="KEY",
        help="Trust this public key; may be repeated [the config's].",
    ),
    click.option(
        "--threshold",
        type=click.IntRange(min=1),
        metavar="N",
        help="So many different signers must have signed [the config, 1].",
    ),
    click.option(
        "--identity",
        "identities",
        type=_FILE,
        multiple=True,
        metavar="FILE",
        help="Open an encrypted bundle with this private key [the config's].",
    ),
)


def unchecked_warning(verdict: SignatureVerdict) -> str | None:
    """Return what a person must know of a bundle whose origin nobody has checked."""
    if verdict.is_checked:
        return None
    signed = "is not signed" if not verdict.unknown else "is signed, and no signers are configured"
    return f"the bundle {signed}: nothing says who made it (trust: signers, or --signer)"


def signature_document(verdict: SignatureVerdict) -> Document:
    """Return who signed, for a machine."""
    return {
        "checked": verdict.is_checked,
        "threshold": verdict.policy.threshold if verdict.is_checked else None,
        "valid": [{"name": key.name, "id": key.id} for key in verdict.valid],
        "forged": [{"name": key.name, "id": key.id} for key in verdict.forged],
        "unknown": list(verdict.unknown),
    }


def signature_line(verdict: SignatureVerdict) -> str:
    """Return who signed, for a person."""
    parts = [f"{key}: valid" for key in verdict.valid]
    parts += [f"{key}: DOES NOT FIT" for key in verdict.forged]
    parts += [f"{key_id}: unknown, not checked" for key_id in verdict.unknown]
    return ", ".join(parts) or "nobody"
