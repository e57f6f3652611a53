"""Content digests (OCI image-spec, ``descriptor.md``, section "Digests")."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Self

from airgap.errors import InvalidReference

if TYPE_CHECKING:
    from hashlib import _Hash
    from typing import TypeAlias

    Hasher: TypeAlias = _Hash

_GRAMMAR = re.compile(
    r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}", re.ASCII
)
_HEX_LENGTH = {"sha256": 64, "sha512": 128}
_LOWER_HEX = re.compile(r"[0-9a-f]+", re.ASCII)


class Digest(str):
    """``algorithm:hex``, checked when it is made.

    It is a string, so that it can be a key, a column and a JSON value as it stands. Only sha256 and
    sha512 exist here: content that nobody can verify is not content that may cross.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check ``text`` and take it as a digest.

        Raises:
            InvalidReference: the text is not a digest, or of an algorithm that we cannot verify.
        """
        if type(text) is cls:
            return text
        algorithm, _, hexadecimal = text.partition(":")
        if not _GRAMMAR.fullmatch(text):
            raise InvalidReference(
                repr(text), "is not a digest", "write it as sha256:<64 hex digits>"
            )
        expected = _HEX_LENGTH.get(algorithm)
        if expected is None:
            raise InvalidReference(
                repr(text), f"digest algorithm {algorithm} cannot be verified here"
            )
        if len(hexadecimal) != expected or not _LOWER_HEX.fullmatch(hexadecimal):
            raise InvalidReference(
                repr(text), f"a {algorithm} digest has {expected} lower-case hex digits"
            )
        return super().__new__(cls, text)

    @classmethod
    def of(cls, content: bytes | bytearray | memoryview, algorithm: str = "sha256") -> Digest:
        """Return the digest of content that is small enough to be in memory."""
        return cls(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")

    @classmethod
    def from_hasher(cls, hasher: Hasher) -> Digest:
        """Return the digest of what a hasher made by :meth:`hasher` has seen."""
        return cls(f"{hasher.name}:{hasher.hexdigest()}")

    @property
    def algorithm(self) -> str:
        """The name before the colon: ``sha256`` or ``sha512``."""
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        """The hexadecimal part: 64 or 128 lower-case digits."""
        return self.partition(":")[2]

    @property
    def short(self) -> str:
        """The first twelve hex digits, as docker shows image ids."""
        return self.hex[:12]

    def hasher(self) -> Hasher:
        """Return a new hasher of this digest's algorithm."""
        return hashlib.new(self.algorithm)
