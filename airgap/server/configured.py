"""From the config's section to the registry's settings."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from airgap.config.serving import ServeSection
from airgap.server.policy import Action, Rule
from airgap.server.settings import ServerSettings, TlsFiles


def server_settings(section: ServeSection) -> ServerSettings:
    """Return the settings that a section amounts to."""
    tls = section.tls
    return ServerSettings(
        host=section.listen.host,
        port=section.listen.port,
        default_domain=section.default_domain,
        read_only=section.read_only,
        tls=TlsFiles(tls.certificate, tls.key) if tls is not None else None,
        htpasswd=section.htpasswd,
        anonymous_read=section.anonymous_read,
        rules=tuple(_rules(section)),
        sparse_images=section.sparse_images,
        public_url=section.public_url,
    )


def _rules(section: ServeSection) -> Iterator[Rule]:
    for rule in section.rules:
        actions = frozenset(Action(permission) for permission in rule.may)
        for pattern in rule.repositories:
            yield Rule(pattern, frozenset(rule.users), actions)


def exposures(section: ServeSection) -> Iterator[str]:
    """Yield what a person should know who lets others than this machine reach the registry."""
    if _is_loopback(section.listen.host):
        return
    everybody = [rule for rule in section.rules if "*" in rule.users]
    if section.htpasswd is None and not section.read_only and not everybody:
        yield (
            f"whoever reaches {section.listen} may push and delete: set up passwords with "
            "--htpasswd, or serve with --read-only"
        )
    encrypted = section.tls is not None or (section.public_url or "").startswith("https:")
    if section.htpasswd is not None and not encrypted:
        yield "passwords travel unencrypted: set up TLS, or say with public-url which proxy has it"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
