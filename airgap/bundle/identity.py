"""What sets one bundle apart from another of the same content: its id, its time, its place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import airgap
from airgap.bundle.format import BundleManifest, encode_bundle_json, is_id
from airgap.errors import UsageError

_ID_LENGTH = 32
_UNNAMED = "0" * _ID_LENGTH


@dataclass(frozen=True, slots=True)
class BundleIdentity:
    """Who a bundle is.

    Attributes:
        created: when it is made.
        id: its id; None derives one from everything that ``bundle.json`` says, so that the same
            content at the same time has the same id, and any other has another.
        channel: who ships to whom; None outside of any channel.
        sequence: its place in the channel, from 1 on.
        tool: who writes it.
    """

    created: datetime
    id: str | None = None
    channel: str | None = None
    sequence: int | None = None
    tool: str = f"airgap {airgap.__version__}"

    def __post_init__(self) -> None:
        """Hold the grammar of ids and channels.

        Raises:
            UsageError: the id or the channel is outside of it.
        """
        for what, value in (("bundle id", self.id), ("channel", self.channel)):
            if value is not None and not is_id(value):
                raise UsageError(
                    repr(value),
                    f"is not a {what}",
                    "use at most 128 letters, digits, '.', '_', '-'",
                )


def creation_time(pinned: str | None, environment: Mapping[str, str], now: datetime) -> datetime:
    """Return the time that a bundle says it was made at, in whole seconds UTC.

    Args:
        pinned: what the person wants, as ISO 8601; without offset it is UTC.
        environment: may hold ``SOURCE_DATE_EPOCH`` (reproducible-builds.org: seconds since 1970).
        now: the clock, where neither says anything.

    Raises:
        UsageError: neither form is one that can be read.
    """
    epoch = environment.get("SOURCE_DATE_EPOCH")
    try:
        if pinned is not None:
            moment = datetime.fromisoformat(pinned)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        elif epoch:
            moment = datetime.fromtimestamp(int(epoch), UTC)
        else:
            moment = now
        return moment.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError, OSError):
        where = "SOURCE_DATE_EPOCH" if pinned is None else repr(pinned)
        raise UsageError(
            where,
            "is not a time",
            "write 2026-11-24T09:30:00Z, or in SOURCE_DATE_EPOCH the seconds since 1970",
        ) from None


def named(manifest: BundleManifest, wanted: str | None) -> BundleManifest:
    """Return the manifest with the wanted id, or with one derived from all that it says."""
    if wanted is not None:
        return replace(manifest, id=wanted)
    unnamed = encode_bundle_json(replace(manifest, id=_UNNAMED))
    return replace(manifest, id=hashlib.sha256(unnamed).hexdigest()[:_ID_LENGTH])
