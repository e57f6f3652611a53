"""Reading hostile JSON: bounded, typed access with errors that name the field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from airgap.errors import ContentMismatch

_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
"""An escape that, without its other half, is text that can be neither printed nor stored."""


class JsonObject:
    """A JSON object of unknown origin, read field by field.

    Attributes:
        what: what the object is, for error messages (``manifest sha256:…``).
    """

    __slots__ = ("_fields", "what")

    def __init__(self, fields: Mapping[str, Any], what: str) -> None:
        self._fields = fields
        self.what = what

    @classmethod
    def parse(cls, raw: bytes, what: str, *, limit: int) -> JsonObject:
        """Read one JSON object of at most ``limit`` bytes.

        Raises:
            ContentMismatch: too long, not UTF-8 JSON, nested too deeply, or not an object.
        """
        if len(raw) > limit:
            raise ContentMismatch(what, f"has {len(raw)} bytes where {limit} are allowed")
        try:
            # Left to itself, json would guess at UTF-16 and skip a byte order mark.
            value = json.loads(raw.decode())
            if _HALF_CHARACTER.search(raw):
                json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise ContentMismatch(what, f"is not JSON ({type(error).__name__})") from None
        return cls(_as_object(value, what), what)

    def __contains__(self, key: str) -> bool:
        return self._fields.get(key) is not None

    def text(self, key: str) -> str:
        """Return a string that must be there."""
        value = self._fields.get(key)
        if not isinstance(value, str):
            raise self._wrong(key, "a string")
        return value

    def optional_text(self, key: str) -> str | None:
        """Return a string, or None where the key is absent, null or empty."""
        if self._fields.get(key) in (None, ""):
            return None
        return self.text(key)

    def integer(self, key: str, *, minimum: int = 0) -> int:
        """Return an integer of at least ``minimum`` that must be there."""
        value = self._fields.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            raise self._wrong(key, f"an integer of at least {minimum}")
        return value

    def flag(self, key: str) -> bool:
        """Return a boolean; a missing or null one is False."""
        value = self._fields.get(key)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return bool(value)

    def object(self, key: str) -> JsonObject:
        """Return a nested object that must be there."""
        value = self._fields.get(key)
        if not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return JsonObject(value, f"{self.what}: {key}")

    def objects(self, key: str) -> Iterator[JsonObject]:
        """Yield the objects of a list; a missing or null list is empty."""
        value = self._fields.get(key)
        if value is None:
            return
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        for position, item in enumerate(value):
            where = f"{self.what}: {key}[{position}]"
            yield JsonObject(_as_object(item, where), where)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings; a missing or null list is empty."""
        value = self._fields.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a list of strings")
        return tuple(value)

    def mapping(self, key: str) -> dict[str, str]:
        """Return a map of strings; a missing or null map is empty."""
        value = self._fields.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise self._wrong(key, "a map of strings")
        return dict(value)

    def _wrong(self, key: str, wanted: str) -> ContentMismatch:
        state = "is missing" if self._fields.get(key) is None else f"is not {wanted}"
        return ContentMismatch(self.what, f"{key!r} {state}")


def _as_object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ContentMismatch(what, "is not a JSON object")
    return value
