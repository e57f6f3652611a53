"""The config file as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from airgap.config.daemon import DaemonSection
from airgap.config.mirroring import MirrorEntry
from airgap.config.protection import TrustSection
from airgap.config.registries import RegistrySection
from airgap.config.scalars import (
    Channel,
    DatabaseUrl,
    FilePath,
    Flag,
    Host,
    Placeholder,
    value_error,
)
from airgap.config.section import Section
from airgap.config.serving import ServeSection
from airgap.config.transfer import DeliverySection, ExportChannel, ImportChannel


class Verbosity(StrEnum):
    """How much is told while work goes on."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"
    DEBUG = "debug"

    @property
    def level(self) -> int:
        """The number that ``-q`` (-1) and ``-v`` (1, 2) stand for."""
        return list(Verbosity).index(self) - 1


class DatabaseSection(Section):
    """A PostgreSQL database."""

    explained: ClassVar = {
        "password": "a secret does not stand in a config, which gets copied and shown; "
        "name a file with `password-file`",
    }

    url: DatabaseUrl
    """Where it is. Options after `?` are those of libpq, such as `sslmode=verify-full`.
    `$AIRGAP_DATABASE` goes first."""

    password_file: FilePath | None = None
    """File with the password; one newline at its end does not count. Without it, libpq's own ways
    are taken: `~/.pgpass`, `$PGPASSWORD`, a certificate, the user of the system."""


class StoreSection(Section):
    """The local store."""

    path: FilePath | None = None
    """Its folder. `--store` and `$AIRGAP_STORE` go first; when nothing is set, `airgap/store` in
    the user's data folder."""

    database: DatabaseSection | None = None
    """The PostgreSQL database that the catalog is in, for several machines that share the store.
    Without it, a file in the store."""

    sync: Flag = True
    """Wait until what was written is on the disk. `false` is faster, and a power cut may damage
    what was written last."""


class LogSection(Section):
    """What is told while work goes on."""

    verbosity: Verbosity = Verbosity.NORMAL
    """`quiet` tells errors only, `verbose` each decision, `debug` everything; `-q` and `-v` on the
    command line go first."""


class Config(Section):
    """Everything that the file can say; without a file, the defaults."""

    explained: ClassVar = {
        "imports": "the section is called `import`",
        "exports": "the section is called `export`",
        "mirrors": "write `mirror` for what to mirror; a registry's mirrors stand below it",
        "registry": "the section is called `registries`",
        "server": "the section is called `serve`",
    }

    store: StoreSection = StoreSection()
    """The local store."""

    log: LogSection = LogSection()
    """What is told while work goes on."""

    registries: Annotated[Mapping[Host, RegistrySection], Placeholder("HOST")] = Field(
        default_factory=dict
    )
    """How each registry is talked to, by its host as references name it."""

    mirror: tuple[MirrorEntry, ...] = ()
    """What `airgap mirror` takes from upstream."""

    exports: Annotated[Mapping[Channel, ExportChannel], Placeholder("CHANNEL")] = Field(
        default_factory=dict, alias="export"
    )
    """What `airgap export` writes, by the name of who it is for."""

    imports: Annotated[Mapping[Channel, ImportChannel], Placeholder("CHANNEL")] = Field(
        default_factory=dict, alias="import"
    )
    """What `airgap import` does, by the name of who sends."""

    trust: TrustSection = TrustSection()
    """Which keys bundles that come in are checked and opened with."""

    push: DeliverySection = DeliverySection()
    """Where `airgap push` pushes to."""

    serve: ServeSection = ServeSection()
    """What `airgap serve` serves, and to whom."""

    daemon: DaemonSection = DaemonSection()
    """What `airgap daemon` does by itself."""

    @model_validator(mode="after")
    def _daemon_names_what_there_is(self) -> Self:
        problem = self.daemon.problem(frozenset(self.exports))
        if problem is not None:
            raise value_error(problem)
        return self

    def registry(self, host: str) -> RegistrySection:
        """Return what is set for a host, else the defaults."""
        return self.registries.get(host) or RegistrySection()
