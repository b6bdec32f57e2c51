"""How many calls are worked on at once, and how many may wait.

Knows: that a call beyond that is better told to come back than kept until its client has given up.
Must not know: what a call is.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cds_service.hooks.refusal import HookError

RETRY_AFTER_S: Final = 2


class Turns:
    """at_once: calls that are worked on at the same time; waiting: that may wait for that, each for patience_s."""

    def __init__(self, at_once: int, waiting: int, patience_s: float) -> None:
        self._free = threading.BoundedSemaphore(at_once)
        self._seats = threading.BoundedSemaphore(at_once + waiting)
        self._patience_s = patience_s

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Work on a call. Raises: HookError with 503 when too many others are there, or none ends in time."""
        if not self._seats.acquire(blocking=False):
            raise _busy()
        try:
            if not self._free.acquire(timeout=self._patience_s):
                raise _busy()
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._seats.release()


def _busy() -> HookError:
    return HookError(
        503,
        "throttled",
        "Too many calls at once; no guidance was computed.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )
