"""order-select and order-sign: the calls, the cards and the assessment, as a client sees them."""

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests import builders as b
from tests.calls import (
    ASSESSMENT,
    AT,
    CLOCK,
    ORDER_SELECT,
    ORDER_SIGN,
    Json,
    bundle,
    calcium,
    draft,
    order_call,
    phosphate,
    result,
)
from tests.conftest import Notes
from tests.hooks.test_card_laws import FORBIDDEN

CALCITRIOL = b.coding(b.RXNORM, "308867")
CALCIUM_CARBONATE = b.coding(b.RXNORM, "198533")
WARFARIN = b.coding(b.RXNORM, "855332")
ENEMA = b.coding(b.RXNORM, "283100")
CALCIPHYLAXIS = b.coding(b.SNOMED, "237900002")
HIGH_CALCIUM = (calcium(11.0), phosphate(4.0))


def sign(client: FlaskClient, *drafts: Any, **changes: Any) -> Json:
    answer = client.post(ORDER_SIGN, json=order_call(*drafts, **changes))
    assert answer.status_code == 200, answer.get_json()
    found: Json = answer.get_json()
    return found


def select(client: FlaskClient, selections: list[str], *drafts: Any, **changes: Any) -> Json:
    body = order_call(*drafts, hook="order-select", selections=selections, **changes)
    answer = client.post(ORDER_SELECT, json=body)
    assert answer.status_code == 200, answer.get_json()
    found: Json = answer.get_json()
    return found


def assessment(body: Json) -> Json:
    found: Json = body["extension"][ASSESSMENT]
    return found


# ---- the card


def test_a_card_names_the_draft_the_values_their_dates_and_the_rule(client: FlaskClient) -> None:
    named = {"coding": [b.coding(b.RXNORM, "197435")], "text": "Calcium gluconate 10 % IV"}
    (card,) = sign(client, draft(medicationCodeableConcept=named))["cards"]
    assert card["indicator"] == "critical"
    assert card["summary"] == (
        "Calcium x phosphate 70.2 mg2/dL2 on 2026-10-12: intravenous calcium (calcium gluconate) may precipitate "
        "calcium phosphate"
    )
    for words in (
        "Draft order: Calcium gluconate 10 % IV (MedicationRequest/draft-1)",
        "9.0 mg/dL",
        "2026-10-12",
        "do not delay",
        "OT-1:",
        "Nunley",
        "Not for emergency use",
    ):
        assert words in card["detail"], words
    assert card["source"]["topic"]["code"] == "OT1"
    assert card["overrideReasons"]


def test_a_card_offers_to_remove_the_draft_and_never_does_it(client: FlaskClient) -> None:
    body = sign(client, draft(CALCITRIOL, id="long-" + "x" * 80), observations=HIGH_CALCIUM)
    (card,) = body["cards"]
    (suggestion,) = card["suggestions"]
    (action,) = suggestion["actions"]
    assert action["type"] == "delete"
    assert action["resourceId"] == "MedicationRequest/long-" + "x" * 80
    assert "resource" not in action
    assert action["description"].startswith("Remove the draft order")
    assert suggestion["uuid"] != card["uuid"]
    assert card["selectionBehavior"] == "any"
    assert "systemActions" not in body


def test_calcium_carbonate_and_calcitriol_share_one_card_with_both_removals(client: FlaskClient) -> None:
    drafts = (draft(CALCIUM_CARBONATE), draft(CALCITRIOL, id="draft-2"))
    body = sign(client, *drafts, observations=HIGH_CALCIUM)
    (card,) = body["cards"]
    assert card["indicator"] == "warning"
    assert "calcium carbonate and calcitriol" in card["summary"]
    removed = [action["resourceId"] for each in card["suggestions"] for action in each["actions"]]
    assert removed == ["MedicationRequest/draft-1", "MedicationRequest/draft-2"]
    ids = [card["uuid"], *(each["uuid"] for each in card["suggestions"])]
    assert len(set(ids)) == 3


def test_orders_of_different_rules_have_cards_of_their_own_the_gravest_first(client: FlaskClient) -> None:
    hydrochlorothiazide = draft(b.coding("http://www.whocc.no/atc", "C03AA03"), id="draft-2")
    body = sign(client, hydrochlorothiazide, draft(CALCIUM_CARBONATE), observations=(calcium(12.4), phosphate(3.0)))
    assert [card["indicator"] for card in body["cards"]] == ["critical", "info"]
    assert [card["source"]["topic"]["code"] for card in body["cards"]] == ["OT2", "OT7"]
    assert "overrideReasons" not in body["cards"][1]


def test_a_removal_of_warfarin_never_goes_without_its_alternative(client: FlaskClient) -> None:
    body = order_call(draft(WARFARIN))
    body["prefetch"]["conditions"] = bundle(b.condition(CALCIPHYLAXIS))
    (card,) = client.post(ORDER_SIGN, json=body).get_json()["cards"]
    assert card["indicator"] == "critical"
    assert "alternative anticoagulation" in card["suggestions"][0]["actions"][0]["description"]
    assert "anticoagulation is not to lapse" in card["detail"]


def test_in_an_emergency_the_card_informs_and_offers_no_removal(client: FlaskClient) -> None:
    values = (calcium(7.8), phosphate(9.0), result("potassium", "7.6 mmol/L", id="potassium"))
    body = sign(client, draft(), observations=values)
    (card,) = body["cards"]
    assert card["indicator"] == "info"
    assert "suggestions" not in card
    assert "selectionBehavior" not in card
    assert "not to be delayed" in card["summary"]
    assert assessment(body)["orders"][0]["downgradedBy"] == ["CL-111"]


def test_a_summary_that_is_too_long_loses_a_part_and_never_ends_in_the_middle(client: FlaskClient) -> None:
    (card,) = sign(client, draft(), observations=(calcium(6.8), phosphate(10.5)))["cards"]
    assert card["summary"] == (
        "Calcium very low (calcium 6.8 mg/dL): needed intravenous calcium (calcium gluconate) is not to be delayed"
    )


def test_in_pregnancy_the_card_states_facts_and_advises_nothing(client: FlaskClient) -> None:
    body = order_call(draft(CALCIUM_CARBONATE), observations=HIGH_CALCIUM)
    body["prefetch"]["conditions"] = bundle(b.condition(b.coding(b.SNOMED, "77386006")))
    (card,) = client.post(ORDER_SIGN, json=body).get_json()["cards"]
    assert "suggestions" not in card
    assert "To consider" not in card["detail"]
    assert "not validated in pregnancy" in card["detail"]
    assert "Calcium 11.0 mg/dL" in card["summary"]


def test_where_a_value_is_in_doubt_the_tests_are_offered_beside_the_removal(client: FlaskClient) -> None:
    old = "2026-08-15T08:00:00+02:00"
    values = (calcium(9.0, effectiveDateTime=old), phosphate(9.0, effectiveDateTime=old))
    (card,) = sign(client, draft(), observations=values)["cards"]
    assert card["indicator"] == "warning"
    kinds = [action["type"] for each in card["suggestions"] for action in each["actions"]]
    assert kinds == ["delete", "create", "create", "create"]
    assert "Critical was withheld, shown as warning" in card["detail"]


def test_a_draft_that_no_rule_speaks_of_gives_no_card(client: FlaskClient) -> None:
    body = sign(client, draft(b.coding(b.RXNORM, "161")))
    assert body["cards"] == []
    assert assessment(body)["orderTier"] == "none"
    assert assessment(body)["tier"] == "critical"


def test_a_card_names_the_other_drafts_that_could_not_be_judged(client: FlaskClient) -> None:
    words = draft(id="draft-2", medicationCodeableConcept={"text": "calcium <b>drip</b>"})
    (card,) = sign(client, draft(), words)["cards"]
    assert "MedicationRequest/draft-2): not coded, not judged" in card["detail"]
    assert not re.search(r"[<>`]", card["detail"])


# ---- the assessment


def test_the_assessment_lists_each_finding_and_the_patients_own_tier(client: FlaskClient) -> None:
    body = sign(client, draft(ENEMA), observations=(calcium(9.0), phosphate(5.0)))
    found = assessment(body)
    assert found["orders"] == [
        {
            "reference": "MedicationRequest/draft-1",
            "rule": "OT-3",
            "tier": "critical",
            "downgradedBy": [],
            "drugs": ["sodium-phosphate"],
            "reasons": ["phosphate"],
        }
    ]
    assert (found["orderTier"], found["tier"]) == ("critical", "none")
    assert "OT-3" in found["rules"]
    assert body["cards"][0]["extension"][ASSESSMENT] == found


def test_what_could_not_be_judged_is_named_when_there_is_no_card(client: FlaskClient) -> None:
    text = draft(medicationCodeableConcept={"text": "warfarin as usual"})
    body = sign(client, text, draft(CALCITRIOL, id="draft-2"), observations=())
    assert body["cards"] == []
    assert assessment(body)["ordersNotJudged"] == [
        {"reference": "MedicationRequest/draft-1", "name": "warfarin as usual", "reason": "not-coded", "rule": None},
        {
            "reference": "MedicationRequest/draft-2",
            "name": assessment(body)["ordersNotJudged"][1]["name"],
            "reason": "values-unknown",
            "rule": "OT-2",
        },
        {
            "reference": "MedicationRequest/draft-2",
            "name": assessment(body)["ordersNotJudged"][1]["name"],
            "reason": "values-unknown",
            "rule": "OT-6",
        },
    ]


def test_the_journal_notes_the_tier_and_the_rules_of_the_orders(client: FlaskClient, notes: Notes) -> None:
    sign(client, draft(ENEMA), observations=(calcium(9.0), phosphate(5.0)))
    (entry,) = notes.entries
    assert (entry.hook, entry.tier, entry.headline, entry.cards) == ("order-sign", "critical", "OT-3", 1)
    assert entry.rules[0] == "OT-3"


# ---- the call


def test_ch_34_selections_are_the_subject_other_drafts_are_background(client: FlaskClient) -> None:
    drafts = (draft(), draft(b.coding(b.RXNORM, "161", display="Acetaminophen"), id="draft-2"))
    assert select(client, ["MedicationRequest/draft-2"], *drafts)["cards"] == []
    (card,) = select(client, ["MedicationRequest/draft-1"], *drafts)["cards"]
    assert "Acetaminophen (drafted too, not selected)" in card["detail"]


def test_ch_33_a_mixed_bundle_is_taken(client: FlaskClient) -> None:
    drafts = [
        {"resourceType": "ServiceRequest", "id": "s1", "status": "draft"},
        {"resourceType": "NutritionOrder", "id": "n1"},
        {"resourceType": "MedicationRequest", "id": "half"},
        {"resourceType": "Medication", "id": "med", "code": {"coding": [b.coding(b.RXNORM, "197435")]}},
        draft(medicationCodeableConcept=..., medicationReference={"reference": "Medication/med"}, status="active"),
    ]
    body = order_call(*drafts)
    del body["context"]["draftOrders"]["type"]
    answer = client.post(ORDER_SIGN, json=body)
    assert [card["indicator"] for card in answer.get_json()["cards"]] == ["critical"]
    gaps = assessment(answer.get_json())["ordersNotJudged"]
    assert [gap["reference"] for gap in gaps] == ["MedicationRequest/half"]


@pytest.mark.parametrize("user", ["Practitioner/p1", "PractitionerRole/r1"])
def test_ch_30_every_user_type_of_the_hooks_is_taken(client: FlaskClient, user: str) -> None:
    body = order_call(draft())
    body["context"]["userId"] = user
    assert client.post(ORDER_SIGN, json=body).status_code == 200


@pytest.mark.parametrize("drafts", [..., None, 7, "x", True])
def test_a_call_without_usable_drafts_is_refused_with_the_place(client: FlaskClient, drafts: Any) -> None:
    body = order_call(draft())
    body["context"]["draftOrders"] = drafts
    if drafts is ...:
        del body["context"]["draftOrders"]
    answer = client.post(ORDER_SIGN, json=body)
    assert answer.status_code == 400
    assert "context.draftOrders" in json.dumps(answer.get_json())


def test_a_selection_hook_without_selections_is_refused_with_the_place(client: FlaskClient) -> None:
    answer = client.post(ORDER_SELECT, json=order_call(draft(), hook="order-select"))
    assert answer.status_code == 400
    assert "context.selections" in json.dumps(answer.get_json())


@pytest.mark.parametrize("selections", ["MedicationRequest/draft-1", [7], {"a": 1}])
def test_selections_of_the_wrong_type_are_refused(client: FlaskClient, selections: Any) -> None:
    body = order_call(draft(), hook="order-select", selections=selections)
    assert client.post(ORDER_SELECT, json=body).status_code == 400


def test_an_empty_bundle_of_drafts_is_looked_at_and_gives_nothing(client: FlaskClient) -> None:
    assert sign(client)["cards"] == []


def test_a_call_of_the_other_order_hook_is_refused(client: FlaskClient) -> None:
    body = order_call(draft(), hook="order-select", selections=["MedicationRequest/draft-1"])
    assert client.post(ORDER_SIGN, json=body).status_code == 400


def test_without_calcium_and_phosphate_the_answer_is_412_not_an_empty_list(client: FlaskClient) -> None:
    answer = client.post(ORDER_SIGN, json=order_call(draft(), prefetch={}))
    assert answer.status_code == 412


def test_the_same_guidance_comes_when_the_prefetch_is_read_raw(client: FlaskClient) -> None:
    """A broken neighbour in prefetch makes the body be read piece by piece; the drafts are found all the same."""
    body = order_call(draft())
    body["prefetch"]["procedures"] = {"resourceType": "Bundle", "entry": [{"resource": 7}]}
    assert [card["indicator"] for card in client.post(ORDER_SIGN, json=body).get_json()["cards"]] == ["critical"]


def test_drafts_on_patient_view_are_ignored(client: FlaskClient) -> None:
    body = order_call(draft(), hook="patient-view")
    answer = client.post("/cds-services/metastatic-calcification-patient-view", json=body)
    assert answer.status_code == 200
    assert assessment(answer.get_json())["orderTier"] is None


# ---- the words of every order card


HOSTILE = "<img src=x onerror=alert(1)> [a](//evil.example) `x` | \n# www.evil.example"


def renamed(order: Json) -> Json:
    return {**order, "medicationCodeableConcept": {**order["medicationCodeableConcept"], "text": HOSTILE}}


@pytest.mark.parametrize(
    ("drafts", "values", "conditions"),
    [
        ((draft(),), (calcium(7.8), phosphate(9.0)), ()),
        ((draft(),), (calcium(9.0), phosphate(7.0)), ()),
        ((draft(CALCIUM_CARBONATE), draft(CALCITRIOL, id="draft-2")), (calcium(12.4), phosphate(6.5)), ()),
        ((draft(ENEMA),), (calcium(9.0), phosphate(5.0)), (b.coding(b.SNOMED, "46177005"),)),
        ((draft(WARFARIN),), (calcium(9.0), phosphate(4.4)), (CALCIPHYLAXIS,)),
        ((draft(CALCITRIOL),), (calcium(9.4), phosphate(3.6)), (b.coding(b.SNOMED, "31541009"),)),
        ((draft(b.coding(b.RXNORM, "310798")),), HIGH_CALCIUM, ()),
    ],
)
def test_no_order_card_breaks_the_laws_of_cards(
    client: FlaskClient, drafts: tuple[Json, ...], values: tuple[Json, ...], conditions: tuple[Json, ...]
) -> None:
    body = order_call(*map(renamed, drafts), observations=values)
    body["prefetch"]["conditions"] = bundle(
        *(b.condition(code, id=f"c{number}") for number, code in enumerate(conditions))
    )
    cards = client.post(ORDER_SIGN, json=body).get_json()["cards"]
    assert cards
    for card in cards:
        said = json.dumps([card["summary"], card["detail"], card.get("suggestions", [])], ensure_ascii=False)
        assert 0 < len(card["summary"]) <= 139
        assert "\n" not in card["summary"]
        assert not re.search(r"[<>`]|\]\(|evil\.example/|//evil", card["summary"] + card["detail"])
        for pattern in FORBIDDEN[:-1]:
            assert not re.search(pattern, said, re.I), pattern


def test_the_clock_of_an_order_call_may_be_set_in_the_sandbox(client: FlaskClient) -> None:
    body = sign(client, draft(), extension={CLOCK: AT, "org.calcinosis-cds.explain": True})
    assert assessment(body)["evaluatedAt"] == AT


def test_what_could_not_be_read_is_told_on_an_order_card(client: FlaskClient) -> None:
    body = order_call(draft())
    del body["prefetch"]["procedures"]
    (card,) = client.post(ORDER_SIGN, json=body).get_json()["cards"]
    assert "Part of the record could not be read" in card["detail"]


@pytest.mark.parametrize(
    "broken", [None, {"resourceType": "MedicationRequest", "id": "m", "medicationCodeableConcept": 7}]
)
def test_drafts_that_cannot_be_read_are_never_an_empty_list(client: FlaskClient, broken: Any) -> None:
    body = order_call(draft(medicationCodeableConcept={"coding": [b.coding(b.RXNORM, "161")]}))
    body["context"]["draftOrders"]["entry"].append({"resource": broken})
    answer = client.post(ORDER_SIGN, json=body)
    assert answer.status_code == 400
    issue = answer.get_json()["issue"][0]
    assert issue["expression"] == ["context.draftOrders"]
    assert issue["diagnostics"].startswith("context.draftOrders: 1 of the drafts could not be read")
