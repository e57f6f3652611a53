"""What a repository is called at the place that it is pushed to.

By default the source's host becomes the first component of the path below the destination, so
that ``docker.io/library/a`` and ``quay.io/library/a`` stay two repositories:

======================  =========================================
source                  destination below ``reg.lan:5000/hub``
======================  =========================================
docker.io/library/a     reg.lan:5000/hub/docker.io/library/a
Reg.example:8443/a      reg.lan:5000/hub/reg.example_8443/a
[::1]:5000/a            reg.lan:5000/hub/0_0_0_0_0_0_0_1_5000/a
======================  =========================================

No host name holds an underscore, so no two hosts become one component. Rules may shorten names;
where two sources would then meet in one destination, the whole set is refused.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from airgap.errors import InvalidReference, Refused
from airgap.oci.reference import Reference, Repository, names_a_host

_FIELD = re.compile(r"\{([^{}]*)\}")
_FIELDS = ("host", "path", "rest", "name")
_PROBE = "x"
_BELOW = "x/x"
"""Two components, as names on Docker Hub have at least."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A registry, and the path below which everything goes; the path may be empty."""

    domain: str
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host[:port][/path]``; the host is never left out, nor Docker Hub assumed.

        Raises:
            InvalidReference: the text is not of this form.
        """
        domain, slash, path = text.partition("/")
        if not names_a_host(domain):
            raise InvalidReference(
                repr(text),
                "does not begin with a registry host",
                f"write the host with its domain or port: {domain}:5000{slash}{path}",
            )
        if slash and not path:
            raise InvalidReference(repr(text), "ends in a slash", f"write {domain}")
        _check(domain, path)
        return cls(domain, path)

    def repository(self, path: str) -> Repository:
        """Return the repository at a path below.

        Raises:
            InvalidReference: the path is outside the grammar, or too long with this one before it.
        """
        return Repository(self.domain, f"{self.path}/{path}" if self.path else path)

    def __str__(self) -> str:
        return f"{self.domain}/{self.path}" if self.path else self.domain


class Change(StrEnum):
    """What a rule does with the prefix that it matched."""

    STRIP = "strip"
    TO = "to"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class MappingRule:
    """What to call the repositories below a prefix.

    Attributes:
        prefix: whole components, host first (``docker.io/library``); empty matches everything.
        change: drop the prefix, put ``value`` in its place, or fill in ``value``.
        value: a path; or a template with ``{host}`` (as one component), ``{path}`` (all below the
            host), ``{rest}`` (all below the prefix), ``{name}`` (the last component).
    """

    prefix: str
    change: Change
    value: str = ""

    def __post_init__(self) -> None:
        """Check prefix and value, so that a rule fails when it is written and not when it is used.

        Raises:
            InvalidReference: the prefix cannot begin a name, or the value cannot become a path.
        """
        if self.prefix:
            host, _, path = self.prefix.partition("/")
            if not names_a_host(host):
                raise InvalidReference(
                    repr(self.prefix),
                    "does not begin with a registry host",
                    f"write docker.io/{self.prefix} for Docker Hub",
                )
            _check(host, path)
        if self.change is Change.STRIP:
            return
        unknown = [name for name in _FIELD.findall(self.value) if name not in _FIELDS]
        if self.change is Change.TEMPLATE and unknown:
            raise InvalidReference(
                repr(self.value),
                f"{{{unknown[0]}}} is not a field of a template",
                "fields are " + ", ".join(f"{{{name}}}" for name in _FIELDS),
            )
        filled = _FIELD.sub(_PROBE, self.value) if self.change is Change.TEMPLATE else self.value
        try:
            Repository("localhost", filled)
        except InvalidReference as error:
            raise InvalidReference(
                repr(self.value), "does not make a repository path", error.hint
            ) from None

    def matches(self, name: str) -> bool:
        """Tell whether a full repository name is the prefix or lies below it."""
        return not self.prefix or f"{name}/".startswith(f"{self.prefix}/")

    def path_for(self, source: Repository) -> str:
        """Return the path of a repository that the rule matches.

        Raises:
            InvalidReference: nothing is left of the name.
        """
        rest = str(source)[len(self.prefix) :].lstrip("/") if self.prefix else str(source)
        if not self.prefix:
            rest = f"{host_component(source.domain)}/{source.path}"
        match self.change:
            case Change.STRIP:
                path = rest
            case Change.TO:
                path = f"{self.value}/{rest}" if rest else self.value
            case Change.TEMPLATE:
                values = {
                    "host": host_component(source.domain),
                    "path": source.path,
                    "rest": rest,
                    "name": source.path.rpartition("/")[2],
                }
                path = _FIELD.sub(lambda field: values[field[1]], self.value).strip("/")
        if not path:
            raise InvalidReference(
                str(source),
                f"nothing is left of it without {self.prefix!r}",
                "give that repository a rule with `to`",
            )
        return path


@dataclass(frozen=True, slots=True)
class NameMapping:
    """From names at the source to names at the destination.

    Attributes:
        destination: where everything goes.
        rules: the rule with the longest prefix that matches counts; none keeps the whole name.
    """

    destination: Destination
    rules: tuple[MappingRule, ...] = ()

    def map_repository(self, source: Repository) -> Repository:
        """Return what a repository is called at the destination.

        Raises:
            InvalidReference: the name becomes too long, or nothing is left of it.
        """
        name = str(source)
        matching = [rule for rule in self.rules if rule.matches(name)]
        if matching:
            path = max(matching, key=lambda rule: len(rule.prefix)).path_for(source)
        else:
            path = f"{host_component(source.domain)}/{source.path}"
        try:
            return self.destination.repository(path)
        except InvalidReference as error:
            raise InvalidReference(
                name, f"cannot be named at {self.destination}: {error}", error.hint
            ) from None

    def map_reference(self, source: Reference) -> Reference:
        """Return what a reference is called at the destination; tag and digest stay."""
        return Reference(self.map_repository(source.repository), source.tag, source.digest)

    def map_all(self, sources: Sequence[Reference]) -> list[Reference]:
        """Return what each reference is called at the destination, in the same order.

        Raises:
            Refused: two different tags would become one; both are named.
            InvalidReference: a name becomes too long, or nothing is left of it.
        """
        targets = [self.map_reference(source) for source in sources]
        _refuse_collisions(zip(sources, targets, strict=True))
        return targets


def host_component(domain: str) -> str:
    """Return a registry's host as one path component; different hosts give different ones.

    Hosts are compared as DNS does, without case.

    Raises:
        InvalidReference: the brackets do not hold an IPv6 address.
    """
    if not domain.startswith("["):
        return domain.lower().replace(":", "_")
    literal, _, port = domain[1:].partition("]")
    try:
        groups = ipaddress.IPv6Address(literal).exploded.split(":")
    except ValueError:
        raise InvalidReference(repr(domain), "does not hold an IPv6 address") from None
    short = "_".join(f"{int(group, 16):x}" for group in groups)
    return short + port.replace(":", "_")


def _check(host: str, path: str) -> None:
    """Check what a repository's name may begin with; the path may be empty."""
    Repository(host, f"{path}/{_BELOW}" if path else _BELOW)


def _refuse_collisions(pairs: Iterable[tuple[Reference, Reference]]) -> None:
    """Refuse two tags in one place; the same digest twice is the same content, and harmless."""
    taken: dict[tuple[Repository, str], Reference] = {}
    for source, target in pairs:
        if target.tag is None:
            continue
        first = taken.setdefault((target.repository, target.tag), source)
        if (first.repository, first.tag) != (source.repository, source.tag):
            raise Refused(
                f"{first} and {source}",
                f"both would become {target.repository}:{target.tag}",
                "give one of them another name with a rule of its own",
            )
