"""Locks that hold across machines: advisory locks of the PostgreSQL database that they share.

They belong to one connection of each open store and are gone with it, so nobody who dies leaves a
lock behind. A lock that is waited for gets a connection of its own, on which the server lets those
who wait come in turn, and nobody before them who came later.

A connection can be lost while its owner lives, though, and somebody else takes what it held.
Therefore each also holds a number that nobody else knows, and what is to happen only under a lock
is confirmed in the transaction that writes it: whoever can take that number finds that the
connection is gone.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from math import inf
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Connection, Engine, Select, bindparam, func, select, text
from sqlalchemy.exc import DBAPIError

from airgap.store.locks import Lock, LockLost, take
from airgap.store.postgres import Server, explained_by, is_timeout

_LOOKING_SECONDS = 5.0

Result = TypeVar("Result")

_KEY = bindparam("key", type_=BigInteger)
_TRY_EXCLUSIVE = select(func.pg_try_advisory_lock(_KEY))
_TRY_SHARED = select(func.pg_try_advisory_lock_shared(_KEY))
_QUEUE_EXCLUSIVE = select(func.pg_advisory_lock(_KEY))
_QUEUE_SHARED = select(func.pg_advisory_lock_shared(_KEY))
_UNLOCK_EXCLUSIVE = select(func.pg_advisory_unlock(_KEY))
_UNLOCK_SHARED = select(func.pg_advisory_unlock_shared(_KEY))
_IS_GONE = select(func.pg_try_advisory_xact_lock_shared(_KEY))
_HOLDER = text(
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.mode = 'ExclusiveLock'"
    " AND ((l.classid::bigint << 32) | l.objid::bigint) = :key"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def lock_key(schema: str, name: str) -> int:
    """Return the number of 64 bits, signed, that stands for a lock of the store in a schema."""
    named = f"{schema}\0{name}".encode()
    number = blake2b(named, digest_size=8, person=b"airgap").digest()
    return int.from_bytes(number, "big", signed=True)


@dataclass(slots=True)
class _Standing:
    """How often a lock is held by one connection."""

    shared: int = 0
    exclusive: bool = False


@dataclass(eq=False, slots=True)
class _Session:
    """The connection that holds locks, as long as it does.

    Attributes:
        connection: autocommitting.
        identity: the number that it holds as long as it lives.
        held: by name.
        is_lost: it is gone, and all that it held with it.
    """

    connection: Connection
    identity: int
    held: dict[str, _Standing] = field(default_factory=dict)
    is_lost: bool = False

    def close(self) -> None:
        """Let go of all that it holds; a second time does nothing."""
        self.is_lost = True
        self.held.clear()
        if not self.connection.closed:
            self.connection.invalidate()
            self.connection.close()


class PostgresLock:
    """A lock of one connection."""

    def __init__(self, locks: PostgresLocks, session: _Session, name: str, *, alone: bool) -> None:
        self.name = name
        self.alone = alone
        self.session = session
        self._locks = locks
        self._is_held = True

    @property
    def is_held(self) -> bool:
        """Whether it was not let go of, and not known to be lost."""
        return self._is_held and not self.session.is_lost

    def confirm(self, connection: Connection) -> None:
        """Make sure, within a transaction that writes, that the lock has been held all along."""
        if not self.session.is_lost:
            self.session.is_lost = bool(
                connection.execute(_IS_GONE, {"key": self.session.identity}).scalar()
            )
        if not self.is_held:
            raise LockLost(
                self._locks.server.name,
                "the connection was lost that held our locks on the store",
                "nothing was written after that; do it again",
            )

    def release(self) -> None:
        """Let go; a second time does nothing."""
        if self._is_held:
            self._is_held = False
            self._locks.let_go(self)


class PostgresLocks:
    """The locks of one open store, in the database of its catalog."""

    def __init__(self, server: Server, own: Path) -> None:
        """Hold none yet.

        Args:
            server: where the catalog is.
            own: the folder of what is the store's own, which the names of files begin at.
        """
        self.server = server
        self._own = own.absolute()
        self._engine: Engine = server.engine_for_locks()
        self._guard = threading.Lock()
        self._session: _Session | None = None

    def try_exclusive(self, name: str) -> Lock | None:
        """Take a lock that nobody else holds in any way; None where somebody does."""

        def attempt(session: _Session) -> Lock | None:
            if name in session.held or not self._ask(session, _TRY_EXCLUSIVE, name):
                return None
            session.held[name] = _Standing(exclusive=True)
            return PostgresLock(self, session, name, alone=True)

        return self._connected(attempt)

    def try_shared(self, name: str) -> Lock | None:
        """Take a lock that others may share; None where somebody holds it exclusively."""

        def attempt(session: _Session) -> Lock | None:
            standing = session.held.get(name)
            if standing is None:
                if not self._ask(session, _TRY_SHARED, name):
                    return None
                standing = session.held[name] = _Standing()
            elif standing.exclusive:
                return None
            standing.shared += 1
            return PostgresLock(self, session, name, alone=False)

        return self._connected(attempt)

    def wait(self, name: str, *, alone: bool, patience: float) -> Lock | None:
        """Take a lock, exclusively or shared, as soon as the others let go of it."""
        lock = self.try_exclusive(name) if alone else self.try_shared(name)
        if lock is not None or not patience:
            return lock
        with explained_by(self.server.explain):
            session = self._begin()
            milliseconds = max(1, round(patience * 1000)) if patience < inf else 0
            statement = _QUEUE_EXCLUSIVE if alone else _QUEUE_SHARED
            try:
                session.connection.exec_driver_sql(f"SET lock_timeout = {milliseconds}")
                session.connection.execute(statement, {"key": self._key(name)})
                session.held[name] = _Standing(int(not alone), alone)
            except DBAPIError as error:
                session.close()
                if is_timeout(error):
                    return None
                raise
        return PostgresLock(self, session, name, alone=alone)

    def open_file(self, path: Path, flags: int) -> tuple[int, Lock | None]:
        """Open a file of the store's own, and lock it."""
        # Locked first: what a file server says on opening is then what the holder before has left.
        lock = self.try_exclusive(self._name_of(path))
        try:
            return os.open(path, flags | os.O_CLOEXEC, 0o666), lock
        except OSError:
            if lock is not None:
                lock.release()
            raise

    def put_file(self, temporary: Path, path: Path, before: Lock | None) -> Lock:
        """Give a new file its name, locked from the first moment that it has it."""
        if isinstance(before, PostgresLock) and before.is_held:
            temporary.replace(path)
            return before
        # Somebody may be looking right now whether whoever had it lives.
        lock = take(self, self._name_of(path), alone=True, patience=_LOOKING_SECONDS)
        try:
            temporary.replace(path)
        except OSError:
            lock.release()
            raise
        return lock

    def holder(self, name: str) -> str:
        """Say in a few words who holds a lock exclusively."""

        def look(session: _Session) -> str:
            found = session.connection.execute(_HOLDER, {"key": self._key(name)}).scalar()
            return str(found) if found else "another process"

        return self._connected(look)

    def close(self) -> None:
        """Let go of everything."""
        with self._guard:
            if self._session is not None:
                self._session.close()
                self._session = None
            self._engine.dispose()

    def let_go(self, lock: PostgresLock) -> None:
        """Let go of one taking of a lock."""
        with self._guard:
            session = lock.session
            if session.is_lost:
                return
            standing = session.held[lock.name]
            standing.shared -= not lock.alone
            if standing.shared > 0:
                return
            del session.held[lock.name]
            unlock = _UNLOCK_EXCLUSIVE if lock.alone else _UNLOCK_SHARED
            try:
                session.connection.execute(unlock, {"key": self._key(lock.name)})
            except DBAPIError:
                # Gone is the connection, and so is the lock.
                self._lose(session)
            if session is not self._session:
                session.close()

    def _name_of(self, path: Path) -> str:
        return f"file:{path.absolute().relative_to(self._own)}"

    def _key(self, name: str) -> int:
        return lock_key(self.server.schema, name)

    def _ask(self, session: _Session, question: Select[Any], name: str) -> bool:
        return bool(session.connection.execute(question, {"key": self._key(name)}).scalar())

    def _connected(self, work: Callable[[_Session], Result]) -> Result:
        """Work on the connection; on a new one where it turns out to be lost."""
        with self._guard, explained_by(self.server.explain):
            session = self._session
            if session is not None and not session.is_lost:
                try:
                    return work(session)
                except DBAPIError:
                    # What it held is lost, and those who hold it find out when they confirm it.
                    self._lose(session)
            elif session is not None:
                self._lose(session)
            self._session = self._begin()
            return work(self._session)

    def _begin(self) -> _Session:
        connection = self._engine.connect()
        try:
            identity = secrets.randbits(63)
            connection.execute(_TRY_EXCLUSIVE, {"key": identity})
        except BaseException:
            connection.close()
            raise
        return _Session(connection, identity)

    def _lose(self, session: _Session) -> None:
        session.close()
        if self._session is session:
            self._session = None
