"""The journal of decisions: what was decided by which content, how long it took; never about whom.

Knows: SQLAlchemy Core, two tables: decisions and the cards that went out.
Must not know: requests, resources, Flask.

A call hands its record over and goes on; one background thread per process writes. Nothing here can fail a call: a full
queue drops the record, a database that cannot be reached loses the batch, and both are counted.
"""

import logging
import queue
import threading

from cds_service.storage.engine import FAILURES, engine_of, insert_new
from cds_service.storage.records import DecisionRecord
from cds_service.storage.schema import decision, shown_card

log = logging.getLogger(__name__)

STRANGER = "401"
QUEUE_SIZE = 10_000
BATCH_SIZE = 500
# how long a record may wait for company, and how soon the end of the process is noticed
FLUSH_SECONDS = 0.5


class Journal:
    """Takes records without waiting and writes them in the background.

    failures: batches that could not be written.
    dropped, dropped_cards: records and cards lost, by these or because the queue was full.
    """

    def __init__(self, url: str, queue_size: int = QUEUE_SIZE) -> None:
        self.failures = 0
        self.dropped = 0
        self.dropped_cards = 0
        self._queue: queue.SimpleQueue[DecisionRecord] = queue.SimpleQueue()
        self._queue_size = queue_size
        self._engine = engine_of(url)
        self._closing = threading.Event()
        self._start = threading.Lock()
        self._writer: threading.Thread | None = None

    def record(self, entry: DecisionRecord) -> None:
        """Hand a record over. Never waits, never raises. Strangers are counted and logged, but cannot fill the disk."""
        if entry.outcome == STRANGER:
            return
        if self._queue.qsize() >= self._queue_size:
            self.dropped += 1
            self.dropped_cards += len(entry.shown)
            return
        self._queue.put(entry)
        if self._writer is None:
            self._start_writer()

    def close(self) -> None:
        """Write what is waiting and end the background thread."""
        self._closing.set()
        if self._writer is not None:
            self._writer.join()
        self.flush()
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
            self.flush()
        self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        while batch := self._batch():
            try:
                self._write(batch)
            except FAILURES as error:
                self.failures += 1
                cards = sum(len(entry.shown) for entry in batch)
                self.dropped += len(batch)
                self.dropped_cards += cards
                # the type only: messages of drivers quote addresses, passwords and values
                log.warning(
                    "journal failed",
                    extra={
                        "error": type(error).__name__,
                        "failures": self.failures,
                        "lost": len(batch),
                        "lost_cards": cards,
                    },
                )

    def _batch(self) -> list[DecisionRecord]:
        batch: list[DecisionRecord] = []
        while len(batch) < BATCH_SIZE:
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return batch

    def _write(self, batch: list[DecisionRecord]) -> None:
        cards = [card.as_row() for entry in batch for card in entry.shown]
        with self._engine.begin() as connection:
            connection.execute(decision.insert(), [entry.as_row() for entry in batch])
            if cards:
                insert_new(connection, shown_card, cards)
