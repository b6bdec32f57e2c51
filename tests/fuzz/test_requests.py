"""Made-up and damaged requests: never a 5xx, never an empty card list where nothing could be looked at."""

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.app import create_app
from cds_service.settings import read_settings
from tests.calls import PATIENT_VIEW

pytestmark = pytest.mark.fuzz
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
SAMPLES = [json.loads(path.read_bytes()) for path in sorted(Path(__file__).parents[2].glob("examples/*/request.json"))]
WORDS = ("", "x1", "Patient/x1", "mg/dL", "http://loinc.org", "17861-6", "2026-10-12", "2026-02-31", "final", "\u0000")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
bounded = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def service() -> Iterator[FlaskClient]:
    with create_app(read_settings({}, sandbox=True, database_url="")).test_client() as client:
        yield client


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


PLACES = [list(places(sample)) for sample in SAMPLES]


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A sample with one to four places replaced, removed, doubled or moved."""
    which = draw(st.integers(0, len(SAMPLES) - 1))
    sample = copy.deepcopy(SAMPLES[which])
    for path in draw(st.lists(st.sampled_from(PLACES[which]), min_size=1, max_size=4)):
        holder = sample
        try:
            for key in path[:-1]:
                holder = holder[key]
            damage = draw(st.sampled_from(("replace", "remove", "wrap", "double")))
            if damage == "replace":
                holder[path[-1]] = draw(JSON)
            elif damage == "remove":
                del holder[path[-1]]
            elif damage == "wrap":
                holder[path[-1]] = [holder[path[-1]]]
            else:
                holder[path[-1]] = {"entry": [holder[path[-1]]] * 3}
        except (KeyError, IndexError, TypeError):
            continue  # an earlier damage took the place away
    return sample


def address(sample: Any) -> str:
    """The service of the sample's hook, as long as the sample still names one."""
    hook = sample.get("hook") if isinstance(sample, dict) else None
    return PATIENT_VIEW.replace("patient-view", hook) if hook in ("order-select", "order-sign") else PATIENT_VIEW


def check(service: FlaskClient, body: bytes, to: str = PATIENT_VIEW) -> None:
    answer = service.post(to, data=body, content_type="application/json")
    assert answer.status_code in {200, 400, 412}, body
    told = answer.get_json()
    if answer.status_code == 200:
        assert isinstance(told["cards"], list), body
        for card in told["cards"]:
            assert 0 < len(card["summary"]) < 140, body
            assert "None" not in card["summary"], body
    else:
        assert told["resourceType"] == "OperationOutcome", body
        assert "cards" not in told


@bounded
@given(damaged())
def test_damaged_samples_get_an_answer(service: FlaskClient, sample: Any) -> None:
    check(service, json.dumps(sample).encode(), address(sample))


@bounded
@given(JSON)
def test_any_json_gets_an_answer(service: FlaskClient, body: Any) -> None:
    check(service, json.dumps(body).encode())


@bounded
@given(st.sampled_from(SAMPLES), st.integers(0), st.binary(min_size=1, max_size=4))
def test_damaged_bytes_get_an_answer(service: FlaskClient, sample: Any, place: int, noise: bytes) -> None:
    body = json.dumps(sample).encode()
    at = place % len(body)
    check(service, body[:at] + noise + body[at + len(noise) :], address(sample))


@bounded
@given(st.sampled_from(SAMPLES), st.dictionaries(st.text(max_size=12), JSON, max_size=4))
def test_any_prefetch_gets_an_answer_and_nothing_about_nobody(
    service: FlaskClient, sample: Any, prefetch: dict[str, Any]
) -> None:
    body = json.dumps(sample | {"prefetch": prefetch}).encode()
    check(service, body, address(sample))
    answer = service.post(address(sample), data=body, content_type="application/json")
    assert answer.status_code != 200  # no patient, no results: never an empty card list
