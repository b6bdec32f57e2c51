"""Engines for the one database of the service: SQLite in a file, or PostgreSQL.

Knows: SQLAlchemy, and how the two are tuned so that several processes get along.
Must not know: tables.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
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
    reads: for single reading statements, without transactions; the database refuses to write.
    pooled: for a service; else for a command, which may take as long as it takes to change something.
    wait: seconds that SQLite waits for another writer, and that connecting to PostgreSQL, or its answer to a reader or
        a service, may take.

    Raises: UnusableDatabase.
    """
    parsed = _parsed(url)
    pool = {} if pooled else {"poolclass": sa.NullPool}
    level = {"isolation_level": "AUTOCOMMIT"} if reads else {}
    if parsed.get_backend_name() == "sqlite":
        if reads:  # a reader makes no file
            parsed = parsed.set(database=f"file:{quote(str(parsed.database))}", query={"mode": "ro", "uri": "true"})
        engine = sa.create_engine(parsed, connect_args={"timeout": wait}, **pool, **level)
        sa.event.listen(engine, "connect", _tuned(durable=durable, reads=reads))
        if not reads:
            sa.event.listen(engine, "begin", _begin_writing)
        return engine
    try:
        return sa.create_engine(
            parsed, pool_pre_ping=True, connect_args=_postgresql(reads, pooled, wait), **pool, **level
        )
    except ModuleNotFoundError:
        raise UnusableDatabase("needs the extra postgres: pip install 'calcinosis-cds[postgres]'") from None


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert the rows; one that a constraint of the table counts as known is left out."""
    insert = sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
    connection.execute(insert.on_conflict_do_nothing(), rows)


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
        if reads:
            cursor.execute("PRAGMA query_only=ON")
        else:
            connection.isolation_level = None  # the driver begins no transactions of its own; _begin_writing does
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        cursor.close()

    return tune


def _postgresql(reads: bool, pooled: bool, wait: float) -> dict[str, object]:
    """What the driver is told. Readers and services wait neither for a slow answer nor for a server that has gone."""
    told: dict[str, object] = {"connect_timeout": max(2, int(wait))}  # libpq takes 1 for 2
    if reads or pooled:
        milliseconds = int(wait * 1000)
        told["tcp_user_timeout"] = milliseconds
        told["options"] = f"-c statement_timeout={milliseconds}"
    if reads:
        told["options"] = f"{told['options']} -c default_transaction_read_only=on"
    return told


def _begin_writing(connection: sa.Connection) -> None:
    """Take the right to write at once: a transaction that reads first and writes later could be refused in between."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
