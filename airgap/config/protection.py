"""How bundles are protected on their way: signatures, encryption, volumes, parity."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import PlainValidator, ValidationInfo, model_validator
from pydantic import WithJsonSchema as Schema

from airgap.config.scalars import (
    Count,
    FilePath,
    OneOrMany,
    Size,
    Variable,
    Words,
    read_path,
    value_error,
)
from airgap.config.section import Section


def _recipient(value: Any, info: ValidationInfo) -> str:
    if isinstance(value, str) and value.startswith("AGE-SECRET-KEY-"):
        raise value_error("is a secret key, and a public one is wanted", "write age1…")
    if isinstance(value, str) and value.startswith(("age1", "ssh-")):
        return value
    return str(read_path(value, info))


Recipient = Annotated[
    str,
    PlainValidator(_recipient),
    Schema({"type": "string"}),
    Words("`age1…`, `ssh-ed25519 …`, or the path of a file of such lines"),
]


class SignSection(Section):
    """Who signs."""

    explained: ClassVar = {
        "passphrase": "never stands in the config: write passphrase-file or passphrase-env",
        "key": "the list is called `with`",
        "keys": "the list is called `with`",
    }

    with_: Annotated[tuple[FilePath, ...], OneOrMany] = ()
    """Private keys (PEM, as `airgap keygen` makes them); each one signs."""

    passphrase_file: FilePath | None = None
    """A file with the passphrase of the keys."""

    passphrase_env: Variable | None = None
    """The environment variable with the passphrase of the keys."""

    @model_validator(mode="after")
    def _has_one_passphrase(self) -> Self:
        if self.passphrase_file is not None and self.passphrase_env is not None:
            raise value_error("has passphrase-file and passphrase-env", "write one of them")
        return self


class VolumesSection(Section):
    """How a bundle is cut."""

    size: Size | None = None
    """The most that a volume may have: `4GiB-1` and `fat32` for FAT32, `dvd`, `bd`, `cd` for discs,
    `700MB`. When not set, the bundle is one file."""

    parity: Count | None = None
    """So many parity volumes beside them, from which as many lost ones are rebuilt."""

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        if self.parity is not None and self.size is None:
            raise value_error("parity is for volumes, and size is not set", "set size too")
        return self


class TrustSection(Section):
    """Which keys bundles that come in are checked and opened with."""

    explained: ClassVar = {"keys": "write `signers` for signatures, `identities` for encryption"}

    signers: Annotated[tuple[FilePath, ...], OneOrMany] = ()
    """Public keys (PEM) whose signatures count, old and new ones side by side while keys change.
    Where any is set, a bundle without enough signatures is refused; when none is set, bundles are
    taken in with a warning."""

    threshold: Count = 1
    """How many different signers must have signed."""

    identities: Annotated[tuple[FilePath, ...], OneOrMany] = ()
    """Private keys of age or SSH (files, without passphrase) that encrypted bundles are opened
    with."""

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        check_threshold(len(self.signers), self.threshold if self.signers else 0)
        return self


def check_threshold(keys: int, threshold: int | None) -> None:
    """Check that as many keys are trusted as must sign."""
    if threshold is not None and threshold > keys:
        raise value_error(
            f"threshold asks for {threshold} signatures, and there are {keys} signers",
            "name more signers, or ask for fewer signatures",
        )
