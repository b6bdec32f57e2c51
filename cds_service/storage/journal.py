"""The journal of decisions: what was decided by which content, how long it took; never about whom.

Knows: SQLAlchemy Core, SQLite and PostgreSQL, one table (its columns are the fields of DecisionRecord).
Must not know: requests, resources, Flask.

A call hands its record over and goes on; one background thread per process writes. Nothing here can fail a call: a full
queue drops the record, a database that cannot be reached loses the batch, and both are counted.
"""

import logging
import queue
import threading
import time
from datetime import UTC
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from cds_service.storage.records import DecisionRecord

log = logging.getLogger(__name__)

QUEUE_SIZE = 10_000
BATCH_SIZE = 500
# how long a record may wait for company, and how soon the end of the process is noticed
FLUSH_SECONDS = 0.5

metadata = sa.MetaData()
decision = sa.Table(
    "decision",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("service", sa.String(100), nullable=False),
    sa.Column("hook", sa.String(60), nullable=False),
    sa.Column("tenant", sa.String(60)),
    sa.Column("hook_instance_hash", sa.String(64)),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("tier", sa.String(10)),
    sa.Column("headline", sa.String(20)),
    sa.Column("rules", sa.JSON, nullable=False),
    sa.Column("cards", sa.Integer, nullable=False),
    sa.Column("gaps", sa.JSON, nullable=False),
    sa.Column("content_version", sa.String(40), nullable=False),
    sa.Column("content_digest", sa.String(80), nullable=False),
    sa.Column("read_ms", sa.Float, nullable=False),
    sa.Column("decide_ms", sa.Float, nullable=False),
    sa.Column("answer_ms", sa.Float, nullable=False),
)


class UnusableDatabase(Exception):
    """The URL cannot name a journal."""


class Journal:
    """Takes records without waiting and writes them in the background.

    failures: batches that could not be written. dropped: records lost, by these or because the queue was full.
    """

    def __init__(self, url: str, queue_size: int = QUEUE_SIZE) -> None:
        self.failures = 0
        self.dropped = 0
        self._queue: queue.SimpleQueue[DecisionRecord] = queue.SimpleQueue()
        self._queue_size = queue_size
        self._engine = _engine(url)
        self._ready = False
        self._closing = threading.Event()
        self._start = threading.Lock()
        self._writer: threading.Thread | None = None

    def record(self, entry: DecisionRecord) -> None:
        """Hand a record over. Never waits, never raises."""
        if self._queue.qsize() >= self._queue_size:
            self.dropped += 1
            return
        self._queue.put(entry)
        if self._writer is None:
            self._start_writer()

    def close(self) -> None:
        """Write what is waiting and end the background thread."""
        self._closing.set()
        if self._writer is not None:
            self._writer.join()
        self._write_waiting()
        self._engine.dispose()

    def _start_writer(self) -> None:
        """Start the thread with the first record, so that it lives in the process that serves and not in its parent."""
        with self._start:
            if self._writer is None:
                # Not a daemon, said outright: a thread that a foreign server thread starts would be one. So the
                # interpreter waits for it at its end, and it notices that the main thread is done.
                self._writer = threading.Thread(target=self._write_until_closed, name="journal", daemon=False)
                self._writer.start()

    def _write_until_closed(self) -> None:
        main = threading.main_thread()
        while main.is_alive() and not self._closing.wait(FLUSH_SECONDS):
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        while batch := self._batch():
            try:
                self._write(batch)
            except (SQLAlchemyError, OSError) as error:
                self.failures += 1
                self.dropped += len(batch)
                # the type only: messages of drivers quote addresses, passwords and values
                log.warning(
                    "journal failed",
                    extra={"error": type(error).__name__, "failures": self.failures, "lost": len(batch)},
                )

    def _batch(self) -> list[dict[str, object]]:
        batch: list[dict[str, object]] = []
        while len(batch) < BATCH_SIZE:
            try:
                entry = self._queue.get_nowait()
            except queue.Empty:
                break
            batch.append(entry.as_row() | {"at": entry.at.astimezone(UTC)})  # SQLite keeps no zone
        return batch

    def _write(self, batch: list[dict[str, object]]) -> None:
        if not self._ready:
            self._prepare()
            self._ready = True
        with self._engine.begin() as connection:
            connection.execute(decision.insert(), batch)

    def _prepare(self) -> None:
        """Make folder and table where they are missing; another process may be doing the same."""
        database = self._engine.url.database
        if self._engine.dialect.name == "sqlite" and database and database != ":memory:":
            Path(database).parent.mkdir(parents=True, exist_ok=True)
        try:
            metadata.create_all(self._engine)
        except SQLAlchemyError:
            time.sleep(0.2)
            metadata.create_all(self._engine)  # lost the race: now they are there, or the trouble is real


def _engine(url: str) -> sa.Engine:
    """An engine that has not connected yet.

    Raises: UnusableDatabase, without the address, for it may hold a password.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            engine = sa.create_engine(parsed, connect_args={"timeout": 5})
            sa.event.listen(engine, "connect", _tune_sqlite)
            return engine
        if backend == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
            return sa.create_engine(parsed, pool_pre_ping=True, pool_size=1, connect_args={"connect_timeout": 5})
    except ArgumentError:
        raise UnusableDatabase("is no database URL such as sqlite:///var/journal.sqlite3") from None
    except ModuleNotFoundError:
        raise UnusableDatabase("needs the extra postgres: pip install 'calcinosis-cds[postgres]'") from None
    raise UnusableDatabase("names another database than SQLite or PostgreSQL")


def _tune_sqlite(connection: object, _record: object) -> None:
    """Let readers and several writing processes get along. Source: SQLite, "Write-Ahead Logging"."""
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
