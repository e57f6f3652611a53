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
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from airgap.bundle import durable
from airgap.bundle.destination import Destination, Written
from airgap.bundle.failures import BRING_AGAIN, telling
from airgap.bundle.medium import Medium
from airgap.bundle.volumes import Inside
from airgap.content.ports import FileRegion
from airgap.errors import AccessDenied, AirgapError, BundleDamaged, Unsupported, UsageError

if TYPE_CHECKING:
    from types import ModuleType

MAGIC = b"age-encryption.org/v1\n"
"""With what an encrypted file begins (C2SP age specification, "Version line")."""

MAX_KEY_FILE_SIZE = 64 * 1024
"""Bytes of a file of recipients or identities."""

_CHUNK = 64 * 1024
_CHUNK_OVERHEAD = 16
_HEADER_OVERHEAD = 4096
_PIPE_SIZE = 1024 * 1024
_PIECES_AHEAD = 32
_MAX_HEADER = 64 * 1024
_STANZA = b"-> "
_KINDS = frozenset({b"X25519", b"ssh-ed25519", b"ssh-rsa", b"scrypt", b"tag", b"mlkem768x25519"})

Recipient = Any
"""A public key of ``pyrage``, which has no types of its own to import where it is not installed."""

Identity = Any
"""A private key of ``pyrage``."""


def pyrage() -> ModuleType:
    """Return the library that encrypts.

    Raises:
        Unsupported: it is not installed.
    """
    try:
        import pyrage  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra, wanted only here
    except ImportError:
        raise Unsupported(
            "encryption", "needs a library that is not installed", "pip install 'airgap[encrypt]'"
        ) from None
    module: ModuleType = pyrage
    return module


def parse_recipient(text: str) -> Recipient:
    """Read a public key: ``age1…``, ``ssh-ed25519 …`` or ``ssh-rsa …``.

    Raises:
        UsageError: it is none.
        Unsupported: ``pyrage`` is not installed.
    """
    library = pyrage()
    kind = library.ssh if text.startswith("ssh-") else library.x25519
    try:
        return kind.Recipient.from_str(text)
    except library.RecipientError:
        # A secret key in the wrong place must not be shown, so nothing of the text is.
        raise UsageError(
            "recipient",
            "is not a public key of age",
            "write age1…, ssh-ed25519 …, or the name of a file of such lines; `age-keygen` makes "
            "keys",
        ) from None


def load_recipients(values: Iterable[str]) -> list[Recipient]:
    """Read public keys, each given itself or as the path of a file of them, one a line.

    Raises:
        UsageError: one is no public key.
        NotFound, NotPermitted: a file cannot be opened.
        Unsupported: ``pyrage`` is not installed.
    """
    recipients = []
    for value in values:
        if value.startswith(("age1", "ssh-")):
            recipients.append(parse_recipient(value))
        else:
            lines = list(_lines(_read_text(Path(value))))
            if not lines:
                raise UsageError(value, "has no recipients in it")
            recipients += [parse_recipient(line) for line in lines]
    return recipients


def load_identities(paths: Iterable[Path]) -> list[Identity]:
    """Read private keys from files of ``age-keygen`` or OpenSSH.

    Raises:
        UsageError: a file has no private key in it; nothing of its content is shown.
        NotFound, NotPermitted: a file cannot be opened.
        Unsupported: ``pyrage`` is not installed, or a key has a passphrase.
    """
    identities: list[Identity] = []
    for path in paths:
        identities += _identities(path)
    return identities


def _identities(path: Path) -> list[Identity]:
    library = pyrage()
    text = _read_text(path)
    try:
        if "PRIVATE KEY-----" in text:
            return [library.ssh.Identity.from_buffer(text.encode())]
        found = [library.x25519.Identity.from_str(line) for line in _lines(text)]
    except library.IdentityError:
        raise UsageError(
            str(path),
            "is not a file of age or SSH private keys that can be used without a passphrase",
            "an age key begins with AGE-SECRET-KEY-1; `age-keygen` makes one",
        ) from None
    if not found:
        raise UsageError(str(path), "has no private keys in it")
    return found


def _read_text(path: Path) -> str:
    with telling(path), path.open("rb") as file:
        raw = file.read(MAX_KEY_FILE_SIZE)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise UsageError(str(path), "is not a file of keys") from None


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield stripped


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
