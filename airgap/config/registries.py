"""How each registry is talked to."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import model_validator

from airgap.config.scalars import (
    Count,
    FilePath,
    Flag,
    Helper,
    Number,
    OneOrMany,
    PullMirror,
    Rate,
    Text,
    Variable,
    value_error,
)
from airgap.config.section import Section


class TlsSection(Section):
    """Certificates; without them the system's are trusted, and none is shown."""

    explained: ClassVar = dict.fromkeys(
        ("verify", "insecure", "skip-verify", "insecure-skip-verify"),
        "certificates are always verified; name the authority that signed it with `ca`",
    )

    ca: FilePath | None = None
    """PEM certificates of the authorities to trust besides the system's."""

    certificate: FilePath | None = None
    """PEM certificate that the client shows; needs `key`."""

    key: FilePath | None = None
    """PEM private key of `certificate`."""

    @model_validator(mode="after")
    def _comes_in_pairs(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            given, wanted = ("certificate", "key") if self.key is None else ("key", "certificate")
            raise value_error(f"has {given} without {wanted}")
        return self


class CredentialsSection(Section):
    """Who we are to the registry; without it, where docker, podman and skopeo keep logins."""

    explained: ClassVar = dict.fromkeys(
        ("password", "token", "secret", "identity-token"),
        "a secret does not stand in a config, which gets copied and shown; "
        "name a file with `password-file`, or a variable with `password-env`",
    )

    username: Text | None = None
    """The name to log in with."""

    password_file: FilePath | None = None
    """File with the password; one newline at its end does not count."""

    password_env: Variable | None = None
    """Environment variable that holds the password."""

    helper: Helper | None = None
    """Credential helper to ask instead; it knows the user name too."""

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        ways = {
            "password-file": self.password_file,
            "password-env": self.password_env,
            "helper": self.helper,
        }
        given = [name for name, value in ways.items() if value is not None]
        if len(given) != 1:
            found = f"has {' and '.join(given)}" if given else "has no password"
            raise value_error(found, "give exactly one of password-file, password-env, helper")
        if self.helper is None and self.username is None:
            raise value_error("has no username")
        if self.helper is not None and self.username is not None:
            raise value_error("has a username, which the helper gives", "take username out")
        return self


class RegistrySection(Section):
    """One registry, under its host as references name it (`docker.io`, `reg.lan:5000`)."""

    explained: ClassVar = {
        "insecure": "certificates are always verified; `plain-http: true` speaks http",
        **dict.fromkeys(
            ("username", "password", "password-file", "password-env", "helper"),
            "credentials stand below `credentials`",
        ),
        **dict.fromkeys(("ca", "certificate", "key"), "certificates stand below `tls`"),
    }

    plain_http: Flag | None = None
    """Speak http. When not set, http is spoken to loopback addresses only, and to those only as
    long as no certificate is set for them."""

    tls: TlsSection = TlsSection()
    """Certificates."""

    mirrors: Annotated[tuple[PullMirror, ...], OneOrMany] = ()
    """Where to pull from before the registry itself, in this order. A mirror is a registry of its
    own: its certificates and credentials stand under its own host."""

    credentials: CredentialsSection | None = None
    """Who we are."""

    requests_per_second: Number | None = None
    """The most requests to start in a second."""

    concurrency: Count = 6
    """The most blobs to transfer at once in each direction."""

    bandwidth: Rate | None = None
    """The most bytes of blobs in a time, both directions together."""

    @model_validator(mode="after")
    def _speaks_one_protocol(self) -> Self:
        if self.plain_http and self.tls != TlsSection():
            raise value_error("has plain-http: true and certificates", "take one of them out")
        return self
