"""Credentials where docker, podman and skopeo keep them: found, stored, erased."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airgap.errors import ConfigError, ContentMismatch, NotFound, NotPermitted
from airgap.registry.credential_helpers import CredentialHelper
from airgap.registry.credentials import MAX_FILE_SIZE, CredentialFile, places
from airgap.registry.settings import Login


class CredentialStore:
    """The files and helpers of one user."""

    def __init__(self, environ: Mapping[str, str], home: Path | None) -> None:
        self._environ = environ
        self.files = places(environ, home)

    async def find(self, host: str, path: str = "") -> Login | None:
        """Return the credentials for a repository, or for a whole registry; None where none are.

        In each file the helper named for the host is asked first, then the file itself.

        Raises:
            AccessDenied: a helper fails.
            ConfigError: a file cannot be read as what it should be.
            NotFound: a helper that a file names is not installed.
            NotPermitted: a file may not be read.
        """
        for place in self.files:
            content = await asyncio.to_thread(_read, place)
            if content is None:
                continue
            if (name := content.helper_of(host)) is not None:
                login = await self._helper(name, place).get(host)
                if login is not None:
                    return login
            try:
                login = content.login_of(host, path)
            except ContentMismatch as error:
                raise ConfigError(error.thing, error.cause, "log in again") from None
            if login is not None:
                return login
        return None

    async def store(self, host: str, login: Login) -> str:
        """Keep credentials of a host; return where.

        They go to the first file that names the host already, since an earlier file hides a later
        one; else to the first file there is; else to docker's, which every tool reads.

        Raises:
            AccessDenied: a helper fails.
            ConfigError: a file cannot be read as what it should be.
            NotFound: a helper that a file names is not installed.
            NotPermitted: the file may not be written.
        """
        place, content = await asyncio.to_thread(self._where_to_store, host)
        name = content.helper_of(host)
        if name is None:
            await asyncio.to_thread(_write, place, content.with_login(host, login))
            return str(place)
        helper = self._helper(name, place)
        await helper.store(host, login)
        # Docker lists by these entries which hosts a helper knows.
        await asyncio.to_thread(_write, place, content.with_login(host, None))
        return helper.program

    async def erase(self, host: str) -> tuple[str, ...]:
        """Forget a host's credentials everywhere; return where they were.

        Raises:
            AccessDenied: a helper fails.
            ConfigError: a file cannot be read as what it should be.
            NotFound: a helper that a file names is not installed.
            NotPermitted: a file may not be written.
        """
        erased: list[str] = []
        for place in self.files:
            content = await asyncio.to_thread(_read, place)
            if content is None:
                continue
            if (name := content.helper_of(host)) is not None:
                helper = self._helper(name, place)
                if await helper.get(host) is not None:
                    await helper.erase(host)
                    erased.append(helper.program)
            if content.names(host):
                await asyncio.to_thread(_write, place, content.without(host))
                erased.append(str(place))
        return tuple(erased)

    def _helper(self, name: str, place: Path) -> CredentialHelper:
        try:
            return CredentialHelper(name, self._environ)
        except ContentMismatch as error:
            raise ConfigError(str(place), f"{error.thing} {error.cause}") from None

    def _where_to_store(self, host: str) -> tuple[Path, CredentialFile]:
        contents = [(place, _read(place)) for place in self.files]
        existing = [(place, content) for place, content in contents if content is not None]
        for place, content in existing:
            if content.names(host):
                return place, content
        if existing:
            return existing[0]
        if not self.files:
            raise NotFound(
                "home folder", "there is none to keep credentials in", "set REGISTRY_AUTH_FILE"
            )
        return self.files[-1], CredentialFile({}, str(self.files[-1]))


def _read(place: Path) -> CredentialFile | None:
    try:
        with place.open("rb") as file:
            raw = file.read(MAX_FILE_SIZE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise NotPermitted(str(place), f"cannot be read: {error.strerror}") from error
    if not raw.strip():
        return CredentialFile({}, str(place))
    try:
        return CredentialFile.parse(raw, str(place))
    except ContentMismatch as error:
        raise ConfigError(str(place), error.cause, "repair it, or move it away") from None


def _write(place: Path, document: Mapping[str, Any]) -> None:
    # A link is followed: people keep the file in a repository of dot files.
    place = place.resolve()
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".auth-", dir=place.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(document, file, indent="\t", ensure_ascii=False)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(place)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise NotPermitted(str(place), f"cannot be written: {error.strerror}") from error
