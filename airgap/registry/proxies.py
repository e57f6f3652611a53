"""Which proxy leads to a URL, by the environment variables that every tool reads."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from yarl import URL

from airgap.registry.endpoints import is_loopback, literal_address


@dataclass(frozen=True, slots=True)
class ProxyRules:
    """The proxies of an environment.

    Attributes:
        by_scheme: the proxy for ``http`` and for ``https`` URLs.
        exceptions: the parts of ``NO_PROXY``: ``*``, a host, a domain (with or without a dot in
            front; what is below it is meant too), an address, a network ``10.0.0.0/8``; each but
            the last two may have a port.
    """

    by_scheme: Mapping[str, URL]
    exceptions: tuple[str, ...] = ()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> ProxyRules:
        """Read ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, in either case.

        The lower-case name wins. Within a CGI script ``HTTP_PROXY`` is a request's header and is
        not read (CVE-2016-5385).
        """

        def value(name: str) -> str:
            if found := environ.get(name):
                return found
            if name == "http_proxy" and "REQUEST_METHOD" in environ:
                return ""
            return environ.get(name.upper(), "")

        proxies: dict[str, URL] = {}
        for scheme in ("http", "https"):
            text = value(f"{scheme}_proxy") or value("all_proxy")
            if text:
                proxies[scheme] = URL(text if "://" in text else f"http://{text}")
        parts = (part.strip().lower() for part in value("no_proxy").split(","))
        return cls(proxies, tuple(part for part in parts if part))

    def proxy_for(self, url: URL) -> URL | None:
        """Return the proxy for a URL, or None to go there directly, as loopback always is."""
        proxy = self.by_scheme.get(url.scheme)
        if proxy is None or url.host is None or is_loopback(url.host):
            return None
        host = url.host.lower().rstrip(".")
        if any(_is_meant(rule, host, url.port) for rule in self.exceptions):
            return None
        return proxy


def _is_meant(rule: str, host: str, port: int | None) -> bool:
    if rule == "*":
        return True
    address = literal_address(host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(rule.strip("[]"), strict=False)
        except ValueError:
            pass
    name, colon, wanted_port = rule.rpartition(":")
    if colon and wanted_port.isdecimal() and name.count(":") in {0, 7}:
        if int(wanted_port) != port:
            return False
        rule = name
    domain = rule.strip("[]").lstrip("*").lstrip(".")
    return host == domain or host.endswith(f".{domain}")
