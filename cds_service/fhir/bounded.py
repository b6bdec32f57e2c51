"""A dictionary that cannot grow without end.

Knows: its limit. Must not know: what is kept.
"""

from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

# Enough for every spelling of a hospital; a client that sends new ones without end only empties it.
_MOST: Final = 20_000
# Longer parts are no codes or ranges of this world; they are understood anew each time.
LONGEST_PART: Final = 2_000


class Bounded(dict[K, V], Generic[K, V]):
    """Starts afresh when it is full."""

    def keep(self, key: K, value: V) -> V:
        """Remember and return the value; nothing is kept under a key that is too long."""
        if not (isinstance(key, bytes) and len(key) > LONGEST_PART):
            if len(self) >= _MOST:
                self.clear()
            self[key] = value
        return value
