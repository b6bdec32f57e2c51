"""Databases: a fresh SQLite file, and one PostgreSQL server for all tests of a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.databases import Server, postgresql, sqlite_at


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An SQLite database with all tables."""
    return sqlite_at(tmp_path / "journal.sqlite3")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server; skips where none is installed, fails in CI."""
    with postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.store)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/deep/journal.sqlite3"
    server: Server = request.getfixturevalue("server")
    return server.new_database()
