"""Nobody waits for a database that stands still."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cds_service.storage.within import Within


@contextmanager
def standing_still() -> Iterator[threading.Event]:
    """An event that comes when the block ends."""
    gate = threading.Event()
    try:
        yield gate
    finally:
        gate.set()


def test_an_answer_in_time_comes_back_and_so_does_a_failure() -> None:
    within = Within(5)
    assert within(lambda: 7) == 7

    def fail() -> int:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        within(fail)


def test_who_asks_what_stands_still_is_told_so_at_the_agreed_time() -> None:
    with standing_still() as gate:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            Within(0.1)(gate.wait)
        assert time.monotonic() - began < 1


def test_no_more_threads_stay_behind_than_agreed_and_the_next_is_told_at_once() -> None:
    within = Within(0.05, most=2)
    with standing_still() as gate:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                within(gate.wait)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            within(lambda: True)
        assert time.monotonic() - began < 0.05
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:  # those that stayed behind have ended
        try:
            assert within(lambda: True)
            break
        except TimeoutError:
            time.sleep(0.01)
    else:
        pytest.fail("the places were not given back")
