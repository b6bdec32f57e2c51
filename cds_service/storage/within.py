"""Questions to the database that nobody waits for longer than agreed.

Knows: threads, what a database raises.
Must not know: what is asked.

A server that stands still holds whoever asks it: time limits that it is told of need it to look at its clock, and those
of the network need the machine to be gone. So the question is asked by a thread of its own, which may stay behind.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from cds_service.storage.engine import FAILURES

T = TypeVar("T")
MOST_STAY_BEHIND = 16


class Within:
    """seconds: how long a question may take. most: how many may be under way, those that nobody waits for included."""

    def __init__(self, seconds: float, most: int = MOST_STAY_BEHIND) -> None:
        self._seconds = seconds
        self._free = threading.Semaphore(most)

    def __call__(self, ask: Callable[[], T]) -> T:
        """The answer. Raises: one of FAILURES; TimeoutError, which is one of them, when there is none in time."""
        if not self._free.acquire(blocking=False):
            raise TimeoutError
        return _Question(ask, self._free).answer(self._seconds)


class _Question(Generic[T]):
    def __init__(self, ask: Callable[[], T], free: threading.Semaphore) -> None:
        self._ask, self._free = ask, free
        self._answers: list[T] = []
        self._failure: Exception | None = None
        self._done = threading.Event()

    def answer(self, seconds: float) -> T:
        threading.Thread(target=self._work, name="store", daemon=True).start()
        if not self._done.wait(seconds):
            raise TimeoutError
        if self._failure is not None:
            raise self._failure
        return self._answers[0]

    def _work(self) -> None:
        try:
            self._answers.append(self._ask())
        except FAILURES as error:
            self._failure = error
        finally:
            self._free.release()
            self._done.set()
