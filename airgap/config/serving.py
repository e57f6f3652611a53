"""How `airgap serve` serves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import PlainSerializer, model_validator
from pydantic import WithJsonSchema as Schema

from airgap.config.scalars import (
    FilePath,
    Flag,
    Host,
    OneOrMany,
    Text,
    Words,
    parsed,
    value_error,
)
from airgap.config.section import Section
from airgap.errors import UsageError

_ADDRESS = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[\w.-]+)):(?P<port>[0-9]{1,5})", re.ASCII
)
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where to listen.

    Attributes:
        host: an address or a name of this machine; an IPv6 address without its brackets.
        port: 0 takes a free one.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``HOST:PORT`` or ``[IPV6]:PORT``.

        Raises:
            UsageError: it is something else.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None or int(match["port"]) > _MAX_PORT:
            raise UsageError(
                repr(text),
                "is not HOST:PORT",
                "write 127.0.0.1:5000, or 0.0.0.0:5000 for all addresses of this machine",
            )
        return cls(match["v6"] or match["host"], int(match["port"]))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Permission(StrEnum):
    """What a rule lets somebody do."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"


def _public_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path not in {"", "/"}:
        raise value_error(f"{text!r} is not the URL of a host", "write https://registry.example")
    return text.rstrip("/")


Address = Annotated[
    ListenAddress,
    parsed(ListenAddress.parse, ListenAddress),
    PlainSerializer(str),
    Schema({"type": "string"}),
    Words("`host:port`"),
]
PublicUrl = Annotated[
    str, parsed(_public_url, str), Schema({"type": "string"}), Words("`http[s]://host[:port]`")
]


class ServeTlsSection(Section):
    """The certificate that the server shows; without it, it speaks http."""

    explained: ClassVar = {"ca": "clients are not asked for certificates"}

    certificate: FilePath
    """PEM certificate, with those that signed it after it."""

    key: FilePath
    """PEM private key of `certificate`."""


class RuleSection(Section):
    """What some users may do in some repositories."""

    repositories: Annotated[tuple[Text, ...], OneOrMany]
    """Patterns over names as the catalog shows them: `*` and `?` stay within a component, `**`
    crosses them."""

    users: Annotated[tuple[Text, ...], OneOrMany]
    """Names of the password file; `@` is everybody with a password, `*` everybody."""

    may: Annotated[tuple[Permission, ...], OneOrMany] = ()
    """What they may do; when not set, nothing."""


class ServeSection(Section):
    """What `airgap serve` does; options on the command line go first."""

    explained: ClassVar = {
        "port": "write it into `listen`",
        "insecure": "without `tls`, http is served",
        "password": "passwords stand in the file that `htpasswd` names",
        "users": "users stand in the file that `htpasswd` names",
    }

    listen: Address = ListenAddress("127.0.0.1", 5000)
    """Where to listen; `0.0.0.0:5000` is every IPv4 address of the machine."""

    tls: ServeTlsSection | None = None
    """The certificate to show. When not set, http is spoken."""

    htpasswd: FilePath | None = None
    """Users and their passwords, as `htpasswd -B` writes them. When not set, nobody signs in."""

    anonymous_read: Flag = False
    """With `htpasswd`: everybody may pull, and users push and delete."""

    read_only: Flag = False
    """Refuse every push and every deletion, whoever asks."""

    rules: tuple[RuleSection, ...] = ()
    """Who may do what where. The first that covers the repository and names the user decides; a
    repository that some rule covers is closed to users that none of them names."""

    sparse_images: Flag = True
    """Take in images whose blobs were not pushed, as the specification's conformance program wants
    of a registry. `false` refuses them, which shows a broken push at once. Indexes may always be
    sparse, and an export never carries an image that is not whole."""

    default_domain: Host = "localhost"
    """Whose the repositories are that a path names without host. With `docker.io` the server is a
    mirror for dockerd."""

    upstream: Annotated[tuple[Host, ...], OneOrMany] = ()
    """Registries whose images are fetched when they are missing, and kept."""

    public_url: PublicUrl | None = None
    """How clients reach the server, where a proxy stands before it. When not set, each client is
    believed."""

    @model_validator(mode="after")
    def _has_users_where_it_needs_them(self) -> Self:
        named = {user for rule in self.rules for user in rule.users} - {"*"}
        if self.htpasswd is None and self.anonymous_read:
            raise value_error("has anonymous-read without htpasswd", "without it, all may read")
        if self.htpasswd is None and named:
            raise value_error(
                f"has rules for {', '.join(sorted(named))} and no htpasswd", "nobody could sign in"
            )
        return self
