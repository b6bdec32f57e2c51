"""What became of the cards: feedback, in the database before the caller hears that it is.

Knows: SQLAlchemy Core, the table feedback.
Must not know: how feedback looks on its way here.
"""

from collections.abc import Sequence

from cds_service.storage.engine import FAILURES, WAIT_SECONDS, engine_of, insert_new
from cds_service.storage.records import FeedbackItem, StoreAway
from cds_service.storage.schema import feedback
from cds_service.storage.within import Within

_PATIENCE_S = WAIT_SECONDS + 1.0


class FeedbackStore:
    """Takes feedback, each card, outcome and time of a client once, however often and by however many it is sent."""

    def __init__(self, url: str) -> None:
        self.failures = 0
        self._engine = engine_of(url, durable=True)
        self._within = Within(_PATIENCE_S)

    def keep(self, items: Sequence[FeedbackItem]) -> None:
        """Keep all items or none; when it returns they have reached the disk.

        Raises: StoreAway; of a database that was only too slow they may yet get there, and once.
        """
        # in one order for all, so that two batches with common items cannot wait for each other
        rows = sorted((item.as_row() for item in items), key=_order)
        try:
            self._within(lambda: self._insert(rows))
        except FAILURES as error:
            self.failures += 1
            raise StoreAway(type(error).__name__) from None

    def _insert(self, rows: list[dict[str, object]]) -> None:
        with self._engine.begin() as connection:
            insert_new(connection, feedback, rows)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


def _order(row: dict[str, object]) -> tuple[str, str, str]:
    return str(row["card"]), str(row["outcome"]), str(row["outcome_at"])
