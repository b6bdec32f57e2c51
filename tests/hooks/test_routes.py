"""The service as a caller sees it: answers, every kind of error, and HTTP itself."""

import gzip
import json

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.app import create_app
from cds_service.hooks import routes
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import (
    ASSESSMENT,
    CLOCK,
    EXPLAIN,
    PATIENT_VIEW,
    bundle,
    calcium,
    call,
    critical_call,
    healthy_call,
    patient,
    phosphate,
    prefetch,
)
from tests.conftest import NOW, Notes, counting_ids

ORIGIN = "http://localhost:5173"


def assessed(answer: TestResponse) -> dict[str, object]:
    assert answer.status_code == 200, answer.data
    found: dict[str, object] = answer.get_json()["extension"][ASSESSMENT]
    return found


def outcome(answer: TestResponse) -> dict[str, object]:
    """The one issue of the OperationOutcome of an error answer."""
    assert answer.mimetype == "application/json"
    body = answer.get_json()
    assert set(body) == {"resourceType", "issue"}
    assert body["resourceType"] == "OperationOutcome"
    (issue,) = body["issue"]
    assert issue.pop("severity") == "error"
    return dict(issue)


# ---- answers ---------------------------------------------------------------------------------------------------------


def test_a_product_above_70_gives_a_critical_card(client: FlaskClient) -> None:
    answer = client.post(PATIENT_VIEW, json=critical_call())
    assert assessed(answer)["tier"] == "critical"
    (card,) = answer.get_json()["cards"]
    assert card["indicator"] == "critical"
    assert card["uuid"] == "00000000-0000-4000-8000-000000000001"
    assert "78.8 mg2/dL2" in card["summary"]


def test_card_and_response_carry_the_same_assessment(client: FlaskClient) -> None:
    body = client.post(PATIENT_VIEW, json=critical_call()).get_json()
    assert body["cards"][0]["extension"] == body["extension"]


def test_nothing_to_tell_is_no_card_and_an_assessment_when_asked_for(client: FlaskClient) -> None:
    answer = client.post(PATIENT_VIEW, json=healthy_call())
    assert answer.get_json()["cards"] == []
    assert assessed(answer)["product"]["value"] == 33.84  # type: ignore[index]


def test_without_the_question_the_response_has_only_cards(client: FlaskClient) -> None:
    answer = client.post(PATIENT_VIEW, json=critical_call(extension={CLOCK: NOW.isoformat()}))
    assert set(answer.get_json()) == {"cards"}
    assert ASSESSMENT in answer.get_json()["cards"][0]["extension"]


def test_production_does_not_explain_and_keeps_its_own_clock(production: FlaskClient) -> None:
    body = critical_call(fhirServer=..., extension={EXPLAIN: True, CLOCK: "2001-01-01T00:00:00Z"})
    answer = production.post(PATIENT_VIEW, json=body)
    assert set(answer.get_json()) == {"cards"}
    assert answer.get_json()["cards"][0]["extension"][ASSESSMENT]["evaluatedAt"] == NOW.isoformat()


def test_a_site_may_switch_explaining_on(catalog: Catalog) -> None:
    app = create_app(read_settings({}, database_url="", explain=True), clock=lambda: NOW, catalog=catalog)
    assert assessed(app.test_client().post(PATIENT_VIEW, json=healthy_call()))["tier"] == "none"


def test_the_sandbox_counts_ages_from_the_clock_of_the_caller(client: FlaskClient) -> None:
    body = critical_call(extension={CLOCK: "2027-10-12T10:30:00+02:00", EXPLAIN: True})
    told = assessed(client.post(PATIENT_VIEW, json=body))
    assert told["evaluatedAt"] == "2027-10-12T10:30:00+02:00"
    assert told["tier"] != "critical"


def test_answers_are_not_to_be_kept(client: FlaskClient) -> None:
    answer = client.post(PATIENT_VIEW, json=healthy_call())
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_each_card_has_an_id_of_its_own(client: FlaskClient) -> None:
    ids = {client.post(PATIENT_VIEW, json=critical_call()).get_json()["cards"][0]["uuid"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    "form", ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"]
)
def test_json_is_taken_with_or_without_charset(client: FlaskClient, form: str) -> None:
    answer = client.post(PATIENT_VIEW, data=json.dumps(healthy_call()), headers={"Content-Type": form})
    assert answer.status_code == 200


def test_prefetch_keys_may_be_named_otherwise(client: FlaskClient) -> None:
    site = {"who": patient(), "labs": bundle(calcium(10.5), phosphate(7.5)), "problems": bundle()}
    assert assessed(client.post(PATIENT_VIEW, json=call(prefetch=site)))["tier"] == "critical"


@pytest.mark.parametrize("nothing", [None, {"resourceType": "Bundle", "type": "searchset", "total": 0}])
def test_null_and_an_empty_bundle_both_mean_that_there_is_no_such_data(client: FlaskClient, nothing: object) -> None:
    body = critical_call()
    body["prefetch"] = {**body["prefetch"], "conditions": nothing}  # type: ignore[dict-item]
    told = assessed(client.post(PATIENT_VIEW, json=body))
    assert (told["tier"], told["flags"]) == ("critical", [])


def test_conditions_that_failed_are_told_apart_from_none(client: FlaskClient) -> None:
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    body = critical_call()
    body["prefetch"] = {**body["prefetch"], "conditions": failed}  # type: ignore[dict-item]
    told = assessed(client.post(PATIENT_VIEW, json=body))
    assert told["flags"] == ["incomplete_data"]
    assert told["dataSources"]["failed"] != []  # type: ignore[index]


def test_results_of_another_patient_lead_to_no_guidance(client: FlaskClient) -> None:
    other = {"reference": "Patient/x2"}
    body = call(calcium(10.5, subject=other), phosphate(7.5, subject=other))
    answer = client.post(PATIENT_VIEW, json=body)
    told = assessed(answer)
    assert (told["product"], told["flags"]) == (None, ["other_subject"])


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/nowhere", "/cds-services/", "/cds-services//other", f"{PATIENT_VIEW}/", "/CDS-SERVICES"]
)
def test_an_unknown_address_is_404_and_never_a_redirect(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert outcome(answer) == {
        "code": "not-found",
        "diagnostics": "There is nothing at this address; GET /cds-services lists the services.",
    }


def test_an_unknown_service_is_404(client: FlaskClient) -> None:
    answer = client.post("/cds-services/other", json=critical_call())
    assert answer.status_code == 404
    assert outcome(answer) == {
        "code": "not-found",
        "diagnostics": "There is no service of this id; GET /cds-services lists the services.",
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", PATIENT_VIEW, {"POST", "OPTIONS"}),
        ("PUT", PATIENT_VIEW, {"POST", "OPTIONS"}),
        ("POST", "/cds-services", {"GET", "HEAD", "OPTIONS"}),
        ("DELETE", "/cds-services", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_405_and_names_the_right_ones(
    client: FlaskClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed
    assert outcome(answer) == {
        "code": "not-supported",
        "diagnostics": f"This method is not offered here; use {', '.join(sorted(allowed))}.",
    }


@pytest.mark.parametrize("form", ["text/plain", "application/x-www-form-urlencoded", "application/fhir+json", "", None])
def test_another_media_type_is_415(client: FlaskClient, form: str | None) -> None:
    answer = client.post(PATIENT_VIEW, data=json.dumps(healthy_call()), headers={"Content-Type": form} if form else {})
    assert answer.status_code == 415
    assert outcome(answer) == {
        "code": "not-supported",
        "diagnostics": "Content-Type does not fit; expected application/json.",
    }


def test_a_compressed_body_is_415(client: FlaskClient) -> None:
    body = gzip.compress(json.dumps(healthy_call()).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = client.post(PATIENT_VIEW, data=body, headers=headers)
    assert answer.status_code == 415
    assert outcome(answer) == {"code": "not-supported", "diagnostics": "The body is compressed; expected it as it is."}


def test_a_body_above_the_limit_is_413(catalog: Catalog) -> None:
    app = create_app(read_settings({}, database_url="", max_body_bytes=1024), clock=lambda: NOW, catalog=catalog)
    answer = app.test_client().post(PATIENT_VIEW, json=critical_call())
    assert answer.status_code == 413
    assert outcome(answer) == {
        "code": "too-long",
        "diagnostics": "The body is larger than this service accepts (CDS_MAX_BODY_BYTES).",
    }


def test_a_refused_request_is_told_with_its_place(client: FlaskClient) -> None:
    answer = client.post(PATIENT_VIEW, json=critical_call(context={"userId": "Practitioner/p1", "patientId": 7}))
    assert answer.status_code == 400
    assert outcome(answer) == {
        "code": "structure",
        "diagnostics": "context.patientId is an integer; expected a string.",
        "expression": ["context.patientId"],
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'{"hook": NaN}',
        b'{"a": 1e400, "hook": ' + b"9" * 5000 + b"}",
        b'{"hook": "\\ud83d"}',
        b"\xff\xfe{\x00}\x00",
        b'{"a":' * 100_000,
        b"[" * 200,
        b'{"prefetch": {"patient": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    ],
)
def test_what_trips_parsers_is_400(client: FlaskClient, body: bytes) -> None:
    answer = client.post(PATIENT_VIEW, data=body, content_type="application/json")
    assert answer.status_code == 400
    assert outcome(answer)["code"] in {"structure", "required", "value"}


@pytest.mark.parametrize(
    "value", ["1e400", "-1e400", "9" * 5000, "1." + "0" * 5000 + "1", '"NaN"', "true", "[1]", "{}", '"\\u0000"', "null"]
)
def test_a_strange_number_in_a_result_costs_only_that_result(client: FlaskClient, value: str) -> None:
    text = json.dumps(call(calcium(10.5, id="strange"), calcium(10.4), phosphate(7.5)))
    assert text.count('"value": 10.5') == 1
    answer = client.post(
        PATIENT_VIEW, data=text.replace('"value": 10.5', f'"value": {value}'), content_type="application/json"
    )
    assert answer.status_code == 200
    assert "Infinity" not in answer.text
    assert "NaN" not in answer.text
    (card,) = answer.get_json()["cards"]
    assert card["indicator"] in {"critical", "warning"}


@pytest.mark.parametrize("depth", [50, 200, 2000])
def test_a_deep_resource_is_never_a_failure_of_the_service(client: FlaskClient, depth: int) -> None:
    deep = '{"resourceType": "Observation", "code": ' + '{"coding": [' * depth + "1" + "]}" * depth + "}"
    text = json.dumps(critical_call()).replace('"entry": [', '"entry": [{"resource": ' + deep + "}, ", 1)
    answer = client.post(PATIENT_VIEW, data=text, content_type="application/json")
    assert answer.status_code in {200, 400}
    if answer.status_code == 200:
        assert answer.get_json()["cards"]


@pytest.mark.parametrize(
    "odd",
    [
        7,
        "text",
        True,
        [1],
        {},
        {"resourceType": 7},
        {"resourceType": ["Observation"]},
        {"resourceType": "Bundle", "entry": 7},
    ],
)
def test_odd_things_under_a_prefetch_key_are_never_a_failure_of_the_service(client: FlaskClient, odd: object) -> None:
    body = critical_call()
    body["prefetch"] = {**body["prefetch"], "procedures": odd, "unknown": odd}  # type: ignore[dict-item]
    assert assessed(client.post(PATIENT_VIEW, json=body))["tier"] == "critical"


def test_without_any_data_the_answer_is_412_and_names_what_lacks(client: FlaskClient) -> None:
    answer = client.post(PATIENT_VIEW, json=call(prefetch=...))
    assert answer.status_code == 412
    assert outcome(answer) == {
        "code": "incomplete",
        "diagnostics": "The data that this service needs could not be had, neither from prefetch nor from the FHIR "
        "server. patient: not sent with the call; observations-calcium: not sent with the call; "
        "observations-phosphate: not sent with the call",
        "expression": ["prefetch.patient", "prefetch.observations-calcium", "prefetch.observations-phosphate"],
    }


def test_a_failed_search_for_phosphate_is_412_not_an_empty_answer(client: FlaskClient) -> None:
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    body = call(prefetch={**prefetch(calcium(10.5)), "observations-phosphate": failed})
    answer = client.post(PATIENT_VIEW, json=body)
    assert answer.status_code == 412
    assert outcome(answer)["expression"] == ["prefetch.observations-phosphate"]


def test_our_own_mistake_is_500_with_an_incident_and_no_cards(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("Mrs Doe")

    monkeypatch.setattr(routes, "decide", broken)
    answer = app.test_client().post(PATIENT_VIEW, json=critical_call())
    assert answer.status_code == 500
    assert outcome(answer) == {
        "code": "exception",
        "diagnostics": "The service failed; no guidance was computed. "
        "Incident 00000000-0000-4000-8000-000000000001 is in its log.",
    }
    (failure,) = [record for record in caplog.records if record.getMessage() == "failure"]
    assert failure.__dict__["incident"] == "00000000-0000-4000-8000-000000000001"
    assert failure.__dict__["error"] == "ZeroDivisionError"
    assert any(place.endswith(" broken") for place in failure.__dict__["trace"])


# ---- HTTP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/cds-services", "/healthz", "/readyz"])
def test_head_answers_like_get_without_a_body(client: FlaskClient, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(get.data))


def test_options_names_the_methods(client: FlaskClient) -> None:
    answer = client.options(PATIENT_VIEW)
    assert answer.status_code == 200
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_the_start_page_is_a_page(client: FlaskClient) -> None:
    answer = client.get("/")
    assert answer.mimetype == "text/html"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert PATIENT_VIEW in answer.text


def test_ready_names_the_content(client: FlaskClient, catalog: Catalog) -> None:
    assert client.get("/readyz").get_json() == {
        "status": "ready",
        "content": {"version": catalog.version, "digest": catalog.digest},
        "store": "none",
    }
    assert client.get("/healthz").get_json() == {"status": "ok"}


@pytest.mark.parametrize("origin", [ORIGIN, "http://127.0.0.1:8080", "https://localhost", "http://[::1]:3000"])
def test_in_the_sandbox_pages_of_this_machine_may_call(client: FlaskClient, origin: str) -> None:
    preflight = client.options(
        PATIENT_VIEW,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type",
        },
    )
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == origin
    assert preflight.headers["Access-Control-Allow-Headers"].lower() == "authorization, content-type"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in preflight.headers


@pytest.mark.parametrize(
    "answer_of",
    [
        lambda client, headers: client.get("/cds-services", headers=headers),
        lambda client, headers: client.post(PATIENT_VIEW, json=critical_call(), headers=headers),
        lambda client, headers: client.post(PATIENT_VIEW, data=b"{", content_type="application/json", headers=headers),
        lambda client, headers: client.post(PATIENT_VIEW, json=call(prefetch={}), headers=headers),
        lambda client, headers: client.post("/cds-services/other", json={}, headers=headers),
        lambda client, headers: client.put("/cds-services", headers=headers),
    ],
)
def test_answers_and_errors_name_the_origin(client: FlaskClient, answer_of: object) -> None:
    answer = answer_of(client, {"Origin": ORIGIN})  # type: ignore[operator]
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://evil.example/localhost",
        "null",
    ],
)
def test_foreign_origins_get_no_permission(client: FlaskClient, origin: str) -> None:
    answer = client.get("/cds-services", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_production_gives_no_origin_permission_unless_told(production: FlaskClient, catalog: Catalog) -> None:
    headers = {"Origin": ORIGIN}
    assert "Access-Control-Allow-Origin" not in production.get("/cds-services", headers=headers).headers
    told = read_settings({}, database_url="", allowed_origins="https://a.example, https://sandbox.cds-hooks.org")
    other = create_app(told, clock=lambda: NOW, catalog=catalog).test_client()
    allowed = other.get("/cds-services", headers={"Origin": "https://sandbox.cds-hooks.org"})
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://sandbox.cds-hooks.org"
    assert "Access-Control-Allow-Origin" not in other.get("/cds-services", headers=headers).headers


# ---- notes -----------------------------------------------------------------------------------------------------------


def test_every_call_is_noted_however_it_ends(client: FlaskClient, notes: Notes) -> None:
    client.post(PATIENT_VIEW, json=critical_call())
    client.post(PATIENT_VIEW, json=healthy_call())
    client.post(PATIENT_VIEW, json=call(prefetch={}))
    client.post(PATIENT_VIEW, data=b"{", content_type="application/json")
    client.post(PATIENT_VIEW, data=b"{}", content_type="text/plain")
    told = [(entry.outcome, entry.tier, entry.cards, entry.hook_instance_hash is None) for entry in notes.entries]
    assert told == [
        ("decided", "critical", 1, False),
        ("decided", "none", 0, False),
        ("412", None, 0, False),
        ("400", None, 0, True),
        ("415", None, 0, True),
    ]
    assert "CL-50" in notes.entries[0].rules
    assert notes.entries[0].headline == "CL-50"
    assert notes.entries[0].gaps == {"missing": 1}
    assert all(entry.at == NOW for entry in notes.entries)


def test_a_mistake_of_ours_is_noted_as_500(app: Flask, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(routes, "decide", broken)
    app.test_client().post(PATIENT_VIEW, json=critical_call())
    assert [entry.outcome for entry in notes.entries] == ["500"]


def test_ids_count_from_the_first_card_not_from_the_warm_up(catalog: Catalog) -> None:
    taken = counting_ids()
    create_app(read_settings({}, database_url=""), clock=lambda: NOW, new_id=taken, catalog=catalog)
    assert taken().endswith("001")
