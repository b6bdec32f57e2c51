"""Ten thousand broken requests: no 5xx, none too late, no card with a number that is not in the data (make hostile)."""

import gzip
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.app import create_app
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import ASSESSMENT, PATIENT_VIEW, call, critical_call
from tests.conftest import NOW
from tests.hostile.mutations import mutated
from tests.hostile.numbers import strangers

pytestmark = pytest.mark.hostile
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/request.json"))
SHARED = Path(__file__).parents[3] / "shared"
REQUESTS = int(os.environ.get("HOSTILE_REQUESTS", "10000"))
CHUNKS = 40
# of computing, for nothing here waits for anybody and the machine may be busy; the deadline of a call is 8 s
TOO_LATE_S = 3.0
# the longest of the official examples is tested as it is, and not broken: it would take most of the time
LONGEST_SEED = 60_000


def seeds() -> list[dict[str, Any]]:
    """Our examples; where they lie beside the project, other cases and official examples too."""
    found = [json.loads(path.read_text("utf-8")) for path in EXAMPLES]
    found += [json.loads(path.read_text("utf-8"))["request"] for path in sorted((SHARED / "cases").glob("[CD]??.json"))]
    path = SHARED / "data" / "hl7-examples" / "hl7-r4-4.0.1-examples.ndjson.gz"
    if path.is_file():
        official = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        for start in range(0, len(official), 10):
            some = official[start : start + 10]
            entry = [{"resource": {**each, "subject": {"reference": "Patient/x1"}}} for each in some]
            request = critical_call()
            request["prefetch"]["more"] = {"resourceType": "Bundle", "type": "collection", "entry": entry}
            found.append(request)
    return [each for each in found if each["hook"] == "patient-view"]


@pytest.fixture(scope="module")
def hospital(catalog: Catalog) -> Iterator[FlaskClient]:
    app = create_app(read_settings({}, sandbox=True, database_url=""), clock=lambda: NOW, catalog=catalog)
    app.testing = False  # an exception is to be answered as it would be
    with app.test_client() as client:
        yield client


def faults(client: FlaskClient, body: bytes, request: dict[str, Any]) -> list[str]:
    """What is wrong with the answer to a request."""
    started = time.thread_time()
    answer = client.post(PATIENT_VIEW, data=body, content_type="application/json")
    took = time.thread_time() - started
    found = [] if took < TOO_LATE_S else [f"answered after {took:.1f} s of computing"]
    told = answer.get_json(silent=True)
    if answer.status_code not in (200, 400, 412):
        return [*found, f"status {answer.status_code}: {answer.text[:300]}"]
    if answer.status_code != 200:
        return found + ([] if told["resourceType"] == "OperationOutcome" else ["no OperationOutcome"])
    if not told["cards"] and ASSESSMENT not in told.get("extension", {}):
        found.append("no card and no assessment")
    return found + [f"not in the data: {each}" for each in strangers(request, told)]


@pytest.fixture(scope="module")
def sound() -> list[dict[str, Any]]:
    return seeds()


def test_the_numbers_on_the_cards_of_sound_requests_are_all_found(hospital: FlaskClient, sound: list[Any]) -> None:
    for request in sound:
        assert faults(hospital, json.dumps(request).encode(), request) == []


def test_the_checker_notices_a_number_that_is_not_in_the_data(hospital: FlaskClient) -> None:
    request = critical_call()
    told = hospital.post(PATIENT_VIEW, json=request).get_json()
    assert strangers(request, told) == []
    told["cards"][0]["detail"] = told["cards"][0]["detail"].replace("10.5 mg/dL", "11.7 mg/dL")
    assert strangers(request, told) != []
    told["cards"][0]["summary"] = "Calcium x phosphate 81.3 mg2/dL2"
    assert "81.3 mg2/dL2" in strangers(request, told)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_mutated_requests_are_answered_well(hospital: FlaskClient, sound: list[Any], chunk: int) -> None:
    chance = random.Random(chunk)  # noqa: S311 - the same requests each time
    texts = [text for text in map(json.dumps, sound) if len(text) < LONGEST_SEED]
    found = []
    for number in range(REQUESTS // CHUNKS):
        request = mutated(chance.choice(texts), chance)
        request["extension"]["org.calcinosis-cds.explain"] = True
        found += [(number, fault) for fault in faults(hospital, json.dumps(request).encode(), request)]
    assert found == []


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["resourceType", "entry", "resource", "code", "coding", "valueQuantity", "value", "id", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(["patient", "observations-calcium", "conditions", "anything"]), ANY_JSON))
def test_any_json_at_all_is_answered_well(hospital: FlaskClient, prefetch: dict[str, Any]) -> None:
    request = call(prefetch=prefetch)
    assert faults(hospital, json.dumps(request).encode(), request) == []
    request = critical_call()
    request["prefetch"] |= {f"more-{key}": value for key, value in prefetch.items()}
    assert faults(hospital, json.dumps(request).encode(), request) == []


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=60), st.integers(0, 3000))
def test_bytes_that_were_damaged_on_the_way_are_answered_well(hospital: FlaskClient, noise: bytes, place: int) -> None:
    body = json.dumps(critical_call()).encode()
    damaged = body[:place] + noise + body[place + len(noise) :]
    answer = hospital.post(PATIENT_VIEW, data=damaged, content_type="application/json")
    assert answer.status_code in (200, 400, 412)


@pytest.mark.parametrize("kind", ["Nonsense", "Provenance", "observation"])
def test_a_long_chart_with_a_kind_that_nobody_knows_is_not_slow(hospital: FlaskClient, kind: str) -> None:
    request = critical_call()
    entries = request["prefetch"]["observations-calcium"]["entry"]
    many = [{"resource": {**each["resource"], "id": f"{n}"}} for n in range(1500) for each in entries]
    odd = [{"resource": {"resourceType": kind, "id": str(n)}} for n in range(200)]
    request["prefetch"]["observations-calcium"]["entry"] = [*many, *odd]
    assert faults(hospital, json.dumps(request).encode(), request) == []
