"""Which tokens were seen: a token counts once.

Knows: how long a token has to be remembered; that a memory may be out of reach.
Must not know: the token itself; it gets a fingerprint.
"""

import threading
from datetime import datetime
from typing import Final, Protocol

_MOST: Final = 200_000  # tokens of an hour at 50 calls a second


class Memory(Protocol):
    """Remembers fingerprints until their tokens have expired; storage/seen_tokens.py shares it among all processes."""

    def first_time(self, fingerprint: str, *, until: datetime, now: datetime) -> bool | None:
        """Note the token; whether it was not noted before. None when that cannot be told."""


class OwnMemory:
    """The memory of one process; enough where there is one."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._until: dict[str, datetime] = {}

    def first_time(self, fingerprint: str, *, until: datetime, now: datetime) -> bool | None:
        """Note the token; whether it was not noted before. None when there is no room for more."""
        with self._lock:
            if self._until.get(fingerprint, now) > now:
                return False
            if len(self._until) >= self._most:
                self._until = {name: end for name, end in self._until.items() if end > now}
                if len(self._until) >= self._most:
                    return None
            self._until[fingerprint] = until
            return True
