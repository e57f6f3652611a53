"""Every error that a person can meet, each with the exit code that a script can meet.

::

    AirgapError                  1   something failed that has no class of its own
    ├── UsageError               2   the command line asks for what cannot be
    ├── ConfigError              3   the config file does not say what it must
    ├── InvalidReference         4   a name is not a reference, or an expression selects nothing
    ├── NotFound                 5   no such repository, tag, image or file
    ├── AccessDenied             6   credentials are missing, wrong, or not enough
    ├── Unreachable              7   no answer: name, route, connection, time
    ├── RegistryFault            8   a registry answers what the specification rules out
    │   └── RateLimited          8   the registry asks to wait longer than the policy allows
    ├── ContentMismatch          9   bytes do not have the digest or size that was promised
    ├── BundleDamaged           10   a bundle is truncated, changed, or not a bundle
    ├── NoSpace                 11   the disk is full, or would be
    ├── StoreUnusable           12   the store is another version's, locked, or not a store
    ├── PartialFailure          13   some images failed; the report lists each
    ├── Difference              14   an audit found something else than it should
    ├── Refused                 15   a policy says no: lineage, signature, existing tag
    ├── Unsupported             16   valid, but not something that this version carries
    ├── NotPermitted            17   the operating system does not let us read or write there
    ├── ArchiveDamaged          18   an archive or layer is truncated, hostile, or not one at all
    └── EngineFault             19   a container engine answers with an error of its own

``130`` is an interrupt from the keyboard, as shells have it.
"""

from __future__ import annotations

from typing import ClassVar


class AirgapError(Exception):
    """What went wrong, in three parts: the thing, the cause, and what to do.

    Attributes:
        thing: what the error is about, as the person named it (a reference, a path, a key).
        cause: why it failed, in a few words and without secrets.
        hint: what the person can do about it; empty where there is nothing to advise.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, thing: str, cause: str, hint: str = "") -> None:
        super().__init__(thing, cause, hint)
        self.thing = thing
        self.cause = cause
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.thing}: {self.cause}" if self.thing else self.cause


class UsageError(AirgapError):
    """The command line asks for what cannot be."""

    exit_code = 2


class ConfigError(AirgapError):
    """The config file does not say what it must; ``thing`` is ``file:line: key``."""

    exit_code = 3


class InvalidReference(AirgapError):
    """A name is not a reference, a digest or a platform, or an expression selects nothing."""

    exit_code = 4


class NotFound(AirgapError):
    """There is no such repository, tag, image, blob or file."""

    exit_code = 5


class AccessDenied(AirgapError):
    """Credentials are missing, wrong, or do not reach far enough."""

    exit_code = 6


class Unreachable(AirgapError):
    """No answer came: name resolution, route, connection, TLS handshake, or time."""

    exit_code = 7


class RegistryFault(AirgapError):
    """A registry answers what the distribution specification rules out."""

    exit_code = 8


class RateLimited(RegistryFault):
    """The registry asks to wait for longer than the retry policy allows."""


class ContentMismatch(AirgapError):
    """Bytes do not have the digest or the size that was promised."""

    exit_code = 9


class BundleDamaged(AirgapError):
    """A bundle is truncated, changed, or not a bundle."""

    exit_code = 10


class NoSpace(AirgapError):
    """The disk is full, or would be before the work is done."""

    exit_code = 11


class StoreUnusable(AirgapError):
    """The store was written by another version, is locked, or is not a store."""

    exit_code = 12


class PartialFailure(AirgapError):
    """Some images failed while others went through; the report lists each of them."""

    exit_code = 13


class Difference(AirgapError):
    """An audit found something else than it should have."""

    exit_code = 14


class Refused(AirgapError):
    """A policy says no: lineage, signature, threshold, or a tag that must not move."""

    exit_code = 15


class Unsupported(AirgapError):
    """The content is valid, but not something that this version carries."""

    exit_code = 16


class NotPermitted(AirgapError):
    """The operating system does not let us read or write there."""

    exit_code = 17


class ArchiveDamaged(AirgapError):
    """An archive of images, or a layer, is truncated, changed, hostile, or not one at all."""

    exit_code = 18


class EngineFault(AirgapError):
    """A container engine answers with an error of its own, or with what its API rules out."""

    exit_code = 19
