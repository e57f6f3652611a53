"""The hosts that a process talks to: made when they are first needed, shared from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from airgap.content.events import Emit
from airgap.oci.reference import Repository
from airgap.registry.endpoints import endpoint_of
from airgap.registry.exchange import Host
from airgap.registry.pacing import Pacer, Time
from airgap.registry.proxies import ProxyRules
from airgap.registry.settings import ClientSettings
from airgap.registry.tls import certificate_folders, find_tls_files, tls_context
from airgap.registry.transport import Transport


class Anonymous:
    """Nobody in particular."""

    async def header(self, scopes: object) -> str | None:
        """Send nothing."""
        return None

    async def challenged(self, challenges: object, scopes: object, refused: str | None) -> bool:
        """Have no answer."""
        return False


class Hosts:
    """Every host by name; an async context manager that owns their connections."""

    def __init__(self, settings: ClientSettings, emit: Emit, time: Time) -> None:
        self._settings = settings
        self._emit = emit
        self._time = time
        self._transport = Transport(settings.user_agent, ProxyRules.from_environ(settings.environ))
        self._hosts: dict[str, asyncio.Task[Host]] = {}
        self._pacers: dict[str, Pacer] = {}

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._transport.__aexit__(kind, error, traceback)

    async def to_pull(self, repository: Repository) -> Sequence[Host]:
        """Return where to pull a repository from: mirrors first, the registry itself last."""
        mirrors = self._settings.of(repository.domain).mirrors
        return [*[await self.of(mirror) for mirror in mirrors], await self.of(repository.domain)]

    async def of(self, place: str) -> Host:
        """Return a registry, or a mirror ``host[:port][/path/prefix]``.

        Raises:
            AirgapError: its TLS files cannot be used.
        """
        task = self._hosts.get(place)
        if task is None:
            task = self._hosts[place] = asyncio.create_task(self._make(place))
        return await asyncio.shield(task)

    async def _make(self, place: str) -> Host:
        name = place.partition("/")[0]
        settings = self._settings.of(name)
        files = await asyncio.to_thread(
            find_tls_files, name, settings, certificate_folders(self._settings)
        )
        endpoint = endpoint_of(place, settings, has_certificates=bool(files))
        tls = None
        if endpoint.base.scheme == "https":
            tls = await asyncio.to_thread(tls_context, name, files)
        return Host(
            endpoint,
            settings,
            transport=self._transport,
            tls=tls,
            authorizer=Anonymous(),
            pacer=self._pacers.setdefault(name, Pacer(settings, self._time)),
            time=self._time,
            emit=self._emit,
        )
