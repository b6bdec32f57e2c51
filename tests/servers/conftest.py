"""Servers that other people wrote, run by `make servers-check`. Skipped with the reason where they are not installed;
with CI set that is a failure."""

import os
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.servers.sekmet import PROGRAM, Sekmet, serving

MISSING = "sekmet-fhir is not installed: `make servers-check` installs it, where a package index can be reached"


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    if PROGRAM.exists():
        return
    if os.environ.get("CI"):
        pytest.fail(MISSING)
    pytest.skip(MISSING)


@pytest.fixture(scope="session")
def strict(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sekmet]:
    """An open server that takes valid FHIR R4 alone."""
    with serving(tmp_path_factory.mktemp("strict"), validation="strict") as server:
        yield server


@pytest.fixture(scope="session")
def guarded(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sekmet]:
    """A server that wants a token, which lives for three seconds."""
    with serving(tmp_path_factory.mktemp("guarded"), guarded_for_s=3) as server:
        yield server


@pytest.fixture(scope="module")
def hospital(catalog: Catalog) -> Iterator[FlaskClient]:
    """The service, without a look at the validity of evidence; it takes the time from the call."""
    settings = read_settings({}, sandbox=True, validate_evidence=False, database_url="", fhir_timeout_s=60)
    with create_app(settings, catalog=catalog).test_client() as client:
        yield client
