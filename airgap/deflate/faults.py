"""What can go wrong with the coder, for those who call it."""

from __future__ import annotations

from airgap.errors import ContentMismatch, Unsupported


class CannotOpen(Unsupported):
    """A stream is not gzip, is damaged, or is not worth opening; it is carried as it is.

    Attributes:
        reason: why, in a few words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("", reason)
        self.reason = reason


class CannotRebuild(ContentMismatch):
    """A recipe is damaged or hostile, or is not the recipe of these plain bytes.

    Attributes:
        reason: why, in a few words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("", reason)
        self.reason = reason
