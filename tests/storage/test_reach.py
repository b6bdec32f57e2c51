"""Whether the database can be written: true, bounded in time, and asked seldom."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from cds_service.storage.engine import engine_of
from cds_service.storage.reach import Reach
from cds_service.storage.schema import seen_token
from cds_service.storage.upgrade import upgrade
from tests.storage.databases import Server, sqlite_at


class Ticks:
    """A clock that is put forward by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


Make = Callable[[str], tuple[Reach, Ticks]]


@pytest.fixture
def reach_of() -> Iterator[Make]:
    """Makes a Reach and its clock; closes it in the end."""
    made: list[Reach] = []

    def make(url: str) -> tuple[Reach, Ticks]:
        ticks = Ticks()
        made.append(Reach(url, ticks))
        return made[-1], ticks

    yield make
    for each in made:
        each.close()


def rows(url: str) -> int | None:
    with engine_of(url, reads=True, pooled=False).connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(seen_token))


def test_a_database_with_its_tables_can_be_written_and_nothing_stays(empty: str, reach_of: Make) -> None:
    reach, ticks = reach_of(empty)
    assert reach() is False
    upgrade(empty)
    ticks.now = 1.1
    assert reach() is True
    assert rows(empty) == 0


def test_a_locked_file_is_found_out_in_time_and_found_open_again_a_second_later(tmp_path: Path, reach_of: Make) -> None:
    file = tmp_path / "journal.sqlite3"
    reach, ticks = reach_of(sqlite_at(file))
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin exclusive")
    began = time.monotonic()
    assert reach() is False
    assert time.monotonic() - began < 3
    other.execute("rollback")
    other.close()
    assert reach() is False  # not asked again so soon
    ticks.now = 1.1
    assert reach() is True


def test_who_asks_while_another_does_hears_what_is_known_at_once(tmp_path: Path, reach_of: Make) -> None:
    file = tmp_path / "journal.sqlite3"
    reach, ticks = reach_of(sqlite_at(file))
    assert reach() is True
    ticks.now = 1.1
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin exclusive")
    asking = threading.Thread(target=reach)
    asking.start()
    time.sleep(0.2)
    began = time.monotonic()
    assert reach() is True
    assert time.monotonic() - began < 0.5
    asking.join()
    other.close()
    assert reach() is False


@pytest.mark.store
def test_a_server_that_stands_still_is_found_out_in_time(server: Server, reach_of: Make) -> None:
    url = server.new_database()
    upgrade(url)
    reach, ticks = reach_of(url)
    assert reach() is True
    ticks.now = 1.1
    with server.standing_still():
        began = time.monotonic()
        assert reach() is False
        assert time.monotonic() - began < 4
    deadline = time.monotonic() + 10
    while not reach() and time.monotonic() < deadline:  # the question that stayed behind has its answer too
        ticks.now += 1.1
        time.sleep(0.2)
    assert reach() is True
