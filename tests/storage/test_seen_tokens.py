"""A token counts once, whichever process sees it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from cds_service.storage.seen_tokens import SeenTokens
from cds_service.storage.upgrade import upgrade

NOW = datetime(2026, 10, 12, 8, 30, tzinfo=UTC)
SOON = NOW + timedelta(minutes=5)


@pytest.fixture
def each(empty: str) -> str:
    """A database with all tables, once of each kind."""
    upgrade(empty)
    return empty


@pytest.fixture
def opened(each: str) -> Iterator[Callable[..., SeenTokens]]:
    """Opens the store, as another process would, and closes it in the end."""
    with ExitStack() as stack:
        yield lambda *clock: stack.enter_context(closing(SeenTokens(each, *clock)))


def test_a_token_is_new_once(opened: Callable[..., SeenTokens]) -> None:
    one, other = opened(), opened()  # as two processes
    assert one.first_time("a", until=SOON, now=NOW) is True
    assert [seen.first_time("a", until=SOON, now=NOW) for seen in (one, other)] == [False, False]
    assert other.first_time("b", until=SOON, now=NOW) is True
    assert one.first_time("b", until=SOON, now=NOW) is False


def test_of_many_that_see_it_at_once_one_is_the_first(opened: Callable[..., SeenTokens]) -> None:
    stores = [opened() for _ in range(4)]
    found: list[object] = []
    start = threading.Barrier(16)

    def see(number: int) -> None:
        start.wait()
        found.extend(stores[number % 4].first_time(name, until=SOON, now=NOW) for name in ("x", "y", "z"))

    threads = [threading.Thread(target=see, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found.count(True), found.count(False)) == (3, 45)


def test_what_has_expired_is_forgotten_every_minute(each: str, opened: Callable[..., SeenTokens]) -> None:
    clock = [0.0]
    seen = opened(lambda: clock[0])
    local = timezone(timedelta(hours=2))  # the zone of a time does not matter
    seen.first_time("old", until=(NOW + timedelta(seconds=1)).astimezone(local), now=NOW)
    seen.first_time("live", until=NOW + timedelta(hours=1), now=NOW.astimezone(local))
    clock[0] = 61.0
    later = NOW + timedelta(minutes=1)
    assert seen.first_time("new", until=later + timedelta(minutes=5), now=later) is True
    address = each.replace("postgresql://", "postgresql+psycopg://")
    with sa.create_engine(address, poolclass=sa.NullPool).connect() as connection:
        kept = connection.scalars(sa.text("SELECT fingerprint FROM seen_token ORDER BY fingerprint")).all()
    assert kept == ["live", "new"]


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///{folder}/none/journal.sqlite3",  # no such folder
        "sqlite:///{folder}/empty.sqlite3",  # no tables
        "postgresql://cds@127.0.0.1:9/cds",  # nobody there
    ],
)
def test_a_database_that_is_away_cannot_tell(tmp_path: Path, url: str) -> None:
    seen = SeenTokens(url.format(folder=tmp_path))
    assert seen.first_time("a", until=SOON, now=NOW) is None
