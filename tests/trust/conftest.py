"""A service with one client, whose keys are in its file, and the ways to call it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.conftest import NOW, Notes, counting_ids
from tests.trust.key_server import KeyServer
from tests.trust.keys import BASE, ISSUER, ec_key, key_set, public, rsa_key

Guarded = Callable[..., FlaskClient]


@pytest.fixture
def guarded(tmp_path: Path, catalog: Catalog, notes: Notes) -> Guarded:
    """Makes a client of a service that checks callers; rest: more lines of the client's table, then settings."""
    (tmp_path / "keys.json").write_text(
        key_set(public(ec_key()), public(rsa_key(), kid="r1"), public(ec_key(curve="P-256"), kid="p256"))
    )

    def make(rest: str = "", keys: str = 'jwks_file = "keys.json"', **given: object) -> FlaskClient:
        file = tmp_path / "tenants.toml"
        file.write_text(f'[clients.general]\nissuers = ["{ISSUER}"]\n{keys}\n{rest}\n')
        settings = read_settings(
            {}, **{"database_url": "", "workers": 1, "tenants_file": str(file), "public_url": BASE} | given
        )
        app = create_app(settings, clock=lambda: NOW, new_id=counting_ids(), catalog=catalog, journal=notes)
        return app.test_client()

    return make


@pytest.fixture
def service(guarded: Guarded) -> FlaskClient:
    return guarded()


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    served = KeyServer()
    yield served
    served.server.shutdown()
    served.server.server_close()
