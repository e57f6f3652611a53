"""What the registry client is told: once for every host, and once for the process.

Nothing here reads a file or the environment; the composition root fills these in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from airgap import __version__


class SchemePolicy(StrEnum):
    """When plain http is spoken."""

    AUTOMATIC = "automatic"
    """https, except to a loopback address for which no TLS file is set, as docker does."""

    HTTPS = "https"
    """https, to loopback addresses too."""

    PLAIN_HTTP = "http"
    """http: somebody vouches for the network in between."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to a registry.

    Attributes:
        username: may be empty where there is only an identity token.
        password: never shown.
        identity_token: an OAuth2 refresh token, used in place of the password; never shown.
    """

    username: str
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long the client waits for signs of life, in seconds.

    Attributes:
        connect: for a connection, name resolution and TLS handshake included.
        stall: without a single byte, in either direction.
        answer: for the answer's first byte after all of a request was sent; registries hash and
            move a large blob before they answer its PUT.
        slowest: the fewest bytes per second, measured over ``stall`` seconds of waiting, at which
            a blob is still worth waiting for; 0 waits for any drip.
        small: for a whole exchange that carries no blob.
    """

    connect: float = 15.0
    stall: float = 60.0
    answer: float = 300.0
    slowest: int = 64
    small: float = 120.0


@dataclass(frozen=True, slots=True)
class RetryRules:
    """How stubborn the client is.

    Attributes:
        attempts: tries of one request, or of one blob since its last progress.
        connect_attempts: tries where nobody listens at all.
        first_delay: seconds before the second try; it doubles for each further one.
        longest_delay: seconds that doubling ends at.
        longest_wait: seconds that a registry may ask us to wait (``Retry-After``); where it asks
            for longer, the request fails at once.
    """

    attempts: int = 8
    connect_attempts: int = 3
    first_delay: float = 0.25
    longest_delay: float = 30.0
    longest_wait: float = 300.0


@dataclass(frozen=True, slots=True)
class HostSettings:
    """How one registry is talked to.

    Attributes:
        scheme: when plain http is spoken.
        ca_file: PEM certificates to trust besides the system's.
        client_cert: PEM certificate that the client shows; needs ``client_key``.
        client_key: PEM private key of ``client_cert``.
        mirrors: places to pull from before the host itself, in this order, each
            ``host[:port][/path/prefix]``; each has settings and credentials of its own.
        login: credentials; None looks them up where docker, podman and skopeo keep them.
        helper: short name of the credential helper to ask instead of looking them up.
        requests_per_second: None for no limit.
        concurrency: blob transfers at once in each direction, and as many small requests besides.
        bytes_per_second: of blobs in both directions together; None for no limit.
        chunk_size: bytes of a piece where blobs are uploaded in pieces; None sends each in one
            request, which every registry takes and some insist on.
        timeouts: how long to wait for signs of life.
        retry: how stubborn to be.
    """

    scheme: SchemePolicy = SchemePolicy.AUTOMATIC
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    mirrors: tuple[str, ...] = ()
    login: Login | None = None
    helper: str | None = None
    requests_per_second: float | None = None
    concurrency: int = 6
    bytes_per_second: int | None = None
    chunk_size: int | None = None
    timeouts: Timeouts = Timeouts()
    retry: RetryRules = RetryRules()


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How all registries are talked to.

    Attributes:
        hosts: settings by host, as it stands in references (``docker.io``, ``reg.lan:5000``).
        default: for every other host.
        environ: environment variables: proxies, and where credentials are.
        home: the user's home folder, for credentials and certificates.
        system_certs: folders of ``HOST/*.crt`` for all users, looked at after the user's own.
        user_agent: how the client names itself.
    """

    hosts: Mapping[str, HostSettings] = field(default_factory=dict)
    default: HostSettings = HostSettings()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    home: Path | None = None
    system_certs: tuple[Path, ...] = (Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))
    user_agent: str = f"airgap/{__version__}"

    def of(self, host: str) -> HostSettings:
        """Return the settings of one host."""
        return self.hosts.get(host, self.default)
