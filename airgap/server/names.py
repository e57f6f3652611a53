"""Which repository a request means, and under which path a repository is served.

A place that hosts images keeps each under its full name, domain included; a request has a path and
perhaps ``?ns=`` (distribution-spec, "Registry Proxying"). The rules, in order:

1. ``?ns=HOST`` names the domain. A path that begins with that host once more
   (containerd's ``override_path``) has it taken off.
2. A first component that names a host is the domain: ``docker.io/library/alpine``. It is
   ``localhost``, or it holds a dot. A port is written with an underscore
   (``127.0.0.1_5000/app``), since a path has no colon; an IPv6 address is eight groups with
   underscores. No domain has an underscore, so two domains never meet in one path. It is how a
   push to another registry writes hosts, too (``airgap.oci.name_mapping``).
3. Every other path belongs to the default domain.
"""

from __future__ import annotations

import ipaddress
import re

from airgap.errors import InvalidReference
from airgap.oci.name_mapping import host_component
from airgap.oci.reference import DOCKER_HUB, Repository

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST_COMPONENT = re.compile(rf"(?P<host>{_LABEL}(?:\.{_LABEL})*)(?:_(?P<port>[0-9]+))?", re.ASCII)
_IPV6_COMPONENT = re.compile(
    r"(?P<groups>[0-9a-f]{1,4}(?:_[0-9a-f]{1,4}){7})(?:_(?P<port>[0-9]+))?", re.ASCII
)


def repository_at(path: str, *, default_domain: str, ns: str | None = None) -> Repository:
    """Return the repository that a request means.

    Args:
        path: the name as it stands in the request, between ``/v2/`` and the verb.
        default_domain: the domain of paths that name none.
        ns: the value of ``?ns=``.

    Raises:
        InvalidReference: the path or the domain is outside the grammar of references.
    """
    first, slash, rest = path.partition("/")
    named = _domain_in(first) if slash else None
    if ns:
        return _in_domain(ns, rest if named is not None and named == ns else path)
    if named is not None:
        return _in_domain(named, rest)
    return _in_domain(default_domain, path)


def path_of(repository: Repository, *, default_domain: str) -> str | None:
    """Return the shortest path under which a repository is served without ``?ns=``.

    None where there is none: a domain with upper-case letters cannot stand in a path. Such a
    repository is reached with ``?ns=`` alone, and is not in the catalog.
    """
    for prefix in ("", repository.domain):
        try:
            path = f"{host_component(prefix)}/{repository.path}" if prefix else repository.path
            if repository_at(path, default_domain=default_domain) == repository:
                return path
        except InvalidReference:
            continue
    return None


def _domain_in(component: str) -> str | None:
    if (match := _IPV6_COMPONENT.fullmatch(component)) is not None:
        address = ipaddress.IPv6Address(match["groups"].replace("_", ":"))
        return f"[{address}]" + (f":{match['port']}" if match["port"] else "")
    if (match := _HOST_COMPONENT.fullmatch(component)) is None:
        return None
    host, port = match["host"], match["port"]
    if port is not None:
        return f"{host}:{port}"
    return host if host == "localhost" or "." in host else None


def _in_domain(domain: str, path: str) -> Repository:
    # Docker Hub's own defaults hold here as everywhere, so that one image has one name.
    if domain == f"index.{DOCKER_HUB}":
        domain = DOCKER_HUB
    if domain == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    return Repository(domain, path)
