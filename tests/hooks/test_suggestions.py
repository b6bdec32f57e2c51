"""What cards offer: draft orders of tests, never more than that."""

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest
from flask.testing import FlaskClient

from tests.builders import bundle, condition, encounter
from tests.calls import PATIENT_VIEW, Json, calcium, call, critical_call, healthy_call, phosphate


def card_of(client: FlaskClient, body: Json) -> Json:
    answer = client.post(PATIENT_VIEW, json=body)
    assert answer.status_code == 200, answer.get_json()
    (card,) = answer.get_json()["cards"]
    found: Json = card
    return found


def actions(card: Json) -> list[Json]:
    return [action for suggestion in card["suggestions"] for action in suggestion["actions"]]


def test_the_tests_of_one_draw_are_taken_together_and_the_others_each_alone(client: FlaskClient) -> None:
    card = card_of(client, critical_call())
    assert [suggestion["label"] for suggestion in card["suggestions"]] == [
        "Order calcium, phosphate and albumin from one draw",
        "Order parathyroid hormone (PTH)",
        "Order 25-OH vitamin D",
    ]
    assert [len(suggestion["actions"]) for suggestion in card["suggestions"]] == [3, 1, 1]
    assert card["selectionBehavior"] == "any"


def test_every_suggestion_has_an_id_of_its_own(client: FlaskClient) -> None:
    card = card_of(client, critical_call())
    ids = [card["uuid"], *(suggestion["uuid"] for suggestion in card["suggestions"])]
    assert len(ids) == len(set(ids)) == 4


def test_an_offered_test_is_a_whole_draft_order_in_valid_fhir_with_a_loinc_code(client: FlaskClient) -> None:
    body = critical_call(context={"userId": "Practitioner/p1", "patientId": "x1", "encounterId": "e1"})
    body["prefetch"]["encounter"] = encounter()
    offered = actions(card_of(client, body))
    codes = []
    for action in offered:
        assert set(action) == {"type", "description", "resource"}
        assert action["type"] == "create"
        ServiceRequest.model_validate(action["resource"])
        (coding,) = action["resource"]["code"]["coding"]
        assert coding["system"] == "http://loinc.org"
        codes.append(coding["code"])
        assert (action["resource"]["status"], action["resource"]["intent"]) == ("draft", "proposal")
        assert action["resource"]["subject"] == {"reference": "Patient/x1"}
        assert action["resource"]["encounter"] == {"reference": "Encounter/e1"}
        assert not {"id", "quantityQuantity", "occurrenceDateTime"} & set(action["resource"])
    assert codes == ["17861-6", "2777-1", "1751-7", "2731-8", "62292-8"]


def test_a_description_carries_the_meaning_by_itself(client: FlaskClient) -> None:
    described = [action["description"] for action in actions(card_of(client, critical_call()))]
    assert described[0] == "Order calcium (laboratory test, LOINC 17861-6)"
    assert described[-1] == "Order 25-OH vitamin D (laboratory test, LOINC 62292-8)"


def test_without_an_encounter_the_order_names_none(client: FlaskClient) -> None:
    assert all("encounter" not in action["resource"] for action in actions(card_of(client, critical_call())))


@pytest.mark.parametrize("body", [critical_call(), healthy_call(), call(calcium(15.2), phosphate(2.0))])
def test_nothing_is_ever_done_without_the_user(client: FlaskClient, body: Json) -> None:
    assert "systemActions" not in client.post(PATIENT_VIEW, json=body).get_json()


def test_a_card_without_suggestions_says_nothing_of_a_way_to_choose(client: FlaskClient) -> None:
    body = call(calcium(9.4), phosphate(3.6))
    body["prefetch"]["conditions"] = bundle(condition({"system": "http://snomed.info/sct", "code": "237900002"}))
    card = card_of(client, body)
    assert not {"suggestions", "selectionBehavior"} & set(card)
