"""The tokens that were seen, shared by all processes and replicas: a token counts once.

Knows: SQLAlchemy Core, one table with fingerprints and the times until which they count.
Must not know: tokens; who sent them.

The primary key decides: of two processes that see the same token at once, one can insert it.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from cds_service.storage.engine import FAILURES, engine_of
from cds_service.storage.schema import seen_token
from cds_service.storage.within import Within

# a call waits for this store, so it waits briefly
WAIT_SECONDS: Final = 1
_PATIENCE_S: Final = 2.5  # connecting alone may take two
_CLEARED_EVERY_S: Final = 60.0


class SeenTokens:
    """Remembers fingerprints until their tokens have expired."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine_of(url, wait=WAIT_SECONDS)
        self._within = Within(_PATIENCE_S)
        self._clock = clock
        self._lock = threading.Lock()
        self._cleared_at = clock()

    def first_time(self, fingerprint: str, *, until: datetime, now: datetime) -> bool | None:
        """Note the token; whether it was not noted before. None when the database cannot tell."""
        try:
            self._within(lambda: self._note(fingerprint, until.astimezone(UTC), now.astimezone(UTC)))
            return True
        except IntegrityError:
            return False
        except FAILURES:
            return None

    def _note(self, fingerprint: str, until: datetime, now: datetime) -> None:
        with self._engine.begin() as connection:
            if self._is_time_to_clear():
                connection.execute(sa.delete(seen_token).where(seen_token.c.until < now))
            connection.execute(sa.insert(seen_token).values(fingerprint=fingerprint, until=until))

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _is_time_to_clear(self) -> bool:
        """Every minute for one of the threads."""
        with self._lock:
            now = self._clock()
            if now - self._cleared_at < _CLEARED_EVERY_S:
                return False
            self._cleared_at = now
            return True
