"""The headers that every answer carries."""

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.observe.web import HEADERS
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import PATIENT_VIEW, critical_call

REQUESTS = (
    ("GET", "/"),
    ("GET", "/cds-services"),
    ("POST", PATIENT_VIEW),
    ("POST", "/cds-services/none"),
    ("GET", PATIENT_VIEW),
    ("GET", "/none"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
)


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_every_answer_carries_the_headers(client: FlaskClient, method: str, path: str) -> None:
    for body in (critical_call(), {}):
        answer = client.open(path, method=method, json=body if method == "POST" else None)
        assert set(HEADERS) <= set(answer.headers.keys())
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "Strict-Transport-Security" not in answer.headers


def test_our_own_mistake_carries_the_headers_too(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from cds_service.hooks import routes

    monkeypatch.setattr(routes, "read_request", None)
    answer = client.post(PATIENT_VIEW, json=critical_call())
    assert answer.status_code == 500
    assert set(HEADERS) <= set(answer.headers.keys())


def test_browsers_are_held_to_tls_where_clients_come_by_tls(catalog: Catalog) -> None:
    settings = read_settings(
        {}, database_url="", public_url="https://cds.example.org", allow_unauthenticated="yes-i-understand"
    )
    answer = create_app(settings, catalog=catalog).test_client().get("/cds-services")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
