"""What opening blobs gave, kept for the next time: opening is slow, and depends on the blob alone.

A folder with one file a blob. Whatever happens to it costs time at most: a file that is torn,
damaged, or of another version counts as missing and is removed, and no file is older than its name
(temp file, then rename). Several processes may use one folder at once. Blocking.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from airgap.errors import ContentMismatch, InvalidReference
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject
from airgap.packing.opened import Form, Opened
from airgap.packing.signature import Signature

DEFAULT_LIMIT = 512 * 1024 * 1024
"""Bytes that a cache may take on disk."""

_MAGIC = b"airgap-opened\x01\n\x00"
_FRAME = struct.Struct("<32sIIQ")
_MAX_FACTS = 64 * 1024
_SHARE_OF_ONE = 4
_SUFFIX = ".opened"
_WHAT = "cached opening"


@dataclass(frozen=True, slots=True)
class KnownBlob:
    """What is known of a blob.

    Attributes:
        opened: what opening it gave.
        signature: of the tar that its plain bytes are; None where they are none.
    """

    opened: Opened
    signature: Signature | None = None


class OpenedCache:
    """The folder of what is known of blobs, bounded in bytes: the least recently used go first."""

    def __init__(self, folder: Path, *, generation: str, limit: int = DEFAULT_LIMIT) -> None:
        """Use a folder, which is made when it is first needed.

        Args:
            folder: nothing else may be in it.
            generation: what the coder is called. A blob that one of another generation could not
                open is unknown; what it did open stands, for recipes are good for ever.
            limit: bytes that its files may have together.
        """
        self._folder = folder
        self._generation = generation
        self._limit = limit

    def get(self, blob: Digest) -> KnownBlob | None:
        """Return what is known of a blob, or None."""
        path = self._path(blob)
        try:
            raw = path.read_bytes()
            known = self._read(raw, blob)
        except OSError:
            return None
        except ContentMismatch:
            known = None
        if known is None:
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)
        return known

    def put(self, blob: Digest, known: KnownBlob) -> bool:
        """Keep what is known of a blob.

        Returns:
            False where it is too large, or the disk does not take it.
        """
        raw = self._write(known, blob)
        if len(raw) > self._limit // _SHARE_OF_ONE:
            return False
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room(len(raw))
            self._replace(self._path(blob), raw)
        except OSError:
            return False
        return True

    def _path(self, blob: Digest) -> Path:
        return self._folder / f"{blob.algorithm}-{blob.hex}{_SUFFIX}"

    def _replace(self, path: Path, raw: bytes) -> None:
        # Not synced: what a power cut tears is told by its hash.
        with NamedTemporaryFile(dir=self._folder, suffix=".partial", delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(raw)
                file.flush()
                temporary.rename(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise

    def _make_room(self, size: int) -> None:
        # What a killed process left half-written counts too, and is the first to go with age.
        files = sorted(
            (status.st_mtime_ns, status.st_size, path)
            for path in self._folder.iterdir()
            if (status := _status(path))
        )
        total = size + sum(each for _, each, _ in files)
        for _, each, path in files:
            if total <= self._limit:
                break
            path.unlink(missing_ok=True)
            total -= each

    def _write(self, known: KnownBlob, blob: Digest) -> bytes:
        opened = known.opened
        facts = json.dumps(
            {
                "blob": blob,
                "form": opened.form,
                "plainDigest": opened.plain_digest,
                "plainSize": opened.plain_size,
                "reason": opened.reason,
                "generation": self._generation,
            }
        ).encode()
        signature = known.signature.to_bytes() if known.signature is not None else b""
        recipe = opened.recipe or b""
        body = facts + signature + recipe
        hashed = hashlib.sha256(body).digest()
        return _MAGIC + _FRAME.pack(hashed, len(facts), len(signature), len(recipe)) + body

    def _read(self, raw: bytes, blob: Digest) -> KnownBlob | None:
        begin = len(_MAGIC) + _FRAME.size
        if len(raw) < begin or not raw.startswith(_MAGIC):
            raise ContentMismatch(_WHAT, "is not one")
        hashed, facts_size, signature_size, recipe_size = _FRAME.unpack_from(raw, len(_MAGIC))
        body = memoryview(raw)[begin:]
        if len(body) != facts_size + signature_size + recipe_size:
            raise ContentMismatch(_WHAT, "has another length than it says")
        if hashlib.sha256(body).digest() != hashed:
            raise ContentMismatch(_WHAT, "is damaged")
        facts = JsonObject.parse(bytes(body[:facts_size]), _WHAT, limit=_MAX_FACTS)
        signature = bytes(body[facts_size : facts_size + signature_size])
        opened = _opened(facts, bytes(body[facts_size + signature_size :]))
        if facts.text("blob") != blob:
            raise ContentMismatch(_WHAT, "is of another blob")
        if opened.form is Form.WHOLE and facts.text("generation") != self._generation:
            return None
        return KnownBlob(opened, Signature.from_bytes(signature) if signature else None)


def _opened(facts: JsonObject, recipe: bytes) -> Opened:
    digest = facts.optional_text("plainDigest")
    try:
        form = Form(facts.text("form"))
        plain_digest = Digest(digest) if digest else None
    except (ValueError, InvalidReference):
        raise ContentMismatch(_WHAT, "has a form or a digest that is none") from None
    if (plain_digest is None) != (form is Form.WHOLE) or bool(recipe) != (form is Form.GZIP):
        raise ContentMismatch(_WHAT, "does not agree with itself")
    return Opened(
        form,
        plain_digest,
        facts.integer("plainSize"),
        recipe if form is Form.GZIP else None,
        facts.optional_text("reason") or "",
    )


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
