"""The hosts that a process talks to: made when they are first needed, shared from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Self

from airgap.content.events import Emit, Note
from airgap.errors import ConfigError, NotFound
from airgap.oci.reference import Repository
from airgap.registry.authorizer import FindLogin, RegistryAuthorizer
from airgap.registry.credential_helpers import CredentialHelper
from airgap.registry.credential_store import CredentialStore
from airgap.registry.endpoints import endpoint_of
from airgap.registry.exchange import Host
from airgap.registry.pacing import Pacer, Time
from airgap.registry.proxies import ProxyRules
from airgap.registry.settings import ClientSettings, Login
from airgap.registry.tls import HostTls, TlsFiles, certificate_folders, find_tls_files, host_tls
from airgap.registry.token_server import TokenServerConnection
from airgap.registry.transport import Transport


class Hosts:
    """Every host by name; an async context manager that owns their connections."""

    def __init__(self, settings: ClientSettings, emit: Emit, time: Time) -> None:
        self._settings = settings
        self._emit = emit
        self._time = time
        self._transport = Transport(settings.user_agent, ProxyRules.from_environ(settings.environ))
        self._hosts: dict[str, asyncio.Task[Host]] = {}
        self._pacers: dict[str, Pacer] = {}
        self._credentials = CredentialStore(settings.environ, settings.home)
        self._authorizers: list[RegistryAuthorizer] = []

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for authorizer in self._authorizers:
            await authorizer.close()
        await self._transport.__aexit__(kind, error, traceback)

    async def to_pull(self, repository: Repository) -> Sequence[Host]:
        """Return where to pull a repository from: mirrors first, the registry itself last."""
        places = self._settings.of(repository.domain).mirrors
        mirrors = [await self.of(place) for place in places]
        origin = await self.of(repository.domain)
        return [*(mirror for mirror in mirrors if not mirror.is_out_of_reach), origin]

    async def of(self, place: str) -> Host:
        """Return a registry, or a mirror ``host[:port][/path/prefix]``.

        Raises:
            AirgapError: its TLS files cannot be used.
        """
        task = self._hosts.get(place)
        if task is None:
            task = self._hosts[place] = asyncio.create_task(self._make(place))
            task.add_done_callback(partial(self._forget_failed, place))
        return await asyncio.shield(task)

    def _forget_failed(self, place: str, task: asyncio.Task[Host]) -> None:
        # A file that is put right while a daemon runs is read the next time.
        if task.cancelled() or task.exception() is not None:
            self._hosts.pop(place, None)

    async def knowing_only(self, name: str, find_login: FindLogin) -> Host:
        """Return a registry as one that has its credentials from ``find_login``, to check them.

        Raises:
            AirgapError: its TLS files cannot be used.
        """
        return await self._make(name, find_login)

    async def _make(self, place: str, find_login: FindLogin | None = None) -> Host:
        name = place.partition("/")[0]
        settings = self._settings.of(name)
        files = await self._tls_files(name)
        endpoint = endpoint_of(place, settings, has_certificates=bool(files))
        tls = HostTls(None, None)
        if endpoint.base.scheme == "https":
            tls = await asyncio.to_thread(host_tls, name, files)
        connection = TokenServerConnection(endpoint, settings, self._transport, tls.others)
        authorizer = RegistryAuthorizer(
            endpoint,
            self._time,
            find_login or partial(self._find_login, name),
            ask=connection.ask,
            ping=partial(connection.ping, tls.own),
        )
        self._authorizers.append(authorizer)
        return Host(
            endpoint,
            settings,
            transport=self._transport,
            tls=tls,
            authorizer=authorizer,
            pacer=self._pacers.setdefault(name, Pacer(settings, self._time)),
            time=self._time,
            emit=self._emit,
        )

    async def _tls_files(self, name: str) -> TlsFiles:
        folders = certificate_folders(self._settings)
        return await asyncio.to_thread(find_tls_files, name, self._settings.of(name), folders)

    async def _find_login(self, name: str, path: str) -> Login | None:
        settings = self._settings.of(name)
        if settings.login is not None:
            return settings.login
        if settings.helper is not None:
            return await self._ask_helper(name, settings.helper)
        try:
            return await self._credentials.find(name, path)
        except NotFound as error:
            # A helper that is gone must not keep us from what everybody may read.
            self._emit(Note("warning", f"{name}: {error}; going on without credentials"))
            return None

    async def _ask_helper(self, name: str, helper: str) -> Login | None:
        try:
            return await CredentialHelper(helper, self._settings.environ).get(name)
        except NotFound as error:
            # Whoever names a helper in the settings wants to be told that it is not there.
            raise ConfigError(
                f"credential helper of {name}", str(error), "install it, or take it out"
            ) from None
