"""Draft orders as EHRs send them, into orders of the rules."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from cds_service.calcinosis.facts import Route
from cds_service.calcinosis.orders import NotJudged, Order, Unjudged
from cds_service.fhir.gather import gather
from cds_service.fhir.orders import Drafts, read_orders
from cds_service.terminology.catalog import Catalog
from tests import builders as b
from tests.calls import draft

Json = dict[str, Any]
ATC = "http://www.whocc.no/atc"
ROUTE = {"coding": [{"system": "http://snomed.info/sct", "code": "47625008"}]}
WARFARIN = b.coding(b.RXNORM, "855332")


def read(catalog: Catalog, drafts: Any, selections: list[str] | None = None, *resources: Mapping[str, Any]) -> Drafts:
    record = gather(b.prefetch(*resources), b.PATIENT)
    return read_orders(msgspec.Raw(json.dumps(drafts).encode()), selections, record, catalog)


def bundle(*drafts: Any) -> Json:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in drafts]}


def only_order(catalog: Catalog, each: Json, *resources: Mapping[str, Any]) -> Order:
    found = read(catalog, bundle(each), None, *resources)
    assert found.not_judged == ()
    (order,) = found.orders
    return order


def only_gap(catalog: Catalog, each: Any) -> NotJudged:
    found = read(catalog, bundle(each))
    assert found.orders == ()
    (gap,) = found.not_judged
    return gap


# ---- which medicine


def test_a_coded_draft_is_an_order_with_the_route_of_its_product(catalog: Catalog) -> None:
    order = only_order(catalog, draft())
    assert order.reference == "MedicationRequest/draft-1"
    (drug,) = order.drugs
    assert (drug.drug, drug.group, drug.route) == ("calcium-gluconate", "iv_calcium", Route.INTRAVENOUS)


def test_the_route_of_the_dosage_rules_over_that_of_the_product(catalog: Catalog) -> None:
    oral = {"coding": [{"system": "http://snomed.info/sct", "code": "26643006"}]}
    order = only_order(catalog, draft(dosageInstruction=[{"route": oral}]))
    assert order.drugs[0].route is Route.ORAL


@pytest.mark.parametrize(
    ("code", "route"),
    [("A06AG01", Route.RECTAL), ("A06AD17", Route.ORAL), ("B05XA09", Route.INTRAVENOUS), ("V03AG05", Route.UNKNOWN)],
)
def test_an_atc_class_tells_the_route_of_sodium_phosphate(catalog: Catalog, code: str, route: Route) -> None:
    order = only_order(catalog, draft(b.coding(ATC, code)))
    assert (order.drugs[0].drug, order.drugs[0].route) == ("sodium-phosphate", route)


def test_a_product_of_two_medicines_is_one_order_with_both(catalog: Catalog) -> None:
    order = only_order(catalog, draft(WARFARIN, b.coding(ATC, "A11CC05")))
    assert {drug.drug for drug in order.drugs} == {"warfarin", "cholecalciferol"}


def test_a_medication_among_the_drafts_is_found_by_reference(catalog: Catalog) -> None:
    medication = {"resourceType": "Medication", "id": "med", "code": {"coding": [WARFARIN], "text": "Warfarin 5 mg"}}
    by_reference = draft(medicationCodeableConcept=..., medicationReference={"reference": "Medication/med"})
    found = read(catalog, bundle(medication, by_reference))
    assert [drug.drug for order in found.orders for drug in order.drugs] == ["warfarin"]
    assert found.orders[0].name == "Warfarin 5 mg"
    assert found.not_judged == ()


def test_a_medication_is_found_by_the_address_of_its_entry(catalog: Catalog) -> None:
    medication = {"resourceType": "Medication", "code": {"coding": [WARFARIN]}}
    by_reference = draft(medicationCodeableConcept=..., medicationReference={"reference": "urn:uuid:1"})
    drafts = {"entry": [{"fullUrl": "urn:uuid:1", "resource": medication}, {"resource": by_reference}]}
    assert [order.drugs[0].drug for order in read(catalog, drafts).orders] == ["warfarin"]


def test_a_medication_is_found_contained_and_in_prefetch(catalog: Catalog) -> None:
    medication = {"resourceType": "Medication", "id": "med", "code": {"coding": [WARFARIN]}}
    inside = draft(medicationCodeableConcept=..., contained=[medication], medicationReference={"reference": "#med"})
    assert only_order(catalog, inside).drugs[0].drug == "warfarin"
    beside = draft(medicationCodeableConcept=..., medicationReference={"reference": "Medication/med"})
    assert only_order(catalog, beside, medication).drugs[0].drug == "warfarin"


def test_a_medicine_of_no_rule_is_neither_an_order_nor_a_gap(catalog: Catalog) -> None:
    found = read(catalog, bundle(draft(b.coding(b.RXNORM, "161", display="Acetaminophen"))))
    assert (found.orders, found.not_judged) == ((), ())


# ---- what cannot be judged is named


def test_a_medicine_in_words_only_is_named_and_not_judged(catalog: Catalog) -> None:
    gap = only_gap(catalog, draft(medicationCodeableConcept={"text": "calcium gluconate 10 %"}))
    assert gap == NotJudged("MedicationRequest/draft-1", Unjudged.NOT_CODED, "calcium gluconate 10 %")


@pytest.mark.parametrize("medicine", [..., {}, {"coding": []}, {"coding": [{"system": b.RXNORM}]}])
def test_a_half_filled_draft_without_a_medicine_is_named(catalog: Catalog, medicine: Any) -> None:
    assert only_gap(catalog, draft(medicationCodeableConcept=medicine)).reason is Unjudged.NOT_CODED


def test_a_medication_that_did_not_come_is_named(catalog: Catalog) -> None:
    reference = {"reference": "Medication/away", "display": "Warfarin"}
    gap = only_gap(catalog, draft(medicationCodeableConcept=..., medicationReference=reference))
    assert (gap.reason, gap.name) == (Unjudged.NOT_CODED, "Warfarin")


def test_a_code_of_a_system_without_a_table_is_named(catalog: Catalog) -> None:
    gap = only_gap(catalog, draft(b.coding("urn:oid:1.2.3", "77", display="Hospital item 77")))
    assert gap == NotJudged("MedicationRequest/draft-1", Unjudged.CODE_UNKNOWN, "Hospital item 77")


def test_an_unlisted_code_with_the_name_of_a_medicine_of_the_rules_is_named(catalog: Catalog) -> None:
    gap = only_gap(catalog, draft(b.coding(b.RXNORM, "9999999", display="Calcium Gluconate 100 MG/ML [Newbrand]")))
    assert gap.reason is Unjudged.CODE_UNKNOWN


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error", "stopped", "completed"])
def test_an_order_that_is_over_is_named_and_not_judged(catalog: Catalog, status: str) -> None:
    assert only_gap(catalog, draft(status=status)).reason is Unjudged.NOT_TO_BE_GIVEN


def test_an_order_not_to_perform_is_named_and_not_judged(catalog: Catalog) -> None:
    assert only_gap(catalog, draft(doNotPerform=True)).reason is Unjudged.NOT_TO_BE_GIVEN


@pytest.mark.parametrize("subject", [{"reference": "Patient/other"}, "Patient/x1", 7])
def test_an_order_for_another_patient_is_named_and_not_judged(catalog: Catalog, subject: Any) -> None:
    assert only_gap(catalog, draft(subject=subject)).reason is Unjudged.OTHER_PATIENT


@pytest.mark.parametrize(
    "broken",
    [
        {"resourceType": "MedicationRequest", "id": "draft-2", "medicationCodeableConcept": 7},
        {"resourceType": "MedicationRequest", "id": "draft-2", "status": {"value": "draft"}},
    ],
)
def test_a_broken_draft_costs_only_itself(catalog: Catalog, broken: Json) -> None:
    found = read(catalog, bundle(broken, draft()))
    assert [order.reference for order in found.orders] == ["MedicationRequest/draft-1"]
    assert found.not_judged == (NotJudged("MedicationRequest/draft-2", Unjudged.UNREADABLE),)


@pytest.mark.parametrize("entry", [7, "x", None, [], {"resource": 7}, {"resource": {"id": "no-type"}}, {}])
def test_an_entry_that_is_no_resource_costs_only_itself(catalog: Catalog, entry: Any) -> None:
    found = read(catalog, {"resourceType": "Bundle", "entry": [entry, {"resource": draft()}]})
    assert len(found.orders) == 1
    assert [gap.reason for gap in found.not_judged] == [Unjudged.UNREADABLE]
    assert found.not_judged[0].reference == "draftOrders entry 1"


def test_a_flood_of_drafts_is_cut_and_the_cut_is_named(catalog: Catalog) -> None:
    found = read(catalog, bundle(*(draft(id=f"d{number}") for number in range(501))))
    assert len(found.orders) == 500
    assert found.not_judged == (NotJudged("draftOrders", Unjudged.UNREADABLE),)


# ---- the forms of a Bundle and of an order


@pytest.mark.parametrize(
    "drafts",
    [
        bundle(draft()),
        {"resourceType": "Bundle", "entry": [{"resource": draft()}]},
        {"entry": [{"resource": draft()}]},
        [draft()],
        draft(),
        [bundle(draft())],
    ],
)
def test_drafts_are_taken_in_every_form(catalog: Catalog, drafts: Any) -> None:
    assert [order.reference for order in read(catalog, drafts).orders] == ["MedicationRequest/draft-1"]


@pytest.mark.parametrize(
    "more",
    [
        {"intent": ...},
        {"status": ...},
        {"status": "active"},
        {"status": "on-hold"},
        {"intent": "proposal"},
        {"subject": ...},
        {"authoredOn": 5},
        {"category": {"text": "inpatient"}},
        {"dosageInstruction": "as told"},
        {"id": "x" * 200},
    ],
)
def test_half_filled_and_odd_drafts_are_orders(catalog: Catalog, more: Json) -> None:
    assert only_order(catalog, draft(**more)).drugs[0].drug == "calcium-gluconate"


def test_a_draft_without_an_id_is_an_order_that_nothing_can_refer_to(catalog: Catalog) -> None:
    order = only_order(catalog, draft(id=...))
    assert (order.reference, order.has_id) == ("MedicationRequest/without-id", False)


@pytest.mark.parametrize("kind", ["ServiceRequest", "DeviceRequest", "NutritionOrder", "VisionPrescription", "Task"])
def test_other_requests_are_taken_and_say_nothing(catalog: Catalog, kind: str) -> None:
    found = read(catalog, bundle({"resourceType": kind, "id": "s1", "status": "draft"}, draft()))
    assert (len(found.orders), found.not_judged) == (1, ())


# ---- selections (CH-34)


def test_selections_are_the_subject_and_the_others_background(catalog: Catalog) -> None:
    other = draft(WARFARIN, id="draft-2", medicationCodeableConcept={"coding": [WARFARIN], "text": "warfarin"})
    found = read(catalog, bundle(draft(), other), ["MedicationRequest/draft-1"])
    assert [order.reference for order in found.orders] == ["MedicationRequest/draft-1"]
    assert (found.background, found.not_judged) == (("warfarin",), ())


@pytest.mark.parametrize("selection", ["draft-2", "https://ehr.example/fhir/MedicationRequest/draft-2"])
def test_a_selection_by_bare_id_or_address_is_found(catalog: Catalog, selection: str) -> None:
    found = read(catalog, bundle(draft(), draft(WARFARIN, id="draft-2")), [selection])
    assert [order.reference for order in found.orders] == ["MedicationRequest/draft-2"]


def test_a_selection_by_the_address_of_its_entry_is_found(catalog: Catalog) -> None:
    drafts = {"entry": [{"fullUrl": "urn:uuid:7", "resource": draft(id=...)}, {"resource": draft(WARFARIN)}]}
    assert [order.drugs[0].drug for order in read(catalog, drafts, ["urn:uuid:7"]).orders] == ["calcium-gluconate"]


def test_a_selected_order_that_is_no_medicine_leaves_nothing_to_judge(catalog: Catalog) -> None:
    service = {"resourceType": "ServiceRequest", "id": "s1"}
    found = read(catalog, bundle(service, draft()), ["ServiceRequest/s1"])
    assert (found.orders, found.not_judged) == ((), ())


def test_a_selection_that_is_not_there_is_named(catalog: Catalog) -> None:
    found = read(catalog, bundle(draft()), ["MedicationRequest/draft-1", "MedicationRequest/away"])
    assert len(found.orders) == 1
    assert found.not_judged == (NotJudged("MedicationRequest/away", Unjudged.NOT_AMONG_DRAFTS),)


@pytest.mark.parametrize("selections", [["MedicationRequest/away"], []])
def test_when_no_selection_is_there_all_drafts_are_judged(catalog: Catalog, selections: list[str]) -> None:
    assert len(read(catalog, bundle(draft()), selections).orders) == 1


def test_a_broken_draft_that_was_not_selected_is_background(catalog: Catalog) -> None:
    broken = {"resourceType": "MedicationRequest", "id": "draft-2", "medicationCodeableConcept": 7}
    assert read(catalog, bundle(draft(), broken), ["MedicationRequest/draft-1"]).not_judged == ()
    found = read(catalog, bundle(draft(), broken), ["MedicationRequest/draft-2"])
    assert (found.orders, [gap.reason for gap in found.not_judged]) == ((), [Unjudged.UNREADABLE])


# ---- how much vitamin D a day


def vitamin_d(catalog: Catalog, *dosages: Json) -> Decimal | None:
    order = only_order(catalog, draft(b.coding(ATC, "A11CC05"), dosageInstruction=list(dosages)))
    return order.vitamin_d_iu_per_day


def dosage(value: Any = 5000, unit: str = "[iU]", **repeat: Any) -> Json:
    quantity = {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    return {
        "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d", **repeat}},
        "doseAndRate": [{"doseQuantity": quantity}],
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (dosage(), "10000"),
        (dosage(125, "ug"), "10000"),
        (dosage(70000, frequency=1, periodUnit="wk"), "10000"),
        (dosage(5000, frequency=1, period=12, periodUnit="h"), "10000"),
        (dosage(10000) | {"timing": {"repeat": {"period": 1, "periodUnit": "d"}}}, "10000"),
        ({"timing": dosage()["timing"], "doseQuantity": {"value": 5000, "unit": "IU"}}, "10000"),
        (dosage() | {"asNeededBoolean": False}, "10000"),
    ],
)
def test_an_amount_is_read_where_it_is_stated_exactly(catalog: Catalog, given: Json, expected: str) -> None:
    assert vitamin_d(catalog, given) == Decimal(expected)


@pytest.mark.parametrize(
    "given",
    [
        dosage(2, "{capsule}"),
        dosage("5000"),
        dosage(-5),
        dosage(frequencyMax=3),
        dosage(dayOfWeek=["mon"]),
        dosage(when=["AC"]),
        dosage(count=1),
        dosage(periodUnit="mo"),
        dosage(periodUnit=...),
        dosage(period=0),
        dosage(period=...),
        dosage(frequency="twice"),
        dosage() | {"asNeededBoolean": True},
        dosage() | {"asNeededCodeableConcept": {"text": "when tired"}},
        dosage() | {"doseAndRate": [{"doseRange": {"low": {"value": 1}}}]},
        dosage() | {"doseAndRate": []},
        dosage() | {"doseAndRate": dosage()["doseAndRate"] * 2},
        {"timing": {"code": {"text": "BID"}}, "doseAndRate": dosage()["doseAndRate"]},
        {"doseAndRate": dosage()["doseAndRate"]},
        {"text": "10000 IU daily"},
    ],
)
def test_an_amount_that_is_not_stated_exactly_is_unknown(catalog: Catalog, given: Json) -> None:
    repeat = given.get("timing", {}).get("repeat", {})
    for name in [name for name, value in repeat.items() if value is ...]:
        del repeat[name]
    assert vitamin_d(catalog, given) is None


def test_several_instructions_leave_the_amount_unknown(catalog: Catalog) -> None:
    assert vitamin_d(catalog, dosage(), dosage()) is None
    assert vitamin_d(catalog) is None
    order = only_order(catalog, draft(b.coding(ATC, "A11CC05"), dosageInstruction="as told"))
    assert order.vitamin_d_iu_per_day is None


def test_an_amount_with_a_comparator_is_unknown(catalog: Catalog) -> None:
    given = dosage()
    given["doseAndRate"][0]["doseQuantity"]["comparator"] = "<"
    assert vitamin_d(catalog, given) is None
