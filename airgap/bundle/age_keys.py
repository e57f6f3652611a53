"""Keys that bundles are encrypted for and opened with: of age, or of SSH. Blocking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airgap.bundle.key_files import read_key_file, write_pair
from airgap.errors import Unsupported, UsageError

if TYPE_CHECKING:
    from types import ModuleType

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
    try:
        return read_key_file(path).decode()
    except UnicodeDecodeError:
        raise UsageError(str(path), "is not a file of keys") from None


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield stripped


@dataclass(frozen=True, slots=True)
class AgeKeyFiles:
    """A pair that was written.

    Attributes:
        private: ``NAME.key``, as ``age-keygen`` writes it; only its owner may read it.
        public: ``NAME.pub``, a file of recipients.
        recipient: the public key.
    """

    private: Path
    public: Path
    recipient: str


def write_age_keys(path: Path) -> AgeKeyFiles:
    """Make a pair and write it as ``NAME.key`` and ``NAME.pub``; nothing is ever replaced.

    Raises:
        UsageError: NAME is not one, or one of the files is there already.
        NotFound, NotPermitted, NoSpace: the folder cannot take them.
        Unsupported: ``pyrage`` is not installed.
    """
    identity = pyrage().x25519.Identity.generate()
    recipient = str(identity.to_public())
    private = f"# public key: {recipient}\n{identity}\n".encode()
    files = write_pair(path, private, f"{recipient}\n".encode())
    return AgeKeyFiles(*files, recipient)
