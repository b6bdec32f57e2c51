"""The fixtures app, client and runner build on each other; clock and ids are fixed, nothing is written to disk."""

import itertools
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import Settings, read_settings
from cds_service.storage.records import DecisionRecord
from cds_service.terminology.catalog import Catalog
from cds_service.terminology.load import load_catalog

# a zone that is not UTC, so that a mixed-up zone shows
NOW = datetime(2026, 10, 12, 10, 30, tzinfo=timezone(timedelta(hours=2)))


class Notes:
    """A journal that keeps its records in a list."""

    def __init__(self) -> None:
        self.entries: list[DecisionRecord] = []

    def record(self, entry: DecisionRecord) -> None:
        self.entries.append(entry)

    def close(self) -> None:
        """Nothing waits."""


def counting_ids() -> Callable[[], str]:
    """Ids that can be told apart and foreseen: the first ends in 1."""
    numbers = itertools.count(1)
    return lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture
def settings() -> Settings:
    return read_settings({}, sandbox=True, database_url="")


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def app(settings: Settings, catalog: Catalog, notes: Notes) -> Flask:
    return create_app(settings, clock=lambda: NOW, new_id=counting_ids(), catalog=catalog, journal=notes)


@pytest.fixture
def client(app: Flask) -> Iterator[FlaskClient]:
    with app.test_client() as client:
        yield client


@pytest.fixture
def production(catalog: Catalog, notes: Notes) -> Iterator[FlaskClient]:
    """A client of the service with the settings of production."""
    app = create_app(
        read_settings({}, database_url=""), clock=lambda: NOW, new_id=counting_ids(), catalog=catalog, journal=notes
    )
    with app.test_client() as client:
        yield client


@pytest.fixture
def runner() -> Iterator[CliRunner]:
    """Runs commands; what `serve` sets up for logging is taken back."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    yield CliRunner()
    root.handlers[:] = handlers
