"""The catalog's database: connections, transactions, and what can go wrong with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine, QueuePool, Table, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.exc import DBAPIError

from airgap.errors import AirgapError, NoSpace, NotPermitted, StoreUnusable

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert

    from airgap.store.locks import Lock

BUSY_SECONDS = 30
"""How long a transaction waits for another process's."""

_REBUILD = "make it anew with `airgap store rebuild`"

CHUNK = 500
"""Values in one IN list; far below what any database takes."""

Item = TypeVar("Item")
Row = Mapping[str, Any]


class Database:
    """Short transactions on the catalog. Everything here blocks; use it in worker threads."""

    def __init__(
        self, reading: Engine, writing: Engine, explain: Callable[[DBAPIError], AirgapError]
    ) -> None:
        """Hold a database.

        Args:
            reading: how it is reached by whoever reads.
            writing: the same for whoever writes; its transactions wait for each other.
            explain: returns the error that a person should see.
        """
        self._reading = reading
        self._writing = writing
        self._explain = explain

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view of the catalog."""
        with self._explained(), self._reading.begin() as connection:
            yield connection

    @contextmanager
    def writing(self, *under: Lock) -> Iterator[Connection]:
        """One transaction that writes, all or nothing; there is one at a time.

        Args:
            under: what must be held until it ends.

        Raises:
            LockLost: one of those was not; nothing has been written.
        """
        with self._explained(), self._writing.begin() as connection:
            yield connection
            for lock in under:
                lock.confirm(connection)

    def confirm(self, *held: Lock) -> None:
        """Make sure that locks have been held all along.

        Raises:
            LockLost: one of them was not.
        """
        with self.writing(*held):
            pass

    def close(self) -> None:
        """Close all connections."""
        self._reading.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._explain(error) from error


def open_sqlite(path: Path, *, sync: bool, writable: bool, remedy: str = _REBUILD) -> Database:
    """Open a database in a file, which is made where it is not there and may be written."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: _connect(path, sync=sync, writable=writable),
        pool_size=4,
        max_overflow=2,
        poolclass=QueuePool,
    )
    event.listen(engine, "begin", _begin)
    writing = engine.execution_options(airgap_writes=True)
    return Database(engine, writing, lambda error: _translate(error, str(path), remedy))


def _connect(path: Path, *, sync: bool, writable: bool) -> sqlite3.Connection:
    if writable:
        query = "mode=rwc"
    else:
        # On read-only media nobody else writes, and there can be no lock or WAL files.
        log = path.with_name(path.name + "-wal")
        query = "mode=ro" if log.exists() else "mode=ro&immutable=1"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{query}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    if writable:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'FULL' if sync else 'OFF'}")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _begin(connection: Connection) -> None:
    # Python's own transaction control would begin late and as a reader; a reader that becomes a
    # writer fails at once where it should wait.
    writes = connection.get_execution_options().get("airgap_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _translate(error: DBAPIError, name: str, remedy: str) -> AirgapError:
    code = getattr(error.orig, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    reason = str(error.orig)
    if primary == sqlite3.SQLITE_FULL:
        return NoSpace(name, reason, "free some space, or put the store on a larger disk")
    if primary in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN}:
        return NotPermitted(name, reason, "see that you may write to the store's folder")
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreUnusable(
            name,
            f"another process has been writing for {BUSY_SECONDS} seconds",
            "try again when it is done",
        )
    if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return StoreUnusable(name, f"is damaged ({reason})", remedy)
    return StoreUnusable(name, f"failed: {reason}", "run `airgap store fsck`")


def chunks(values: Iterable[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """Yield the values in lists of ``size`` at most, for IN lists."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert those rows whose key is not there yet."""
    if rows:
        statement = _insert(connection, table).on_conflict_do_nothing()
        connection.execute(statement, rows)


def insert_or_replace(
    connection: Connection, table: Table, rows: Sequence[Row], *, replaced: Sequence[str]
) -> None:
    """Insert rows; where the key is there already the columns of ``replaced`` take new values."""
    if rows:
        statement = _insert(connection, table)
        statement = statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={name: statement.excluded[name] for name in replaced},
        )
        connection.execute(statement, rows)


def _insert(connection: Connection, table: Table) -> SqliteInsert | PostgresInsert:
    if connection.dialect.name == "postgresql":
        # The dialect is large, and a store on a disk never needs it.
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - see above

        return postgresql.insert(table)
    return sqlite.insert(table)
