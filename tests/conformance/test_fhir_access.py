"""What the service reads for itself from the EHR's FHIR server, and with what."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import Json, calcium, patient, phosphate
from tests.conformance.conftest import complete, context_of, path_of, request_of, told
from tests.conftest import NOW
from tests.ehr import AUTHORIZATION, TOKEN, Ehr, running


def reading(service: Json, server: Ehr, **changes: Any) -> Json:
    """A call without any data, by a client that gives a token."""
    return request_of(
        service, **{"prefetch": ..., "fhirServer": server.url, "fhirAuthorization": AUTHORIZATION, **changes}
    )


@pytest.fixture
def other() -> Iterator[Ehr]:
    """A second FHIR server, which nobody may be sent to."""
    with running() as other:
        yield other


def test_ch_45_46_55_without_prefetch_the_service_reads_with_the_token_and_by_get(
    client: FlaskClient, offered: list[Json], server: Ehr
) -> None:
    for each in offered:
        whole = told(client.post(path_of(each), json=request_of(each)))
        assert told(client.post(path_of(each), json=reading(each, server))) == whole
    assert {asked.method for asked in server.asked} == {"GET"}
    assert {asked.token for asked in server.asked} == {f"Bearer {TOKEN}"}
    assert {asked.headers["Accept"] for asked in server.asked} == {"application/fhir+json"}


def test_ch_47_rb_26_each_call_reads_with_its_own_token(client: FlaskClient, offered: list[Json], server: Ehr) -> None:
    app = client.application
    server.held = {
        "Patient": [patient(id=f"p{number}") for number in range(6)],
        "Observation": [],
    }

    def fire(number: int) -> int:
        service = offered[number % len(offered)]
        own = {**AUTHORIZATION, "access_token": f"token-of-p{number}"}
        context = context_of(service["hook"], patientId=f"p{number}")
        with app.test_client() as caller:
            body = reading(service, server, fhirAuthorization=own, context=context)
            return caller.post(path_of(service), json=body).status_code

    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(fire, range(6))) == {200}
    for asked in server.asked:
        parts = urlsplit(asked.path)
        who = parse_qs(parts.query).get("patient", [parts.path.rpartition("/")[2]])[0]
        assert asked.token == f"Bearer token-of-{who}"


def test_ch_48_the_token_is_not_used_after_the_answer(client: FlaskClient, offered: list[Json], server: Ehr) -> None:
    client.post(path_of(offered[0]), json=reading(offered[0], server))
    asked = len(server.asked)
    assert asked > 0
    time.sleep(0.2)
    assert len(server.asked) == asked


@pytest.mark.parametrize("status", [401, 403])
def test_ch_49_a_server_that_refuses_leads_to_412(
    client: FlaskClient, offered: list[Json], server: Ehr, status: int
) -> None:
    server.status = status
    for each in offered:
        assert client.post(path_of(each), json=reading(each, server)).status_code == 412


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        (500, b""),
        (200, b'{"resourceType": "Bundle", "entry": [{"resou'),
        (200, b"<html>Please log in</html>"),
        (200, b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}'),
        (200, b""),
        (302, b""),
    ],
)
def test_ch_50_a_server_that_fails_or_answers_rubbish_leads_to_412(
    client: FlaskClient, offered: list[Json], server: Ehr, status: int, raw: bytes
) -> None:
    server.status, server.raw = status, raw
    for each in offered:
        assert client.post(path_of(each), json=reading(each, server)).status_code == 412


def test_ch_51_an_open_server_is_read_without_a_header(client: FlaskClient, offered: list[Json], server: Ehr) -> None:
    for each in offered:
        assert told(client.post(path_of(each), json=reading(each, server, fhirAuthorization=...)))
    assert {asked.token for asked in server.asked} == {None}


def test_ch_52_authorization_without_a_server_is_refused(client: FlaskClient, offered: list[Json], server: Ehr) -> None:
    for each in offered:
        answer = client.post(path_of(each), json=reading(each, server, fhirServer=...))
        assert answer.status_code == 400
        assert answer.get_json()["issue"][0]["expression"] == ["fhirServer"]


@pytest.mark.parametrize("member", ["access_token", "token_type", "expires_in", "scope", "subject"])
@pytest.mark.parametrize("wrong", [..., None, [], {"a": 1}, True])
def test_ch_53_broken_authorization_is_refused_and_nothing_is_read(
    client: FlaskClient, offered: list[Json], server: Ehr, member: str, wrong: object
) -> None:
    broken = {name: value for name, value in {**AUTHORIZATION, member: wrong}.items() if value is not ...}
    for each in offered:
        answer = client.post(path_of(each), json=reading(each, server, fhirAuthorization=broken))
        assert answer.status_code == 400
    assert server.asked == []


def test_ch_54_reads_stay_with_the_patient_of_the_call(client: FlaskClient, offered: list[Json], server: Ehr) -> None:
    for each in offered:
        context = context_of(each["hook"], encounterId="e1")
        client.post(path_of(each), json=reading(each, server, context=context))
    for asked in server.asked:
        parts = urlsplit(asked.path)
        assert parts.path.endswith(("/Patient/x1", "/Encounter/e1")) or parse_qs(parts.query)["patient"] == ["x1"]


@pytest.mark.parametrize("status", [200, 401, 500])
def test_ch_56_139_the_token_comes_back_in_no_answer_and_no_log(
    client: FlaskClient,
    offered: list[Json],
    server: Ehr,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    server.status = status
    for each in offered:
        for body in (
            reading(each, server),
            reading(each, server, hookInstance="bad"),
            reading(each, server, fhirAuthorization={**AUTHORIZATION, "expires_in": TOKEN}),
        ):
            answer = client.post(path_of(each), json=body)
            assert TOKEN not in answer.text + str(answer.headers)
    assert caplog.records
    assert TOKEN not in "".join(str(record.__dict__) for record in caplog.records)


def test_ch_57_searches_are_read_through_all_pages(client: FlaskClient, offered: list[Json], server: Ehr) -> None:
    old = [calcium(9.0, id=f"old-{n}", effectiveDateTime=f"2026-0{n}-01T08:00:00Z") for n in range(1, 5)]
    server.held["Observation"] = [*old, calcium(10.5), phosphate(7.5)]
    for each in offered:
        server.page_size = None
        whole = told(client.post(path_of(each), json=reading(each, server)))
        server.page_size = 1
        assert told(client.post(path_of(each), json=reading(each, server))) == whole


def test_ch_58_in_production_a_server_without_tls_is_refused(
    production: FlaskClient, offered: list[Json], server: Ehr
) -> None:
    for each in offered:
        answer = production.post(path_of(each), json=reading(each, server))
        assert answer.status_code == 400
        assert "https" in answer.get_json()["issue"][0]["diagnostics"]
    assert server.asked == []


# ---- beyond the standard ---------------------------------------------------------------------------------------------


def test_rb_07_a_hanging_server_costs_one_caller_a_bounded_time(
    catalog: Catalog, offered: list[Json], server: Ehr
) -> None:
    server.wait_s = 1.5
    settings = read_settings({}, sandbox=True, database_url="", fhir_timeout_s=0.5)
    app = create_app(settings, clock=lambda: NOW, catalog=catalog)

    def hang() -> tuple[int, float]:
        started = time.perf_counter()
        with app.test_client() as caller:
            status = caller.post(path_of(offered[0]), json=reading(offered[0], server)).status_code
        return status, time.perf_counter() - started

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(hang)
        with app.test_client() as caller:
            assert told(caller.post(path_of(offered[0]), json=request_of(offered[0])))
        status, took = slow.result()
    assert status == 412
    assert took < 1.4, "the deadline counts, not the server"


@pytest.mark.parametrize(
    "hostile",
    [
        "http://169.254.169.254/latest",
        "https://ehr.example.org/fhir",
        "http://127.0.0.1.example.org/fhir",
        "http://user@127.0.0.1/fhir",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "//127.0.0.1/fhir",
        "http://127.0.0.1/fhir#@ehr.example.org",
    ],
)
def test_rb_27_a_server_that_is_not_allowed_is_never_asked(
    client: FlaskClient, offered: list[Json], hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr("socket.create_connection", asked)
    monkeypatch.setattr("socket.getaddrinfo", asked)
    for each in offered:
        body = request_of(each, prefetch=..., fhirServer=hostile, fhirAuthorization=AUTHORIZATION)
        assert client.post(path_of(each), json=body).status_code in {400, 412}


def test_rb_28_the_token_goes_to_no_other_server(
    client: FlaskClient, offered: list[Json], server: Ehr, other: Ehr
) -> None:
    for each in offered:
        server.next_page = f"{other.url}/Observation?page=2"
        client.post(path_of(each), json=reading(each, server))
        server.next_page, server.status, server.location = None, 302, f"{other.url}/Patient/x1"
        client.post(path_of(each), json=reading(each, server))
        server.status, server.location = 200, None
        data = complete(each)
        data["observations-calcium"]["link"] = [{"relation": "next", "url": f"{other.url}/Observation?page=2"}]
        client.post(path_of(each), json=reading(each, server, prefetch=data))
    assert server.asked
    assert other.asked == []


def test_rb_29_a_slash_at_the_end_of_the_server_is_harmless(
    client: FlaskClient, offered: list[Json], server: Ehr
) -> None:
    for each in offered:
        plain = told(client.post(path_of(each), json=reading(each, server)))
        assert told(client.post(path_of(each), json=reading(each, server, fhirServer=server.url + "/"))) == plain
    assert not any("//" in urlsplit(asked.path).path for asked in server.asked)


@pytest.mark.parametrize("bent", ["../Patient/x2", "x1?_include=*", "x1&patient=x2", "x1/../x2", "x1#", "..", "x1\n"])
def test_rb_30_ids_cannot_bend_addresses(client: FlaskClient, offered: list[Json], server: Ehr, bent: str) -> None:
    for each in offered:
        for member in ("patientId", "encounterId"):
            context = context_of(each["hook"], **{member: bent})
            answer = client.post(path_of(each), json=reading(each, server, context=context))
            assert answer.status_code == 400
    assert server.asked == []


def test_rb_31_paging_without_end_ends(client: FlaskClient, offered: list[Json], server: Ehr) -> None:
    server.page_size, server.endless = 1, True
    service = offered[0]
    answer = client.post(path_of(service), json=reading(service, server))
    assert answer.status_code in {200, 412}
    assert len(server.asked) < 30 * len(service["prefetch"])
    if answer.status_code == 200:
        assert "incomplete_data" in json.dumps(answer.get_json())
