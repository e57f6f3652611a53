"""Platforms of an image (OCI image-spec, ``image-index.md``), and matching them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

from airgap.errors import InvalidReference
from airgap.oci.json_object import JsonObject

_PART = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_ARCHITECTURES: dict[str, tuple[str, str | None]] = {
    "x86_64": ("amd64", None),
    "x86-64": ("amd64", None),
    "aarch64": ("arm64", None),
    "i386": ("386", None),
    "i686": ("386", None),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_DEFAULT_VARIANT = {"amd64": "v1", "arm64": "v8", "arm": "v7"}
_MAX_PARTS = 3


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """``os/architecture[/variant]``, with the operating system's version where Windows has one."""

    os: str
    architecture: str
    variant: str | None = None
    os_version: str | None = None
    os_features: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``linux/arm64/v8``; common spellings such as ``x86_64``, ``armhf`` are normalised.

        Raises:
            InvalidReference: the text is not of this form.
        """
        parts = text.split("/")
        if len(parts) not in {2, _MAX_PARTS} or not all(_PART.fullmatch(part) for part in parts):
            raise InvalidReference(
                repr(text),
                "is not a platform",
                "write os/architecture[/variant], such as linux/amd64",
            )
        system, spelled, *rest = (part.lower() for part in parts)
        architecture, implied = _ARCHITECTURES.get(spelled, (spelled, None))
        variant = rest[0] if rest else implied
        if architecture in _DEFAULT_VARIANT and variant is not None and variant.isdecimal():
            variant = f"v{variant}"
        return cls(system, architecture, variant)

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """Read the ``platform`` object of a descriptor.

        Raises:
            ContentMismatch: a field is missing or of the wrong type.
        """
        return cls(
            os=value.optional_text("os") or "unknown",
            architecture=value.optional_text("architecture") or "unknown",
            variant=value.optional_text("variant"),
            os_version=value.optional_text("os.version"),
            os_features=value.texts("os.features"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the ``platform`` object of a descriptor."""
        fields: dict[str, Any] = {"architecture": self.architecture, "os": self.os}
        if self.os_version:
            fields["os.version"] = self.os_version
        if self.os_features:
            fields["os.features"] = list(self.os_features)
        if self.variant:
            fields["variant"] = self.variant
        return fields

    def matches(self, wanted: Platform) -> bool:
        """Tell whether this platform is one that ``wanted`` selects.

        A wanted platform without variant selects every variant; amd64 is amd64/v1, arm64 is
        arm64/v8, and arm without variant is arm/v7, as containerd has it.
        """
        if (self.os, self.architecture) != (wanted.os, wanted.architecture):
            return False
        if wanted.os_version and self.os_version != wanted.os_version:
            return False
        default = _DEFAULT_VARIANT.get(self.architecture)
        return wanted.variant is None or (self.variant or default) == wanted.variant

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)
