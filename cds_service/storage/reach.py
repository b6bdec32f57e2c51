"""Whether the database can be written now: asked for those who send calls here, never on the way of a call.

Knows: SQLAlchemy Core, one row that is taken back.
Must not know: who needs to know.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from cds_service.storage.engine import FAILURES, engine_of
from cds_service.storage.schema import seen_token
from cds_service.storage.within import Within

WAIT_SECONDS: Final = 1
_PATIENCE_S: Final = 2.5  # connecting alone may take two
_HOLDS_S: Final = 1.0  # however many ask, the database is asked once a second
_PROBE: Final = {"fingerprint": "probe", "until": datetime(1970, 1, 1, tzinfo=UTC)}


class Reach:
    """Answers within _PATIENCE_S, and at once while somebody else is asking."""

    def __init__(self, url: str, ticks: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine_of(url, wait=WAIT_SECONDS)
        self._within = Within(_PATIENCE_S)
        self._ticks = ticks
        self._lock = threading.Lock()
        self._known: bool | None = None
        self._until = ticks()

    def __call__(self) -> bool:
        """Whether a row could be written."""
        known = self._known
        if not self._lock.acquire(blocking=known is None):
            return bool(known)
        try:
            if self._known is None or self._ticks() >= self._until:
                self._known = self._ask()
                self._until = self._ticks() + _HOLDS_S
            return self._known
        finally:
            self._lock.release()

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _ask(self) -> bool:
        try:
            self._within(self._write)
        except FAILURES:
            return False
        return True

    def _write(self) -> None:
        with self._engine.connect() as connection, connection.begin() as transaction:
            connection.execute(sa.insert(seen_token), _PROBE)
            transaction.rollback()
