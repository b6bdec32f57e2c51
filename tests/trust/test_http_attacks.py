"""What is tried with HTTP itself: addresses, headers, methods, compression, origins."""

import gzip
import json
import zlib

import pytest
from flask.testing import FlaskClient

from tests.calls import EXPLAIN, PATIENT_VIEW, call, critical_call, healthy_call, patient

INJECTED = "x\r\nX-Injected: yes\r\n\r\n<script>"


@pytest.mark.parametrize(
    "path",
    [
        "/cds-services/",
        "/cds-services//metastatic-calcification-patient-view",
        f"{PATIENT_VIEW}/",
        f"{PATIENT_VIEW};a=b",
        f"{PATIENT_VIEW}%00",
        f"{PATIENT_VIEW}%0d%0aX-Injected:%20yes",
        f"{PATIENT_VIEW}%2f..%2fother",
        f"{PATIENT_VIEW.upper()}",
        "/cds-services/../healthz",
        "/cds-services/%2e%2e/healthz",
        "/cds-services/..%2f..%2fetc%2fpasswd",
        "/cds-services/..\\healthz",
        "/cds-services/%c0%ae%c0%ae/healthz",
        "/static/../cds_service/app.py",
        "/" + "a" * 20_000,
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_that_only_looks_like_a_service_is_unknown(client: FlaskClient, path: str, method: str) -> None:
    body = critical_call() if method == "POST" else None
    answer = client.open(path, method=method, json=body)
    assert answer.status_code in {404, 405}
    assert answer.get_json()["resourceType"] == "OperationOutcome"
    assert "Location" not in answer.headers
    assert "X-Injected" not in answer.headers


def test_nothing_of_a_request_becomes_a_header(client: FlaskClient) -> None:
    changes: list[dict[str, object]] = [
        {"hook": INJECTED},
        {"hookInstance": INJECTED},
        {"context": {"userId": f"Practitioner/{INJECTED}", "patientId": INJECTED}},
        {"fhirServer": f"https://ehr.example.org/{INJECTED}"},
        {"prefetch": {INJECTED: {"resourceType": INJECTED}, "patient": patient(name=[{"text": INJECTED}])}},
    ]
    for change in changes:
        answer = client.post(PATIENT_VIEW, json=critical_call() | change)
        assert answer.status_code in {200, 400, 412}
        assert "Injected" not in str(answer.headers)
    answer = client.post(
        PATIENT_VIEW, json=critical_call(), headers={"X-Forwarded-Host": "stranger.example", "Host": "x"}
    )
    assert "stranger" not in answer.text + str(answer.headers)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND"])
def test_another_method_is_refused_and_no_header_changes_it(client: FlaskClient, method: str) -> None:
    answer = client.open(PATIENT_VIEW, method=method, json=critical_call())
    assert answer.status_code == 405
    asked = client.get(PATIENT_VIEW, headers={"X-HTTP-Method-Override": "POST"})
    assert asked.status_code == 405


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x-gzip", "gzip, gzip", "GZIP", "identity, gzip"])
def test_a_compressed_bomb_is_not_unfolded(client: FlaskClient, coding: str) -> None:
    bomb = {"deflate": zlib.compress}.get(coding, gzip.compress)(b" " * 50_000_000)
    answer = client.post(
        PATIENT_VIEW, data=bomb, headers={"Content-Type": "application/json", "Content-Encoding": coding}
    )
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "origin",
    [
        "https://stranger.example",
        "null",
        "http://localhost.stranger.example",
        "http://stranger.example:5173",
        "http://localhost:5173.stranger.example",
        "http://127.0.0.1@stranger.example",
        "file://",
        "*",
    ],
)
def test_a_strange_origin_is_not_reflected(client: FlaskClient, origin: str) -> None:
    for method in ("OPTIONS", "POST"):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        answer = client.open(PATIENT_VIEW, method=method, json=healthy_call(), headers=asked)
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_of_two_members_of_one_name_the_last_is_read_everywhere(client: FlaskClient) -> None:
    """Readers differ on duplicates. Ours has one reading, so that no check looks at another value than the rules."""
    text = json.dumps(call(extension={EXPLAIN: True}))
    twice = text.replace('"patientId": "x1"', '"patientId": "other", "patientId": "x1"')
    assert twice != text
    told = client.post(PATIENT_VIEW, data=twice, content_type="application/json")
    plain = client.post(PATIENT_VIEW, data=text, content_type="application/json")
    assert told.status_code == plain.status_code
    other = text.replace('"patientId": "x1"', '"patientId": "x1", "patientId": "other"')
    assert client.post(PATIENT_VIEW, data=other, content_type="application/json").status_code == 412  # another's data
