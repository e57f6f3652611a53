"""The password file: ``name:bcrypt`` lines as ``htpasswd -B`` writes them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from airgap.errors import ConfigError

_BCRYPT = re.compile(r"\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}", re.ASCII)
_BCRYPT_BYTES = 72
"""bcrypt looks at no more of a password; htpasswd and Apache cut it there too."""

_REMEMBER_SECONDS = 300.0
_REMEMBER_COUNT = 1000
_CHECKS_AT_ONCE = 2


def parse_htpasswd(text: str, what: str) -> dict[str, bytes]:
    """Read a password file: users and their bcrypt hashes.

    Args:
        text: one ``name:hash`` a line; empty lines and ``#`` comments are skipped.
        what: the file's name, for errors.

    Raises:
        ConfigError: a line is of another form, its hash is not bcrypt, or a user stands twice.
    """
    users: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        name, colon, hashed = entry.partition(":")
        where = f"{what}:{number}"
        if not colon or not name:
            raise ConfigError(where, "is not a line of the form name:hash")
        if not _BCRYPT.fullmatch(hashed):
            raise ConfigError(
                where, f"the password of {name} is not bcrypt", f"run: htpasswd -B {what} {name}"
            )
        if name in users:
            raise ConfigError(where, f"{name} stands in the file twice")
        users[name] = hashed.encode("ascii")
    return users


@dataclass(frozen=True, slots=True)
class _Snapshot:
    users: Mapping[str, bytes]
    version: tuple[int, int]


class Accounts:
    """Checks passwords against the file, which is read again when it changes.

    bcrypt is slow on purpose, so what was right a short while ago is remembered (as a keyed hash,
    never the password), and no more than two checks run at once however many requests come.
    """

    def __init__(self, path: Path, snapshot: _Snapshot, bcrypt: ModuleType) -> None:
        self._path = path
        self._snapshot = snapshot
        self._bcrypt = bcrypt
        self._secret = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._turns = asyncio.Semaphore(_CHECKS_AT_ONCE)
        # Somebody unknown must not be told apart by how fast he is refused.
        self._nobody: bytes = bcrypt.hashpw(secrets.token_bytes(16), bcrypt.gensalt(rounds=10))

    @classmethod
    def load(cls, path: Path) -> Accounts:
        """Read the file; blocking.

        Raises:
            ConfigError: the file cannot be read or has a wrong line, or bcrypt is not installed.
        """
        try:
            import bcrypt  # noqa: PLC0415 - optional: only a server with passwords needs it
        except ImportError:
            raise ConfigError(
                f"{path}",
                "checking passwords needs the bcrypt package",
                "install it: pip install 'airgap[serve]'",
            ) from None
        return cls(path, _read(path), bcrypt)

    async def check(self, name: str, password: str) -> bool:
        """Tell whether a password is that of a user.

        Raises:
            ConfigError: the file has changed and can no longer be read.
        """
        await self._refresh()
        hashed = self._snapshot.users.get(name)
        stored = hashed if hashed is not None else self._nobody
        seen = hmac.digest(self._secret, b"\0".join((stored, password.encode())), hashlib.sha256)
        if hashed is not None and self._known.get(seen, 0.0) > time.monotonic():
            return True
        async with self._turns:
            right = await asyncio.to_thread(self._matches, password, stored)
        if hashed is None or not right:
            return False
        self._known[seen] = time.monotonic() + _REMEMBER_SECONDS
        while len(self._known) > _REMEMBER_COUNT:
            self._known.popitem(last=False)
        return True

    def _matches(self, password: str, stored: bytes) -> bool:
        matches: bool = self._bcrypt.checkpw(password.encode()[:_BCRYPT_BYTES], stored)
        return matches

    async def _refresh(self) -> None:
        version = await asyncio.to_thread(_version, self._path)
        if version != self._snapshot.version:
            self._snapshot = await asyncio.to_thread(_read, self._path)


def _version(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise ConfigError(f"{path}", f"cannot be read ({error.strerror})") from None
    return (status.st_mtime_ns, status.st_ino)


def _read(path: Path) -> _Snapshot:
    version = _version(path)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}", f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}", "is not UTF-8 text") from None
    return _Snapshot(parse_htpasswd(text, f"{path}"), version)
