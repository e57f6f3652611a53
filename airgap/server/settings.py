"""How the embedded registry is set up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airgap.oci.reference import Repository
from airgap.server.policy import (
    EVERYTHING,
    NOTHING,
    READING,
    AccessPolicy,
    Rule,
)

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The certificate (with its chain) and its key, both PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the registry listens, whom it serves, and what bounds it.

    Attributes:
        host: the address to listen at.
        port: the port to listen at; 0 takes a free one.
        default_domain: the domain of repositories whose path names none, see ``names``.
        read_only: refuse every push and every deletion.
        tls: serve https with these files; None serves http.
        htpasswd: a file of users with bcrypt passwords (``htpasswd -B``); None signs nobody in.
        anonymous_read: with ``htpasswd``, let everybody pull and only users push and delete.
        rules: per-repository rules, in order; see ``policy``.
        sparse_images: take in an image of which the repository lacks blobs, which others then
            cannot pull whole; without it such a push is refused.
        public_url: how clients reach the registry, where a proxy stands in front of it
            (``https://registry.example``); without it the ``Host`` header is believed.
        max_blob_size: bytes of the largest blob that is taken in.
        max_requests: requests in progress at once; more are told to come back (429).
        max_bodies: request bodies read at once.
        max_waiting_bodies: how many more may wait, and their senders with them; the rest are told
            to come back (429).
        body_seconds: how long a client may pause within a request body, or stop reading.
        upload_seconds: how long an upload may lie untouched before it is discarded.
        shutdown_seconds: how long running requests may take to end when the registry stops.
        manifest_cache_size: bytes of manifests kept in memory.
    """

    host: str = "127.0.0.1"
    port: int = 0
    default_domain: str = "localhost"
    read_only: bool = False
    tls: TlsFiles | None = None
    htpasswd: Path | None = None
    anonymous_read: bool = False
    rules: tuple[Rule, ...] = ()
    sparse_images: bool = True
    public_url: str | None = None
    max_blob_size: int = 1024 * 1024 * _MIB
    max_requests: int = 512
    max_bodies: int = 16
    max_waiting_bodies: int = 112
    body_seconds: float = 60.0
    upload_seconds: float = 24 * 3600.0
    shutdown_seconds: float = 10.0
    manifest_cache_size: int = 32 * _MIB

    def __post_init__(self) -> None:
        """Check what every request would trip over.

        Raises:
            InvalidReference: the default domain is not a host.
        """
        Repository(self.default_domain, "any/path")

    @property
    def policy(self) -> AccessPolicy:
        """The access policy that these settings amount to."""
        if self.htpasswd is None:
            return AccessPolicy(self.rules)
        anonymous = READING if self.anonymous_read else NOTHING
        return AccessPolicy(self.rules, anonymous, EVERYTHING)
