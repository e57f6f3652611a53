"""Encryption around a bundle: the age format (age-encryption.org/v1), through ``pyrage``. Blocking.

A bundle is signed inside and encrypted outside: who has no key learns its size, its volumes, and
for how many keys it is, and nothing else. Encryption is not reproducible; each time the bytes are
others. ``pyrage`` streams, in pieces of 64 KiB that are authenticated one by one; a thread of ours
stands at each end of a pipe, so memory stays bounded.
"""

from __future__ import annotations

import fcntl
import io
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from airgap.bundle import durable
from airgap.bundle.age_keys import Identity, Recipient, pyrage
from airgap.bundle.destination import Destination, Written
from airgap.bundle.failures import BRING_AGAIN
from airgap.bundle.medium import Medium
from airgap.bundle.volumes import Inside
from airgap.content.ports import FileRegion
from airgap.errors import AccessDenied, AirgapError, BundleDamaged

MAGIC = b"age-encryption.org/v1\n"
"""With what an encrypted file begins (C2SP age specification, "Version line")."""

_CHUNK = 64 * 1024
_CHUNK_OVERHEAD = 16
_HEADER_OVERHEAD = 4096
_PIPE_SIZE = 1024 * 1024
_PIECES_AHEAD = 32
_MAX_HEADER = 64 * 1024
_STANZA = b"-> "
_KINDS = frozenset({b"X25519", b"ssh-ed25519", b"ssh-rsa", b"scrypt", b"tag", b"mlkem768x25519"})


def encrypted_size(size: int, recipients: int) -> int:
    """Return how many bytes ``size`` bytes become at most."""
    chunks = size // _CHUNK + 1
    return size + chunks * _CHUNK_OVERHEAD + _HEADER_OVERHEAD * (1 + recipients)


class Encrypting:
    """Encrypts what goes into another destination; a ``Destination``."""

    def __init__(self, inner: Destination, recipients: Sequence[Recipient]) -> None:
        self._inner = inner
        self._recipients = list(recipients)
        self._thread = ThreadPoolExecutor(1, "bundle-encrypt")
        self._pipe = -1
        self._work: Future[None] | None = None
        self._sink = _Sink(inner.write)

    def open(self, size: int, *, exact: bool) -> None:
        """Begin; see ``Destination``."""
        library = pyrage()
        self._inner.open(encrypted_size(size, len(self._recipients)), exact=exact)
        readable, self._pipe = _pipe()
        source = os.fdopen(readable, "rb", buffering=_PIPE_SIZE)

        def encrypt() -> None:
            try:
                with source:
                    library.encrypt_io(source, self._sink, self._recipients)
            except (OSError, library.EncryptError) as error:
                # What the sink raised comes out of the library wrapped, or as text.
                raise self._sink.failure or AirgapError("encryption", str(error)) from None

        self._work = self._thread.submit(encrypt)

    def write(self, data: memoryview | bytes) -> None:
        """Encrypt bytes and append them."""
        try:
            durable.write_all(self._pipe, data)
        except BrokenPipeError:
            self._wait()

    def finish(self) -> None:
        """Encrypt the end, and bring everything to the medium."""
        self._wait()
        self._inner.finish()

    def _wait(self) -> None:
        """Let the thread come to its end, and raise what it raised."""
        self._close_pipe()
        if self._work is not None:
            self._work.result()

    def publish(self, inside: Inside) -> Written:
        """Let everything have its name."""
        return self._inner.publish(inside)

    def abandon(self) -> None:
        """Throw away what was written, unless it was published."""
        self._close_pipe()
        self._thread.shutdown(wait=True)
        self._inner.abandon()

    def _close_pipe(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1


class _Sink:
    """What ``pyrage`` writes to; keeps the error that writing ends with."""

    def __init__(self, write: Callable[[bytes], Future[None] | None]) -> None:
        self.failure: AirgapError | None = None
        self._write = write
        self._waiting: deque[Future[None]] = deque()

    def write(self, data: bytes) -> int:
        try:
            hashing = self._write(bytes(data))
        except AirgapError as error:
            self.failure = error
            raise BrokenPipeError from error
        if hashing is not None:
            self._waiting.append(hashing)
        if len(self._waiting) > _PIECES_AHEAD:
            self._waiting.popleft().result()
        return len(data)

    def flush(self) -> None:
        """Do nothing: the destination is brought to the medium at its end."""


def _pipe() -> tuple[int, int]:
    readable, writable = os.pipe()
    fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    return readable, writable


def is_encrypted(beginning: bytes) -> bool:
    """Tell whether a file is encrypted, from its first bytes."""
    return beginning.startswith(MAGIC)


@dataclass(frozen=True, slots=True)
class Outside:
    """What an encrypted file shows to everybody.

    Attributes:
        recipients: the kind of each key that it can be opened with (``X25519``).
    """

    recipients: tuple[str, ...]


def read_outside(medium: Medium) -> Outside:
    """Read the header of an encrypted file (C2SP age specification, "File format").

    Raises:
        BundleDamaged: it is cut short, or no header.
    """
    with medium.open() as file:
        header = b""
        while len(header) < _MAX_HEADER and (piece := file.read(_MAX_HEADER - len(header))):
            header += piece
    lines = header.split(b"\n---", 1)[0].split(b"\n")
    if len(lines) == 1 or b"\n---" not in header:
        raise BundleDamaged(
            str(medium.path), "is encrypted, and its header is damaged", BRING_AGAIN
        )
    kinds = [line.split(b" ")[1] for line in lines if line.startswith(_STANZA)]
    return Outside(tuple(kind.decode("ascii") for kind in kinds if kind in _KINDS))


@dataclass(frozen=True, slots=True)
class Decrypted:
    """What is inside an encrypted bundle, from front to back; a ``Medium``."""

    inner: Medium
    identities: tuple[Identity, ...]

    @property
    def path(self) -> Path:
        """What a person calls it."""
        return self.inner.path

    @property
    def is_seekable(self) -> bool:
        """False: what comes later is decrypted after what comes before."""
        return False

    def open(self) -> BinaryIO:
        """Begin to decrypt.

        Raises:
            NotFound, NotPermitted: it cannot be opened.
        """
        return cast("BinaryIO", _Decrypting(self.inner, list(self.identities)))

    def size(self) -> int:
        """Return the size of the encrypted form."""
        return self.inner.size()

    def region(self, offset: int, length: int) -> FileRegion | None:
        """Return None: no file has these bytes."""
        del offset, length
        return None


class _Source:
    """What ``pyrage`` reads from, in small pieces; keeps the error that reading ends with."""

    def __init__(self, file: BinaryIO) -> None:
        self.failure: AirgapError | None = None
        self._file = file
        self._data = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        if not self._data:
            try:
                self._data = memoryview(self._file.read(_PIPE_SIZE))
            except AirgapError as error:
                self.failure = error
                raise OSError from error
        piece = bytes(self._data[:size] if size >= 0 else self._data)
        self._data = self._data[len(piece) :]
        return piece


class _Decrypting(io.RawIOBase):
    def __init__(self, medium: Medium, identities: list[Identity]) -> None:
        super().__init__()
        self._path = medium.path
        self._library = pyrage()
        self._thread = ThreadPoolExecutor(1, "bundle-decrypt")
        file = medium.open()
        self._source = _Source(file)
        self._readable, writable = _pipe()

        def decrypt() -> None:
            with file, os.fdopen(writable, "wb", buffering=0) as sink:
                self._library.decrypt_io(self._source, sink, identities)

        self._work = self._thread.submit(decrypt)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = os.read(self._readable, _PIPE_SIZE if size < 0 else size)
        if not data and size:
            self._expect_success()
        return data

    def _expect_success(self) -> None:
        try:
            self._work.result()
        except self._library.DecryptError as error:
            if "matching" in str(error):
                raise AccessDenied(
                    str(self._path),
                    "is encrypted for other keys than those that were given",
                    "name the file of a private key with --identity",
                ) from None
            raise self._damaged() from None
        except OSError:
            if self._source.failure is not None:
                raise self._source.failure from None
            raise self._damaged() from None

    def _damaged(self) -> BundleDamaged:
        return BundleDamaged(
            str(self._path), "is cut short or changed: it cannot be decrypted", BRING_AGAIN
        )

    def close(self) -> None:
        if not self.closed:
            # Whoever still writes into the pipe stops there.
            os.close(self._readable)
            self._thread.shutdown(wait=True)
        super().close()
