"""Which tokens open the service. What strangers try stands in test_attacks.py."""

import time
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.calls import PATIENT_VIEW, critical_call, healthy_call
from tests.conftest import NOW, Notes
from tests.trust.conftest import Guarded
from tests.trust.keys import BASE, bearer, claims, ec_key, rsa_key, signed

CALL: dict[str, Any] = healthy_call(fhirServer=...)


def status(service: FlaskClient, token: str, path: str = PATIENT_VIEW) -> int:
    return service.post(path, json=CALL, headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_good_token_opens_the_service_and_names_the_client(service: FlaskClient, notes: Notes) -> None:
    answer = service.post(PATIENT_VIEW, json=critical_call(fhirServer=...), headers=bearer(PATIENT_VIEW))
    assert (answer.status_code, len(answer.get_json()["cards"])) == (200, 1)
    assert notes.entries[0].tenant == "general"


def test_ch_107_without_a_token_there_is_no_answer(service: FlaskClient, notes: Notes) -> None:
    answer = service.post(PATIENT_VIEW, json=CALL)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.get_json()["issue"][0]["code"] == "login"
    assert (notes.entries[0].outcome, notes.entries[0].tenant) == ("401", None)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_the_name_of_the_scheme_is_read_in_any_case(service: FlaskClient, scheme: str) -> None:
    token = signed(claims(PATIENT_VIEW))
    assert service.post(PATIENT_VIEW, json=CALL, headers={"Authorization": f"{scheme} {token}"}).status_code == 200


def test_ch_108_es384_is_understood(service: FlaskClient) -> None:
    assert status(service, signed(claims(PATIENT_VIEW), ec_key())) == 200


def test_ch_109_rs384_is_understood(service: FlaskClient) -> None:
    assert status(service, signed(claims(PATIENT_VIEW), rsa_key(), {"kid": "r1"})) == 200


def test_es256_and_rs256_are_taken_where_they_are_set(guarded: Guarded) -> None:
    small = signed(claims(PATIENT_VIEW), ec_key(curve="P-256"), {"kid": "p256"})
    assert status(guarded(), small) == 401
    assert status(guarded(**{"token_algorithms": "ES384, ES256"}), small) == 200


@pytest.mark.parametrize("audience", [[BASE + PATIENT_VIEW], ["https://other.example.org", BASE + PATIENT_VIEW, 3]])
def test_ch_112_the_audience_may_be_a_list(service: FlaskClient, audience: list[object]) -> None:
    assert status(service, signed(claims(PATIENT_VIEW, aud=audience))) == 200


@pytest.mark.parametrize(
    ("audience", "expected"),
    [("https://old.example.org/cds", 200), (f"https://old.example.org/cds{PATIENT_VIEW}", 200), ("https://old", 401)],
)
def test_a_client_may_have_audiences_of_its_own(guarded: Guarded, audience: str, expected: int) -> None:
    service = guarded('audiences = ["https://old.example.org/cds"]')
    assert status(service, signed(claims(PATIENT_VIEW, aud=audience))) == expected
    assert status(service, signed(claims(PATIENT_VIEW))) == 200


def times(**changes: float) -> dict[str, object]:
    """Claims of time as seconds from now."""
    return {name: NOW.timestamp() + seconds for name, seconds in changes.items()}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (times(exp=1), 200),
        (times(exp=-59), 200),  # within the skew
        (times(exp=-60), 401),
        (times(iat=60, exp=300), 200),
        (times(iat=61, exp=300), 401),
        (times(nbf=-300), 200),  # as Epic sends it
        (times(nbf=60), 200),
        (times(nbf=61), 401),
        (times(exp=3660), 200),
        (times(exp=3661), 401),  # longer than an hour
    ],
)
def test_times_are_compared_with_a_minute_of_skew(
    service: FlaskClient, changes: dict[str, object], expected: int
) -> None:
    assert status(service, signed(claims(PATIENT_VIEW, **changes))) == expected  # type: ignore[arg-type]


def test_the_skew_is_a_setting(guarded: Guarded) -> None:
    late = times(exp=-1)
    assert status(guarded(token_skew_s=0), signed(claims(PATIENT_VIEW, **late))) == 401  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "iat", "jti"])
def test_ch_118_each_claim_must_be_there(service: FlaskClient, name: str) -> None:
    assert status(service, signed(claims(PATIENT_VIEW, **{name: ...}))) == 401  # type: ignore[arg-type]


def test_ch_125_a_tenant_claim_is_opaque(service: FlaskClient) -> None:
    assert status(service, signed(claims(PATIENT_VIEW, tenant="any", sub="any", other={"a": 1}))) == 200


def test_ch_110_discovery_takes_a_token_and_asks_for_one_by_setting(guarded: Guarded) -> None:
    discovery = "/cds-services"
    assert guarded().get(discovery).status_code == 200
    assert guarded().get(discovery, headers=bearer(discovery)).status_code == 200
    closed = guarded(discovery_token=True)
    assert closed.get(discovery).status_code == 401
    assert closed.get(discovery, headers=bearer(PATIENT_VIEW)).status_code == 401
    assert len(closed.get(discovery, headers=bearer(discovery)).get_json()["services"]) >= 1
    none = guarded("services = []", discovery_token=True)
    assert none.get(discovery, headers=bearer(discovery)).get_json() == {"services": []}


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_token(service: FlaskClient, path: str) -> None:
    assert service.get(path).status_code == 200


def test_ch_128_a_preflight_needs_no_token_and_a_401_names_the_origin(guarded: Guarded) -> None:
    origin = {"Origin": "https://ehr.example.org"}
    service = guarded(allowed_origins=origin["Origin"])
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    assert service.options(PATIENT_VIEW, headers=origin | asked).status_code == 200
    refused = service.post(PATIENT_VIEW, json=CALL, headers=origin)
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, origin["Origin"])


# ---- in sandbox mode


def test_the_sandbox_asks_for_no_token_but_checks_one_that_comes(guarded: Guarded, notes: Notes) -> None:
    service = guarded(sandbox=True, allow_unauthenticated="yes-i-understand")
    assert service.post(PATIENT_VIEW, json=CALL).status_code == 200
    assert service.post(PATIENT_VIEW, json=CALL, headers=bearer(PATIENT_VIEW)).status_code == 200
    assert service.post(PATIENT_VIEW, json=CALL, headers=bearer(PATIENT_VIEW, aud="x")).status_code == 401
    assert [entry.tenant for entry in notes.entries] == ["default", "general", None]


# ---- client certificates


def test_ch_126_a_certificate_is_needed_beside_the_token_where_one_is_agreed(guarded: Guarded) -> None:
    service = guarded('certificates = ["AB:CD:01"]', client_certificate_header="X-Client-Fingerprint")

    def answered(**headers: str) -> int:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return service.post(PATIENT_VIEW, json=CALL, headers=bearer(PATIENT_VIEW) | more).status_code

    assert answered() == 401
    assert answered(X_Client_Fingerprint="abcd02") == 401
    assert answered(X_Client_Fingerprint="") == 401
    assert answered(X_Client_Fingerprint="abcd01") == 200
    lonely = service.post(PATIENT_VIEW, json=CALL, headers={"X-Client-Fingerprint": "abcd01"})
    assert lonely.status_code == 401


def test_checking_a_token_costs_little(service: FlaskClient) -> None:
    """Two ways of signing; nothing is fetched, so the price is one signature."""
    tokens = [signed(claims(PATIENT_VIEW)) for _ in range(30)]
    started = time.process_time()
    assert {status(service, token) for token in tokens} == {200}
    assert timedelta(seconds=time.process_time() - started) / len(tokens) < timedelta(milliseconds=40)
