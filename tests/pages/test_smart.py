"""The EHR launch of the page behind a card, played against a made-up EHR: what works, and everything that must not."""

import html
import logging
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from flask.testing import FlaskClient
from requests import PreparedRequest

from cds_service.app import create_app
from cds_service.settings import SettingsError, read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import PATIENT_VIEW, critical_call
from tests.conftest import NOW, Notes, counting_ids
from tests.pages.ehr import Answer, Ehr

PUBLIC = "https://cds.example.org"
BASE = "https://ehr.example.org"
SAMPLE, OTHER = "dialysis-rising-trend", "tumour-lysis"


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    made = Ehr(BASE)

    def serve(request: PreparedRequest) -> Answer:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        body = request.body.decode() if isinstance(request.body, bytes) else str(request.body or "")
        return made.answer(request.method or "", request.url or "", body, token)

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in ("GET", "POST"):
            mock.add_callback(method, re.compile(f"{BASE}/.*"), callback=serve)
        yield made


@pytest.fixture
def service(catalog: Catalog, clock: Clock) -> FlaskClient:
    settings = read_settings(
        {},
        database_url="",
        public_url=PUBLIC,
        allow_unauthenticated="yes-i-understand",
        smart_clients=f"{BASE}/fhir=calcinosis",
    )
    app = create_app(settings, clock=clock, new_id=counting_ids(), catalog=catalog, journal=Notes())
    return app.test_client()


def begin(service: FlaskClient, ehr: Ehr, sample: str = SAMPLE) -> str:
    """Launch, let the EHR agree, and return the address it sends the browser back to."""
    begun = service.get("/app/launch", query_string={"iss": ehr.fhir, "launch": ehr.launch_of(sample)}, base_url=PUBLIC)
    assert begun.status_code == 302, begun.get_data(as_text=True)
    return ehr.answer("GET", begun.headers["Location"])[1]["Location"]


def page_of(service: FlaskClient, address: str) -> tuple[int, str]:
    answer = service.get(address.removeprefix(PUBLIC), base_url=PUBLIC)
    return answer.status_code, html.unescape(answer.get_data(as_text=True))


# ---- what works ------------------------------------------------------------------------------------------------------


def test_a_launch_ends_on_the_page_of_the_open_patient(service: FlaskClient, ehr: Ehr) -> None:
    status, page = page_of(service, begin(service, ehr))
    assert status == 200
    assert "Calcium x phosphate 89.2 mg2/dL2 (above 70)" in page
    assert f"Patient/example-{SAMPLE}" in page
    assert "POST /token" in ehr.asked


def test_what_the_ehr_is_asked_for_is_pkce_with_its_own_address(service: FlaskClient, ehr: Ehr) -> None:
    begun = service.get("/app/launch", query_string={"iss": ehr.fhir + "/", "launch": "x"}, base_url=PUBLIC)
    asked = {key: each[0] for key, each in parse_qs(urlsplit(begun.headers["Location"]).query).items()}
    assert asked["aud"] == ehr.fhir
    assert asked["launch"] == "x"
    assert asked["redirect_uri"] == f"{PUBLIC}/app/callback"
    assert len(asked["code_challenge"]) == 43
    assert asked["scope"].split()[:3] == ["launch", "patient/Patient.rs", "patient/Observation.rs"]
    cookie = begun.headers["Set-Cookie"]
    for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/app"):
        assert word in cookie


def test_a_card_is_launched_where_an_ehr_is_registered(service: FlaskClient) -> None:
    links = service.post(PATIENT_VIEW, json=critical_call(extension=...)).get_json()["cards"][0]["links"]
    assert links[0] == {"label": links[0]["label"], "url": f"{PUBLIC}/app/launch", "type": "smart"}


def test_two_patients_opened_in_one_browser_are_not_mixed(service: FlaskClient, ehr: Ehr) -> None:
    first, second = begin(service, ehr, SAMPLE), begin(service, ehr, OTHER)
    assert f"Patient/example-{OTHER}" in page_of(service, second)[1]
    page = page_of(service, first)[1]
    assert f"Patient/example-{SAMPLE}" in page
    assert OTHER not in page


def test_data_of_another_patient_than_the_open_one_are_left_out(service: FlaskClient, ehr: Ehr) -> None:
    ehr.patient = "somebody-else"  # the token says so, the server answers with the sample's resources
    status, page = page_of(service, begin(service, ehr))
    assert "89.2" not in page
    assert "Observation/ca-1" not in page
    assert status in (200, 502)


def test_the_token_is_nowhere_but_in_the_reads(
    service: FlaskClient, ehr: Ehr, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = service.get(begin(service, ehr).removeprefix(PUBLIC), base_url=PUBLIC)
    (token,) = ehr.tokens
    assert token not in answer.get_data(as_text=True)
    assert token not in str(answer.headers)
    ours = [record for record in caplog.records if record.name.startswith("cds_service")]
    assert not any(token in record.getMessage() or "example-" in record.getMessage() for record in ours)
    for shelf in Path("/dev/shm").glob("calcinosis-cds-*/*"):  # noqa: S108  where shelves stand
        assert token.encode() not in shelf.read_bytes()


# ---- what must not ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("iss", [f"{BASE}/other", "https://evil.example/fhir", f"{BASE}.evil.example/fhir", ""])
def test_an_ehr_that_is_not_registered_is_not_asked(service: FlaskClient, ehr: Ehr, iss: str) -> None:
    answer = service.get("/app/launch", query_string={"iss": iss, "launch": "x"}, base_url=PUBLIC)
    assert answer.status_code == 403
    assert ehr.asked == []
    assert "evil" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("state", ["", "00000000-0000-4000-8000-999999999999", "../x", "a" * 36])
def test_a_state_that_was_never_given_is_refused(service: FlaskClient, ehr: Ehr, state: str) -> None:
    back = begin(service, ehr)
    status, page = page_of(service, re.sub(r"state=[^&]*", f"state={state}", back))
    assert status == 403
    assert "unknown" in page
    assert "POST /token" not in ehr.asked


def test_a_state_is_good_once(service: FlaskClient, ehr: Ehr) -> None:
    back = begin(service, ehr)
    assert page_of(service, back)[0] == 200
    assert page_of(service, back)[0] == 403


def test_a_launch_begun_in_another_browser_is_refused(service: FlaskClient, ehr: Ehr) -> None:
    back = begin(service, ehr)
    stranger = service.application.test_client()
    status, page = page_of(stranger, back)
    assert status == 403
    assert "another browser" in page
    assert "POST /token" not in ehr.asked


def test_a_launch_ends_after_its_time(service: FlaskClient, ehr: Ehr, clock: Clock) -> None:
    back = begin(service, ehr)
    clock.now = NOW + timedelta(minutes=15, seconds=1)
    assert page_of(service, back)[0] == 403


def test_a_code_with_another_verifier_is_not_accepted(service: FlaskClient, ehr: Ehr) -> None:
    back = begin(service, ehr)
    for wish in ehr.codes.values():
        wish["code_challenge"] = "x" * 43
    status, page = page_of(service, back)
    assert status == 403
    assert "did not accept the code" in page


def test_an_ehr_without_pkce_is_refused(service: FlaskClient, ehr: Ehr) -> None:
    ehr.challenge_methods = ["plain"]
    answer = service.get("/app/launch", query_string={"iss": ehr.fhir, "launch": "x"}, base_url=PUBLIC)
    assert answer.status_code == 403
    assert "PKCE" in answer.get_data(as_text=True)


def test_without_a_patient_there_is_no_page(service: FlaskClient, ehr: Ehr) -> None:
    ehr.patient = ""
    status, page = page_of(service, begin(service, ehr))
    assert (status, "which patient is open" in page) == (403, True)


@pytest.mark.parametrize("patient", ["../Observation/1", "a b", "x?y=1"])
def test_a_patient_id_that_could_bend_an_address_is_refused(service: FlaskClient, ehr: Ehr, patient: str) -> None:
    ehr.patient = patient
    assert page_of(service, begin(service, ehr))[0] == 403
    assert not any(each.startswith("GET /fhir/Patient") for each in ehr.asked)


def test_a_missing_scope_is_told_and_never_looks_normal(service: FlaskClient, ehr: Ehr) -> None:
    ehr.refused = {"Observation"}
    status, page = page_of(service, begin(service, ehr))
    assert status == 502
    assert "403" in page
    assert "says nothing about the patient" in page


def test_a_scope_missing_for_medicines_is_shown_on_the_page(service: FlaskClient, ehr: Ehr) -> None:
    ehr.refused = {"MedicationRequest", "MedicationStatement"}
    status, page = page_of(service, begin(service, ehr))
    assert status == 200
    assert "Could not be had:" in page
    assert "medications" in page.split("Could not be had:")[1][:200]


def test_an_expired_token_is_told_and_never_looks_normal(service: FlaskClient, ehr: Ehr) -> None:
    ehr.expired = True
    status, page = page_of(service, begin(service, ehr))
    assert status == 502
    assert "401" in page


def test_what_the_ehr_says_about_a_refusal_is_not_repeated(service: FlaskClient) -> None:
    answer = service.get("/app/callback?error=<script>x</script>&error_description=zq7", base_url=PUBLIC)
    assert answer.status_code == 403
    assert "zq7" not in answer.get_data(as_text=True)


# ---- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"smart_clients": "https://ehr.example.org/fhir=x"}, "set CDS_PUBLIC_URL"),
        ({"smart_clients": "http://ehr.example.org/fhir=x", "public_url": PUBLIC}, "expected https"),
        ({"smart_clients": "http://127.0.0.1/fhir=x", "public_url": PUBLIC}, "expected https"),
        ({"smart_clients": "https://ehr.example.org/fhir", "public_url": PUBLIC}, "client id"),
        ({"frame_ancestors": "https://a.example; script-src *"}, "CDS_FRAME_ANCESTORS"),
    ],
)
def test_settings_that_cannot_be_meant_stop_the_start(given: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingsError) as told:
        read_settings({}, allow_unauthenticated="yes-i-understand", **given)
    assert problem in str(told.value)


def test_only_named_origins_may_frame_the_pages(catalog: Catalog) -> None:
    settings = read_settings({}, sandbox=True, database_url="", frame_ancestors="https://ehr.example.org")
    client = create_app(settings, catalog=catalog, journal=Notes()).test_client()
    assert "frame-ancestors https://ehr.example.org" in client.get("/app").headers["Content-Security-Policy"]
