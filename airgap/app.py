"""The composition root: from the config and the environment to open places.

Only this module knows the config's sections and the adapters' settings at once.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airgap.config.loading import find_config, load_config
from airgap.config.model import Config
from airgap.config.registries import CredentialsSection, RegistrySection
from airgap.config.secrets import password_in, read_password
from airgap.config.transfer import ImportChannel
from airgap.content.events import Emit, discard
from airgap.errors import NotPermitted, Refused
from airgap.oci.platform import Platform
from airgap.registry.settings import ClientSettings, HostSettings, Login, SchemePolicy
from airgap.store.address import DatabaseAddress

if TYPE_CHECKING:
    from airgap.bundle.signatures import SignaturePolicy
    from airgap.engine.engine import Engine
    from airgap.registry.client import RegistryClient
    from airgap.registry.credential_store import CredentialStore
    from airgap.store.store import Store


@dataclass(frozen=True, slots=True)
class App:
    """A program that knows its config and its environment, and opens places for the use cases.

    Attributes:
        config: what the config file says; the defaults where there is none.
        environ: the environment variables.
        store_option: the store's folder from the command line.
        plain_http: plain http is allowed for every host.
    """

    config: Config = field(default_factory=Config)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    store_option: Path | None = None
    plain_http: bool = False

    @classmethod
    def start(
        cls,
        config_file: Path | None = None,
        store: Path | None = None,
        *,
        plain_http: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> App:
        """Load the config, if there is one.

        Raises:
            ConfigError: the file does not say what it must.
            NotFound: a file was named and is not there.
        """
        environ = os.environ if environ is None else environ
        found = find_config(config_file, environ)
        config = load_config(found) if found is not None else Config()
        return cls(config, environ, store, plain_http)

    @property
    def store_path(self) -> Path:
        """The store's folder: the option, ``$AIRGAP_STORE``, the config, the user's data folder."""
        if self.store_option is not None:
            return self.store_option
        if self.environ.get("AIRGAP_STORE"):
            return Path(self.environ["AIRGAP_STORE"])
        if self.config.store.path is not None:
            return self.config.store.path
        data = self.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
        return Path(data) / "airgap" / "store"

    @property
    def database_address(self) -> DatabaseAddress | None:
        """Where the catalog is: ``$AIRGAP_DATABASE``, the config; None for a file in the store.

        Raises:
            NotFound, NotPermitted, ConfigError: its password cannot be read.
        """
        section = self.config.store.database
        url = self.environ.get("AIRGAP_DATABASE") or (section.url if section else None)
        if not url:
            return None
        password_file = section.password_file if section else None
        return DatabaseAddress(url, password_in(password_file) if password_file else None)

    def open_store(
        self, *, create: bool = False, long_lived: bool = False
    ) -> AbstractAsyncContextManager[Store]:
        """Open the local store."""
        # Each adapter costs a tenth of a second to load, and many commands need only one of them.
        from airgap.store.store import Store  # noqa: PLC0415 - see above

        return Store.open(
            self.store_path,
            self.database_address,
            create=create,
            sync=self.config.store.sync,
            long_lived=long_lived,
        )

    def signature_policy(
        self, channel: str | None, signers: Sequence[Path] = (), threshold: int | None = None
    ) -> SignaturePolicy:
        """Return whose signatures a bundle of a channel needs.

        What a bundle says of its channel is not to be believed before it is checked, so naming a
        channel without signers must not help where others have some.

        Args:
            channel: what the bundle says.
            signers: public keys that count instead of the config's.
            threshold: how many must have signed, instead of what the config says.

        Raises:
            Refused: only other channels have signers.
            NotFound, NotPermitted, UsageError, Unsupported: a public key cannot be read.
            ConfigError: more must sign than there are signers.
        """
        from airgap.bundle.keys import load_public_key  # noqa: PLC0415 - loads OpenSSL
        from airgap.bundle.signatures import SignaturePolicy  # noqa: PLC0415 - likewise

        trust, imports = self.config.trust, self.config.imports
        section = imports.get(channel or "") or ImportChannel()
        paths = signers or section.signers or trust.signers
        if not paths and any(other.signers for other in imports.values()):
            raise Refused(
                f"the bundle, of channel {channel}" if channel else "the bundle, of no channel",
                "no signers are configured for it, and for other channels there are",
                "name signers for all bundles (trust: signers)",
            )
        wanted = threshold or section.threshold or trust.threshold
        return SignaturePolicy(tuple(map(load_public_key, paths)), wanted)

    def read_signers(self) -> None:
        """Read every public key that the config names, so that a missing one is found early.

        Raises:
            NotFound, NotPermitted, UsageError, Unsupported: a public key cannot be read.
        """
        from airgap.bundle.keys import load_public_key  # noqa: PLC0415 - loads OpenSSL

        paths = [*self.config.trust.signers]
        for channel in self.config.imports.values():
            paths += channel.signers
        for path in dict.fromkeys(paths):
            load_public_key(path)

    def registries(self, emit: Emit = discard) -> RegistryClient:
        """Return the client for all registries; an async context manager.

        Raises:
            ConfigError: a password's file or variable is not there.
        """
        from airgap.registry.client import RegistryClient  # noqa: PLC0415 - see open_store

        hosts = {
            host: self._host_settings(section) for host, section in self.config.registries.items()
        }
        default = self._host_settings(RegistrySection())
        settings = ClientSettings(hosts, default, environ=self.environ, home=Path.home())
        return RegistryClient(settings, emit)

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[Engine]:
        """Open the Docker Engine that ``DOCKER_HOST`` names, else the one of this machine."""
        from airgap.engine.client import EngineAddress, EngineClient  # noqa: PLC0415 - likewise
        from airgap.engine.engine import Engine  # noqa: PLC0415 - likewise

        async with EngineClient(EngineAddress.from_environment(self.environ)) as client:
            yield Engine(client)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Make a folder in ``$TMPDIR``, else in /var/tmp, where there is more room than in /tmp.

        Raises:
            NotPermitted: it cannot be made there.
        """
        place = self.environ.get("TMPDIR") or "/var/tmp"  # noqa: S108 - for files of any size
        try:
            folder = tempfile.TemporaryDirectory(prefix="airgap-", dir=place)
        except OSError as error:
            raise NotPermitted(
                place,
                f"cannot be written to: {error.strerror}",
                "set TMPDIR to a folder for files that are needed for a while",
            ) from None
        with folder as path:
            yield Path(path)

    @property
    def platform(self) -> Platform:
        """The platform of this machine's containers."""
        return Platform.parse(f"linux/{platform.machine() or 'amd64'}")

    def credentials(self) -> CredentialStore:
        """Return where docker, podman and skopeo keep the logins of this user."""
        from airgap.registry.credential_store import CredentialStore  # noqa: PLC0415 - likewise

        return CredentialStore(self.environ, Path.home())

    def _host_settings(self, section: RegistrySection) -> HostSettings:
        return HostSettings(
            scheme=self._scheme(section),
            ca_file=section.tls.ca,
            client_cert=section.tls.certificate,
            client_key=section.tls.key,
            mirrors=tuple(map(str, section.mirrors)),
            login=self._login(section.credentials) if section.credentials else None,
            helper=section.credentials.helper if section.credentials else None,
            requests_per_second=section.requests_per_second,
            concurrency=section.concurrency,
            bytes_per_second=section.bandwidth,
        )

    def _scheme(self, section: RegistrySection) -> SchemePolicy:
        if section.plain_http is None:
            return SchemePolicy.PLAIN_HTTP if self.plain_http else SchemePolicy.AUTOMATIC
        return SchemePolicy.PLAIN_HTTP if section.plain_http else SchemePolicy.HTTPS

    def _login(self, section: CredentialsSection) -> Login | None:
        password = read_password(section, self.environ)
        return None if password is None else Login(section.username or "", password)
