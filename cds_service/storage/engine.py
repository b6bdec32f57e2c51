"""Engines for the one database of the service: SQLite in a file, or PostgreSQL.

Knows: SQLAlchemy, and how the two are tuned so that several processes get along.
Must not know: tables.
"""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

WAIT_SECONDS = 5
# what a database that is away, full, busy or broken raises; the texts quote addresses and values
FAILURES = (SQLAlchemyError, OSError)


class UnusableDatabase(Exception):
    """The URL cannot name the service's database; told without the address, for it may hold a password."""


def engine_of(
    url: str, *, durable: bool = False, reads: bool = False, pooled: bool = True, wait: float = WAIT_SECONDS
) -> sa.Engine:
    """An engine that has not connected yet. Its connections are good for one process only.

    durable: a commit has reached the disk when it returns, also on SQLite.
    reads: for single reading statements, without transactions.
    wait: how long SQLite waits for another writer, and how long connecting to PostgreSQL may take, in seconds.

    Raises: UnusableDatabase.
    """
    parsed = _parsed(url)
    pool = {} if pooled else {"poolclass": sa.NullPool}
    level = {"isolation_level": "AUTOCOMMIT"} if reads else {}
    if parsed.get_backend_name() == "sqlite":
        engine = sa.create_engine(parsed, connect_args={"timeout": wait}, **pool, **level)
        sa.event.listen(engine, "connect", _tuned(durable=durable, reads=reads))
        if not reads:
            sa.event.listen(engine, "begin", _begin_writing)
        return engine
    try:
        return sa.create_engine(
            parsed, pool_pre_ping=True, connect_args={"connect_timeout": int(wait)}, **pool, **level
        )
    except ModuleNotFoundError:
        raise UnusableDatabase("needs the extra postgres: pip install 'calcinosis-cds[postgres]'") from None


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database, None for PostgreSQL.

    Raises: UnusableDatabase.
    """
    parsed = _parsed(url)
    return Path(str(parsed.database)) if parsed.get_backend_name() == "sqlite" else None


def _parsed(url: str) -> sa.URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ModuleNotFoundError):
        raise UnusableDatabase("is no database URL such as sqlite:///var/journal.sqlite3") from None
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise UnusableDatabase("names another database than SQLite or PostgreSQL")
    if not parsed.database or parsed.database == ":memory:":
        raise UnusableDatabase("names no file; SQLite in memory would forget everything")
    return parsed


def _tuned(*, durable: bool, reads: bool):  # type: ignore[no-untyped-def]  # the driver's connection has no common type
    """What each new SQLite connection is told. Sources: SQLite, "Write-Ahead Logging"; SQLAlchemy, "Pysqlite"."""

    def tune(connection, _record):  # type: ignore[no-untyped-def]
        cursor = connection.cursor()
        if not reads:
            connection.isolation_level = None  # the driver begins no transactions of its own; _begin_writing does
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        cursor.close()

    return tune


def _begin_writing(connection: sa.Connection) -> None:
    """Take the right to write at once: a transaction that reads first and writes later could be refused in between."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
