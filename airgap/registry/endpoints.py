"""Where a registry really is: its network name, its scheme, and the URLs of its API."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import quote

from yarl import URL

from airgap.oci.reference import DOCKER_HUB, Repository
from airgap.registry.settings import HostSettings, SchemePolicy

_DOCKER_HUB_HOST = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A registry's API, or a part of it that stands for another registry.

    Attributes:
        name: the registry as references and settings name it.
        base: scheme and authority.
        prefix: path below ``/v2/`` under which a mirror keeps another registry's repositories.
    """

    name: str
    base: URL
    prefix: str = ""

    def root(self) -> URL:
        """Return the URL of the API's root, the "ping"."""
        return self.base / "v2/"

    def catalog(self) -> URL:
        """Return the URL that lists repositories."""
        return self.base / "v2/_catalog"

    def path(self, repository: Repository) -> str:
        """Return the path of a repository at this endpoint, for URLs and scopes."""
        return f"{self.prefix}/{repository.path}" if self.prefix else repository.path

    def of(self, repository: Repository, kind: str, name: str = "") -> URL:
        """Return the URL of something in a repository; ``kind`` is ``manifests``, ``blobs``, …."""
        path = f"/v2/{self.path(repository)}/{kind}/{quote(name, safe=':')}"
        return self.base.join(URL(path, encoded=True))


def endpoint_of(place: str, settings: HostSettings, *, has_certificates: bool) -> Endpoint:
    """Return the endpoint of a host, or of a mirror with its path.

    Args:
        place: ``host[:port][/path/prefix]``; ``docker.io`` is registry-1.docker.io.
        settings: those of the host.
        has_certificates: whether TLS files are set or found for it, which says that it speaks TLS.
    """
    host, _, prefix = place.partition("/")
    match settings.scheme:
        case SchemePolicy.PLAIN_HTTP:
            scheme = "http"
        case SchemePolicy.HTTPS:
            scheme = "https"
        case SchemePolicy.AUTOMATIC:
            scheme = "http" if is_loopback(host) and not has_certificates else "https"
    authority = _DOCKER_HUB_HOST if host == DOCKER_HUB else host
    return Endpoint(host, URL(f"{scheme}://{authority}"), prefix.strip("/"))


def is_loopback(host: str) -> bool:
    """Tell whether a host, with or without port, is this machine by its very name.

    ``localhost``, 127.0.0.0/8 and ``::1``; nothing is looked up.
    """
    name = host_name(host)
    if name == "localhost":
        return True
    address = literal_address(name)
    return address is not None and address.is_loopback


def is_private(name: str) -> bool:
    """Tell whether a host name is an address that only means something on some inside network."""
    if name == "localhost":
        return True
    address = literal_address(name)
    return address is not None and not address.is_global


def host_name(host: str) -> str:
    """Return a host without its port and without the brackets of IPv6."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host


def literal_address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host name literally is, or None."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address
