"""Which tokens were seen: a token counts once.

Knows: how long a token has to be remembered; that a memory may be out of reach.
Must not know: the token itself; it gets a fingerprint.
"""

import threading
from datetime import datetime
from typing import Final, Protocol

_MOST: Final = 200_000  # tokens of an hour at 50 calls a second


class MemoryAway(Exception):
    """It cannot be told whether the token was seen."""


class Memory(Protocol):
    """Remembers fingerprints until their tokens have expired; storage/seen_tokens.py shares it among all processes."""

    def first_time(self, fingerprint: str, *, until: datetime, now: datetime) -> bool:
        """Note the token; whether it was not noted before. Raises: MemoryAway."""


class OwnMemory:
    """The memory of one process; enough where there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[str, datetime] = {}

    def first_time(self, fingerprint: str, *, until: datetime, now: datetime) -> bool:
        """Note the token; whether it was not noted before. Raises: MemoryAway when it is full of live tokens."""
        with self._lock:
            if self._until.get(fingerprint, now) > now:
                return False
            if len(self._until) >= _MOST:
                self._until = {name: end for name, end in self._until.items() if end > now}
                if len(self._until) >= _MOST:
                    raise MemoryAway
            self._until[fingerprint] = until
            return True
