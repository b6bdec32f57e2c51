"""The keys at one allow-listed address, fetched when they are needed and kept for a while.

Knows: when to fetch again. Fresh keys are used as they are; older ones are used while others are fetched on the side;
keys past their time are waited for, and used for a bounded time more when nothing can be had (stale-if-error). An
unknown kid leads to a fetch too, but not more often than the brake allows, so that made-up tokens cannot make this
service a nuisance.
Must not know: how a key set comes over the wire (the caller gives fetch); tokens.
"""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cds_service.trust.jwks import Key

log = logging.getLogger(__name__)

Fetch = Callable[[], Sequence[Key] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """In seconds.

    fresh, old, stale: ages up to which keys are used as they are, while others are fetched, if none can be had.
    brake: between two fetches for unknown kids. pause: after a fetch that failed.
    wait: how long a call waits for a fetch; the fetch itself goes on. lost: when another one is begun in its place.
    """

    fresh: float = 300
    old: float = 600
    stale: float = 24 * 3600
    brake: float = 30
    pause: float = 5
    wait: float = 2.5
    lost: float = 30


class NoKeys(Exception):
    """The keys of a client cannot be had at the moment, so nobody can tell whether the token is genuine."""


class KeySet:
    """Keys of one address, shared by all threads of a process."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float], times: Times | None = None) -> None:
        self._fetch, self._clock, self._times = fetch, clock, times or Times()
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._fetched_at = -math.inf
        self._failed_at = -math.inf
        self._searched_at = -math.inf
        self._started_at = -math.inf
        self._running: threading.Event | None = None

    def find(self, kid: str) -> Key | None:
        """The key of this id; None when there is none.

        Raises: NoKeys.
        """
        age = self._age()
        if age > self._times.fresh:
            self._refresh(wait=age > self._times.old)
        if self._age() > self._times.stale:
            raise NoKeys
        return self._keys.get(kid) or self._search(kid)

    def _search(self, kid: str) -> Key | None:
        """Look for new keys, if that was not done a moment ago."""
        with self._lock:
            now = self._clock()
            if now - self._searched_at < self._times.brake:
                return None
            self._searched_at = now
        self._refresh(wait=True)
        return self._keys.get(kid)

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _refresh(self, *, wait: bool) -> None:
        """Fetch in a thread of its own, one at a time; nothing when that failed a moment ago."""
        with self._lock:
            done, now = self._running, self._clock()
            if done is None or now - self._started_at > self._times.lost:
                if now - self._failed_at < self._times.pause:
                    return
                self._started_at = now
                done = self._running = threading.Event()
                threading.Thread(target=self._run, args=(done,), name="jwks-fetch", daemon=True).start()
        if wait:
            done.wait(self._times.wait)

    def _run(self, done: threading.Event) -> None:
        try:
            keys = self._fetch()
            if keys is None:
                self._failed_at = self._clock()
                log.warning("keys not fetched")
            else:
                self._keys = {key.kid: key for key in keys}
                self._fetched_at = self._clock()
        finally:
            with self._lock:
                if self._running is done:
                    self._running = None
            done.set()


class PinnedKeys:
    """Keys that were exchanged out of band."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = {key.kid: key for key in keys}

    def find(self, kid: str) -> Key | None:
        """The key of this id."""
        return self._keys.get(kid)
