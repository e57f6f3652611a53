"""The files by which container runtimes look for images in a mirror. Pure: rules in, text out.

Sources: containerd ``docs/hosts.md``; ``containers-registries.conf(5)``; the Docker daemon's
``registry-mirrors``; k3s "Private Registry Configuration"; OpenShift ``config.openshift.io/v1``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from airgap.errors import Unsupported
from airgap.oci.reference import DOCKER_HUB
from airgap.usecases.mirror_rules import Moved, Upstream

_UPSTREAM_URLS = {DOCKER_HUB: "https://registry-1.docker.io"}
_SHOWN = 5


class Runtime(StrEnum):
    """What pulls images."""

    CONTAINERD = "containerd"
    CRI_O = "cri-o"
    PODMAN = "podman"
    DOCKER = "docker"
    K3S = "k3s"
    OPENSHIFT = "openshift"


@dataclass(frozen=True, slots=True)
class Access:
    """How a registry is talked to.

    Attributes:
        plain_http: without TLS.
        ca: the file of the authority that its certificate comes from; None for the system's.
    """

    plain_http: bool = False
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class RuntimeFile:
    """A file of a runtime.

    Attributes:
        path: where the runtime looks for it.
        content: its text.
    """

    path: str
    content: str


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    """What a runtime needs.

    Attributes:
        files: its files.
        notes: what it cannot be told, and what is to be done besides.
    """

    files: tuple[RuntimeFile, ...]
    notes: tuple[str, ...] = ()


def runtime_config(
    runtime: Runtime, upstreams: Sequence[Upstream], access: Callable[[str], Access]
) -> RuntimeConfig:
    """Return the files that send a runtime's pulls to where images were pushed.

    Args:
        runtime: which one.
        upstreams: what is where.
        access: tells how a registry is talked to, by its host.

    Raises:
        Unsupported: the runtime cannot be told any of it.
    """
    match runtime:
        case Runtime.CONTAINERD:
            return _containerd(upstreams, access)
        case Runtime.CRI_O | Runtime.PODMAN:
            return _registries_conf(upstreams, access)
        case Runtime.DOCKER:
            return _docker(upstreams, access)
        case Runtime.K3S:
            return _k3s(upstreams, access)
        case Runtime.OPENSHIFT:
            return _openshift(upstreams)


def _url(host: str, access: Access) -> str:
    return f"{'http' if access.plain_http else 'https'}://{host}"


def _text(value: str) -> str:
    """Return a string as TOML and YAML both read it."""
    return json.dumps(value)


# containerd


def _containerd(upstreams: Sequence[Upstream], access: Callable[[str], Access]) -> RuntimeConfig:
    files = [
        RuntimeFile(
            f"/etc/containerd/certs.d/{upstream.host}/hosts.toml",
            "\n".join(_hosts_toml(upstream, access)) + "\n",
        )
        for upstream in upstreams
        if upstream.places
    ]
    notes = [*_renamed_notes("containerd", upstreams)]
    if not files:
        raise Unsupported("containerd", "cannot be told where these images are", "; ".join(notes))
    notes.append('config.toml must say config_path = "/etc/containerd/certs.d" for its registries')
    return RuntimeConfig(tuple(files), tuple(notes))


def _hosts_toml(upstream: Upstream, access: Callable[[str], Access]) -> Iterator[str]:
    server = _UPSTREAM_URLS.get(upstream.host) or f"https://{upstream.host}"
    yield f"server = {_text(server)}"
    for place in upstream.places:
        how = access(place.domain)
        url = _url(place.domain, how)
        yield ""
        # containerd puts /v2 before the name by itself, unless the path says where it stands.
        yield f"[host.{_text(f'{url}/v2/{place.path}' if place.path else url)}]"
        yield '  capabilities = ["pull", "resolve"]'
        if place.path:
            yield "  override_path = true"
        if how.ca is not None:
            yield f"  ca = {_text(str(how.ca))}"


# CRI-O and Podman


def _registries_conf(
    upstreams: Sequence[Upstream], access: Callable[[str], Access]
) -> RuntimeConfig:
    lines: list[str] = []
    for source, places in _prefixes(upstreams):
        lines += ["[[registry]]", f"prefix = {_text(source)}", f"location = {_text(source)}"]
        for place in places:
            lines += ["", "[[registry.mirror]]", f"location = {_text(place)}"]
            if access(place.partition("/")[0]).plain_http:
                lines.append("insecure = true")
        lines.append("")
    hosts = {host for upstream in upstreams for host in upstream.targets()}
    notes = [
        f"put {ca} at /etc/containers/certs.d/{host}/ca.crt"
        for host in sorted(hosts)
        if (ca := access(host).ca) is not None
    ]
    path = "/etc/containers/registries.conf.d/50-airgap.conf"
    return RuntimeConfig((RuntimeFile(path, "\n".join(lines)),), tuple(notes))


def _prefixes(upstreams: Sequence[Upstream]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what names begin with, and what stands instead at each mirror."""
    for upstream in upstreams:
        if upstream.places:
            yield upstream.host, tuple(map(str, upstream.places))
        renamed = [f"{moved.source}/" for moved in upstream.renamed]
        for name in dict.fromkeys(moved.source for moved in upstream.repositories):
            # A prefix takes all that is below it, so what is below one that was renamed needs a
            # longer prefix; and only the longest one counts, so its mirrors must be all there are.
            if f"{name}/".startswith(tuple(renamed)):
                targets = (moved.target for moved in upstream.repositories if moved.source == name)
                yield str(name), tuple(map(str, targets))


# Docker


def _docker(upstreams: Sequence[Upstream], access: Callable[[str], Access]) -> RuntimeConfig:
    hosts: dict[str, None] = {}
    notes: list[str] = []
    for upstream in upstreams:
        if upstream.host != DOCKER_HUB:
            notes.append(f"docker has no mirrors for {upstream.host}, only for {DOCKER_HUB}")
            continue
        for place in upstream.places:
            if place.path:
                notes.append(f"docker takes no path in a mirror, and {place} has one")
            else:
                hosts[place.domain] = None
        notes += _renamed_notes("docker", [upstream])
    if not hosts:
        raise Unsupported(
            "docker",
            "cannot be told where these images are: " + "; ".join(notes[:_SHOWN]),
            "push Docker Hub's images with `push.map` to a registry's root, or pull by the names "
            "that they have there",
        )
    fields: dict[str, Any] = {
        "registry-mirrors": [_url(host, access(host)) for host in hosts],
    }
    plain = [host for host in hosts if access(host).plain_http]
    if plain:
        fields["insecure-registries"] = plain
    content = json.dumps(fields, indent=2) + "\n"
    return RuntimeConfig((RuntimeFile("/etc/docker/daemon.json", content),), tuple(notes))


# k3s


def _k3s(upstreams: Sequence[Upstream], access: Callable[[str], Access]) -> RuntimeConfig:
    mirrors: dict[str, Any] = {}
    configs: dict[str, Any] = {}
    notes: list[str] = []
    for upstream in upstreams:
        # The rewriting of names is one for all endpoints, so there can be one registry only.
        host, *others = upstream.targets()
        if others:
            notes.append(f"{upstream.host} is also at {', '.join(others)}; k3s gets {host} only")
        how = access(host)
        mirrors[upstream.host] = {"endpoint": [_url(host, how)]}
        rewrite = _rewrites(upstream, host)
        if rewrite:
            mirrors[upstream.host]["rewrite"] = rewrite
        if how.ca is not None:
            configs[host] = {"tls": {"ca_file": str(how.ca)}}
    document: dict[str, Any] = {"mirrors": mirrors}
    if configs:
        document["configs"] = configs
    path = "/etc/rancher/k3s/registries.yaml"
    return RuntimeConfig((RuntimeFile(path, _yaml([document])),), tuple(notes))


def _rewrites(upstream: Upstream, host: str) -> Mapping[str, str]:
    places = [place for place in upstream.places if place.domain == host]
    here = [moved for moved in upstream.repositories if moved.target.domain == host]
    if len(places) == 1 and not any(moved.prefix is None for moved in here):
        return {"^(.*)$": f"{places[0].path}/$1"} if places[0].path else {}
    # Which of several patterns that match counts is not said, so each matches one name.
    return {f"^{re.escape(moved.source.path)}$": moved.target.path for moved in reversed(here)}


# OpenShift


def _openshift(upstreams: Sequence[Upstream]) -> RuntimeConfig:
    mirrors = [
        {"source": source, "mirrors": list(places)} for source, places in _prefixes(upstreams)
    ]
    documents = [
        {
            "apiVersion": "config.openshift.io/v1",
            "kind": kind,
            "metadata": {"name": "airgap"},
            "spec": {key: mirrors},
        }
        for kind, key in (
            ("ImageDigestMirrorSet", "imageDigestMirrors"),
            ("ImageTagMirrorSet", "imageTagMirrors"),
        )
    ]
    return RuntimeConfig(
        (RuntimeFile("airgap-mirrors.yaml", _yaml(documents)),),
        ("apply it with `oc apply -f airgap-mirrors.yaml`; OpenShift restarts its nodes",),
    )


# What they share


def _renamed_notes(runtime: str, upstreams: Sequence[Upstream]) -> Iterator[str]:
    renamed: list[Moved] = [moved for upstream in upstreams for moved in upstream.renamed]
    if renamed:
        shown = ", ".join(str(moved.source) for moved in renamed[:_SHOWN])
        more = ", …" if len(renamed) > _SHOWN else ""
        yield f"{runtime} cannot look for single repositories under other names: {shown}{more}"


def _yaml(documents: Sequence[Mapping[str, Any]]) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False, default_flow_style=False, width=1000)
