"""Any defect anywhere in a request: an answer or a refusal, never a failure of the service."""

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders import RXNORM, coding, condition, encounter, medication_request, procedure
from tests.calls import PATIENT_VIEW, bundle, calcium, call, phosphate, prefetch, result

RANGE = [{"low": {"value": 8.5, "unit": "mg/dL"}, "high": {"value": 10.2, "unit": "mg/dL"}}]
WHOLE = call(
    context={"userId": "Practitioner/p1", "patientId": "x1", "encounterId": "e1"},
    prefetch=prefetch(
        calcium(10.5, referenceRange=RANGE),
        phosphate(7.5, specimen={"reference": "Specimen/s1"}, interpretation=[{"coding": [{"code": "H"}]}]),
        result("albumin", "3.1 g/dL"),
        conditions=bundle(condition(onsetDateTime="2020-02")),
        medications=bundle(medication_request(coding(RXNORM, "11289"))),
        procedures=bundle(procedure()),
        encounter=encounter("IMP"),
    ),
)
Path = tuple[str | int, ...]


def paths(node: object, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from paths(child, (*path, key))


PATHS = list(paths(WHOLE))
TEXTS = ["", " ", "x" * 3000, "\x00", "\u202e", "NaN", "<b>", "2026-02-30", "2026-10-12T07:30:00", "9999-12-31"]
TEXTS += ["0001-01-01T00:00:00+14:00", "2026-10-12T07:30:00+99:00", "Patient/x2", "#", "%s"]
NUMBERS = [True, 0, -1, 0.1, 1e308, 10**30]
WRAPPED = [None, [], [[]], [None], {}, {"": None}, {"resourceType": "Observation"}, ...]
ODD = st.sampled_from([*TEXTS, *NUMBERS, *WRAPPED])


@given(st.lists(st.tuples(st.sampled_from(PATHS), ODD), min_size=1, max_size=4))
@settings(
    max_examples=250, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_defect_is_answered_or_refused(app: Flask, defects: list[tuple[Path, object]]) -> None:
    body = copy.deepcopy(WHOLE)
    for path, odd in defects:
        put(body, path, odd)
    answer = app.test_client().post(PATIENT_VIEW, data=json.dumps(body), content_type="application/json")
    assert answer.status_code in {200, 400, 412}, answer.text
    told = answer.get_json()
    assert ("cards" in told) == (answer.status_code == 200)
    assert ("issue" in told) == (answer.status_code != 200)
    for card in told.get("cards", ()):
        assert len(card["summary"]) < 140
        assert "None" not in card["summary"] + card["detail"]


def put(node: Any, path: Path, odd: object) -> None:
    """Replace what stands at the path, or take it out (...); a path that an earlier defect cut off does nothing."""
    with suppress(KeyError, IndexError, TypeError):
        for key in path[:-1]:
            node = node[key]
        if odd is ...:
            del node[path[-1]]
        else:
            node[path[-1]] = odd


def test_without_a_defect_the_record_is_read_whole(app: Flask) -> None:
    told = app.test_client().post(PATIENT_VIEW, json=WHOLE).get_json()
    found = told["extension"]["org.calcinosis-cds.assessment"]
    assert found["tier"] == "critical"
    assert found["setting"]["class"] == "inpatient"
    assert found["product"]["albumin"]["value"] == 3.1
    assert [cause["id"] for cause in found["causes"]] == ["esrd-dialysis"]
    assert [exposure["drug"] for exposure in found["exposures"]] == ["warfarin"]
