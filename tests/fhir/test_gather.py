"""Prefetch in all its shapes, the four states of each kind, and when data lack."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from cds_service.calcinosis.facts import Mark
from cds_service.fhir.gather import Fetched, MissingData, PatientRecord, Query, Wanted, gather
from cds_service.fhir.read import read_facts
from cds_service.fhir.record import Kind, State
from cds_service.terminology.catalog import Catalog
from tests.builders import (
    RXNORM,
    bundle,
    coding,
    component,
    concept,
    condition,
    encounter,
    medication_request,
    observation,
    outcome,
    patient,
    prefetch,
    procedure,
    raw,
)
from tests.conftest import NOW
from tests.fhir.reading import facts

PAGE = [{"relation": "next", "url": "https://ehr.example.org/fhir?page=2"}]


def record(prefetched: dict[str, msgspec.Raw], encounter_id: str | None = None, **more: Any) -> PatientRecord:
    return gather(prefetched, "x1", encounter_id, **more)


def missing(prefetched: dict[str, msgspec.Raw], **more: Any) -> dict[str, str]:
    with pytest.raises(MissingData) as caught:
        record(prefetched, **more)
    return dict(zip(caught.value.keys, caught.value.reasons, strict=True))


# ---- shapes of answers


@pytest.mark.parametrize(
    "value",
    [
        bundle(observation("calcium", "9 mg/dL")),
        bundle(observation("calcium", "9 mg/dL"), type="collection"),
        bundle(bundle(observation("calcium", "9 mg/dL")), type="batch-response"),
        observation("calcium", "9 mg/dL"),
        [observation("calcium", "9 mg/dL")],
        [bundle(observation("calcium", "9 mg/dL"))],
        bundle(observation("calcium", "9 mg/dL"), outcome("warning", "informational")),
        bundle(observation("calcium", "9 mg/dL"), {"resourceType": "Practitioner", "id": "dr"}),
        {"entry": [{"resource": observation("calcium", "9 mg/dL")}], "resourceType": "Bundle"},
    ],
)
def test_an_answer_may_be_any_bundle_a_resource_or_a_list(value: Any) -> None:
    got = record(prefetch(observations=value))
    assert [each.id for each in got.observations] == ["calcium-1"]
    assert got.states[Kind.OBSERVATIONS] is State.DATA
    assert got.unread == set()


def test_resources_are_told_by_what_they_are_not_by_their_key() -> None:
    got = record({"a": raw(patient()), "b": raw(bundle(observation("calcium", "9 mg/dL"), condition(), procedure()))})
    assert (len(got.observations), len(got.conditions), len(got.procedures)) == (1, 1, 1)
    assert got.states[Kind.MEDICATIONS] is State.NOT_ASKED


def test_the_same_resource_under_two_keys_counts_once() -> None:
    twice = bundle(observation("calcium", "9 mg/dL"), condition())
    got = record(prefetch(observations=twice, more=twice))
    assert (len(got.observations), len(got.conditions)) == (1, 1)


def test_results_without_an_id_are_all_kept() -> None:
    assert len(record(prefetch(*[observation("calcium", "9 mg/dL", id=...)] * 2)).observations) == 2


@pytest.mark.parametrize(
    "nothing",
    [
        None,
        bundle(),
        bundle(outcome("warning", "not-found")),
        {"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": None},
        [],
        outcome("information", "not-found"),
    ],
)
@pytest.mark.parametrize("key", ["observations", "conditions", "medications", "procedures"])
def test_null_and_an_empty_bundle_are_an_honest_no_data(key: str, nothing: Any) -> None:
    got = record(prefetch(**{key: nothing}))
    kind = Kind(key)
    assert got.states[kind] is State.NO_DATA
    assert got.unread == set()


@pytest.mark.parametrize(
    "failure",
    [
        outcome(),
        outcome("error", "not-found"),
        outcome("warning", "timeout"),
        bundle(outcome()),
        bundle(bundle(type="searchset", entry=[{"response": {"status": "403 Forbidden"}}]), type="batch-response"),
        {"resourceType": "Bundle", "total": 12},
        {"resourceType": "Bundle", "entry": "none"},
        "text",
        7,
        {"some": "thing"},
    ],
)
def test_a_failed_query_is_not_no_data(failure: Any) -> None:
    got = record(prefetch(conditions=failure))
    assert got.states[Kind.CONDITIONS] in (State.FAILED, State.NOT_ASKED)
    assert got.unread == {"conditions"}
    assert list(missing(prefetch(observations=failure))) == ["observations"]


def test_an_absent_key_is_not_asked() -> None:
    got = record(prefetch(conditions=..., procedures=...))
    assert (got.states[Kind.CONDITIONS], got.unread) == (State.NOT_ASKED, {"conditions", "procedures"})


def test_a_part_that_failed_makes_the_kind_incomplete(catalog: Catalog) -> None:
    read = facts(catalog, medication_request(), statements=outcome())
    assert (read.unread, read.marks) == ({"medications"}, {Mark.INCOMPLETE_DATA})
    assert len(read.exposures) == 1


def test_a_first_page_alone_is_incomplete(catalog: Catalog) -> None:
    read = facts(catalog, observations=bundle(observation("calcium", "9 mg/dL"), link=PAGE))
    assert (read.unread, read.marks) == ({"observations"}, {Mark.INCOMPLETE_DATA})
    assert len(read.measurements) == 1


def test_failures_and_used_keys_are_told() -> None:
    got = record(prefetch(conditions=outcome("error", "forbidden")))
    assert got.failed == ["conditions: the query failed (forbidden)"]
    assert "observations" in got.prefetch_used
    assert "conditions" not in got.prefetch_used


# ---- what is needed


def test_without_anything_every_needed_key_is_named() -> None:
    assert missing({}) == {"patient": "not sent with the call", "observations": "not sent with the call"}


def test_everything_failed_is_missing_data() -> None:
    keys = ("patient", "observations", "conditions")
    assert set(missing({key: raw(outcome()) for key in keys})) == {"patient", "observations"}


def test_no_observations_at_all_is_enough_when_somebody_looked() -> None:
    assert record({"patient": raw(patient()), "observations": raw(None)}).states[Kind.OBSERVATIONS] is State.NO_DATA


def test_a_patient_that_does_not_exist_is_no_data() -> None:
    assert record(prefetch(patient=None)).patient is None


def test_another_patient_is_not_had() -> None:
    assert missing(prefetch(patient=patient(id="x2"))) == {
        "patient": "the Patient that came is not the patient of the hook"
    }


def test_another_patient_beside_ours_is_dropped_and_marked(catalog: Catalog) -> None:
    read = facts(catalog, patient=bundle(patient(birthDate="1950-01-01", id="x2"), patient()))
    assert (read.birth_date.year if read.birth_date else None, read.marks) == (1960, {Mark.OTHER_SUBJECT})


def test_a_patient_id_may_carry_its_type() -> None:
    assert gather(prefetch(), "Patient/x1").patient is not None


def test_an_encounter_is_only_asked_for_when_the_call_names_one() -> None:
    assert record(prefetch()).unread == set()
    assert record(prefetch(), "e1").unread == {"encounter"}
    assert record(prefetch(encounter()), "e1").states[Kind.ENCOUNTER] is State.DATA
    assert record(prefetch(encounter=None), "e1").states[Kind.ENCOUNTER] is State.NO_DATA


# ---- groups of observations


GROUPS = (
    Wanted.of("patient", "Patient/{{context.patientId}}"),
    Wanted.of("observations-calcium", "Observation?patient={{context.patientId}}&code=ca", ["ca_total"]),
    Wanted.of("observations-phosphate", "Observation?patient={{context.patientId}}&code=p", ["phosphate"]),
    Wanted.of("observations-kidney", "Observation?patient={{context.patientId}}&code=k", ["creatinine", "egfr"]),
    Wanted.of("conditions", "Condition?patient={{context.patientId}}"),
    Wanted.of("medications", "MedicationRequest?patient={{context.patientId}}"),
    Wanted.of("procedures", "Procedure?patient={{context.patientId}}"),
)


def grouped(**keys: Any) -> dict[str, msgspec.Raw]:
    whole: dict[str, Any] = {each.key: bundle() for each in GROUPS} | {
        "patient": patient(),
        "observations-calcium": bundle(observation("calcium", "9 mg/dL")),
    }
    return {key: raw(value) for key, value in {**whole, **keys}.items() if value is not ...}


def test_all_groups_answered_is_complete() -> None:
    assert record(grouped(), wanted=GROUPS).unread == set()


@pytest.mark.parametrize("lost", [..., outcome()])
def test_a_lost_group_with_calcium_or_phosphate_is_missing_data(lost: Any) -> None:
    assert list(missing(grouped(**{"observations-phosphate": lost}), wanted=GROUPS)) == ["observations-phosphate"]


@pytest.mark.parametrize("lost", [..., outcome()])
def test_the_inputs_of_another_lost_group_are_unread(lost: Any) -> None:
    got = record(grouped(**{"observations-kidney": lost}), wanted=GROUPS)
    assert got.unread >= {"creatinine", "egfr"}


def test_one_key_of_the_sites_own_answers_for_all_groups() -> None:
    site = {
        "demographics": raw(patient()),
        "chemistry": raw(bundle(observation("calcium", "9 mg/dL"))),
        "problems": raw(None),
        "drugs": raw(None),
        "procs": raw(bundle(link=[{"relation": "self", "url": "https://h/fhir/Procedure?patient=x1"}])),
    }
    assert record(site, wanted=GROUPS).unread == set()


# ---- reading what lacks


class Reads:
    """A FHIR server in a dictionary: query text -> pages, or the name of a failure."""

    def __init__(self, pages: dict[str, list[Any] | str]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    def read(self, queries: Sequence[Query]) -> Sequence[Fetched]:
        self.asked += [query.text for query in queries]
        return [self._one(query) for query in queries]

    def _one(self, query: Query) -> Fetched:
        found = self.pages.get(query.text, "status 404")
        if isinstance(found, str):
            return Fetched(query, (), found)
        return Fetched(query, [bytes(raw(page)) for page in found])


def test_what_came_is_not_read_again_and_what_lacks_is() -> None:
    server = Reads({"Condition?patient=x1": [bundle(condition())]})
    got = record(grouped(conditions=...), wanted=GROUPS, fetch=server)
    assert server.asked == ["Condition?patient=x1"]
    assert (len(got.conditions), got.unread) == (1, set())
    assert got.fetched == ["Condition?patient={{context.patientId}}"]


WITH_STATEMENTS = (*GROUPS, Wanted.of("statements", "MedicationStatement?patient={{context.patientId}}"))


def test_statements_do_not_stand_for_orders_of_medicines() -> None:
    sent = grouped(medications=..., statements=bundle())
    assert record(sent, wanted=WITH_STATEMENTS).unread == {"medications"}
    server = Reads({"MedicationRequest?patient=x1": [bundle()]})
    assert record(sent, wanted=WITH_STATEMENTS, fetch=server).unread == set()
    assert server.asked == ["MedicationRequest?patient=x1"]


def test_a_client_that_sends_orders_of_medicines_need_not_send_statements() -> None:
    assert record(grouped(), wanted=WITH_STATEMENTS).unread == set()
    server = Reads({"MedicationStatement?patient=x1": [bundle()]})
    assert record(grouped(), wanted=WITH_STATEMENTS, fetch=server).unread == set()
    assert server.asked == ["MedicationStatement?patient=x1"]


def test_a_failed_prefetch_is_read_anew() -> None:
    server = Reads({"Observation?patient=x1&code=p": [bundle(observation("phosphate", "5 mg/dL"))]})
    got = record(grouped(**{"observations-phosphate": outcome()}), wanted=GROUPS, fetch=server)
    assert (len(got.observations), got.unread, got.failed) == (2, set(), [])


def test_further_pages_are_followed() -> None:
    server = Reads({"https://ehr.example.org/fhir?page=2": [bundle(observation("calcium", "8 mg/dL", id="older"))]})
    first = bundle(observation("calcium", "9 mg/dL"), link=PAGE)
    got = record(grouped(**{"observations-calcium": first}), wanted=GROUPS, fetch=server)
    assert (len(got.observations), got.unread) == (2, set())


BY_REFERENCE = {
    name: medication_request(
        id=name, medicationCodeableConcept=..., medicationReference={"reference": f"Medication/{name}"}
    )
    for name in ("a", "b")
}


def medication(name: str) -> dict[str, Any]:
    return {"resourceType": "Medication", "id": name, "code": concept(coding(RXNORM, "1894"))}


def test_medicines_that_orders_refer_to_are_read(catalog: Catalog) -> None:
    server = Reads({"Medication?_id=b": [bundle(medication("b"))]})
    sent = grouped(medications=bundle(*BY_REFERENCE.values(), medication("a")))
    got = record(sent, wanted=GROUPS, fetch=server)
    assert server.asked == ["Medication?_id=b"]
    assert got.fetched == ["medications referred to"]
    assert [each.reference for each in read_facts(got, catalog, NOW).exposures] == [
        "MedicationRequest/a",
        "MedicationRequest/b",
    ]


def test_medicines_that_cannot_be_read_leave_the_medicines_incomplete() -> None:
    got = record(grouped(medications=bundle(BY_REFERENCE["a"])), wanted=GROUPS, fetch=Reads({}))
    assert (got.unread, got.failed) == ({"medications"}, ["medications referred to: status 404"])


def test_a_medicine_of_another_server_is_not_asked_of_this_one() -> None:
    elsewhere = BY_REFERENCE["a"] | {"medicationReference": {"reference": "https://other.example/fhir/Medication/a"}}
    server = Reads({})
    assert record(grouped(medications=bundle(elsewhere)), wanted=GROUPS, fetch=server).unread == set()
    assert server.asked == []


def test_searches_for_medicines_are_short_and_few() -> None:
    orders = [
        BY_REFERENCE["a"] | {"id": f"o{n}", "medicationReference": {"reference": f"Medication/m{n}"}}
        for n in range(300)
    ]
    server = Reads({})
    record(grouped(medications=bundle(*orders)), wanted=GROUPS, fetch=server)
    assert [query.count(",") for query in server.asked] == [49] * 4


def test_pages_that_cannot_be_had_leave_the_kind_incomplete() -> None:
    first = bundle(observation("calcium", "9 mg/dL"), link=PAGE)
    got = record(grouped(**{"observations-calcium": first}), wanted=GROUPS, fetch=Reads({}))
    assert got.unread >= {"observations"}
    assert got.failed == ["observations-calcium: status 404"]


def test_no_prefetch_at_all_is_read_as_a_whole() -> None:
    server = Reads(
        {
            "Patient/x1": [patient()],
            **{each.query.replace("{{context.patientId}}", "x1"): [bundle()] for each in GROUPS[1:]},
        }
    )
    got = record({}, wanted=GROUPS, fetch=server)
    assert (got.states[Kind.PATIENT], got.unread) == (State.DATA, set())


def test_a_server_that_refuses_is_missing_data_with_its_reason() -> None:
    assert missing({}, wanted=GROUPS, fetch=Reads({}))["patient"] == "status 404"


def test_the_server_may_send_what_was_not_asked(catalog: Catalog) -> None:
    foreign = observation("phosphate", "9 mg/dL", subject={"reference": "Patient/x2"})
    assert facts(catalog, observations=bundle(foreign)).marks == {Mark.OTHER_SUBJECT}


# ---- bad resources


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (observation("phosphate", "4 mg/dL", status=5), "Expected str | null, got int at $.status"),
        (observation("phosphate", valueQuantity=[7]), "Expected object | null, got array at $.valueQuantity"),
        (observation("phosphate", valueString=8.4), "Expected str | null, got float at $.valueString"),
    ],
)
def test_a_bad_resource_costs_only_itself_and_is_told_without_its_values(
    catalog: Catalog, bad: Any, reason: str
) -> None:
    read = facts(catalog, observation("calcium", "9 mg/dL"), bad)
    assert [m.input for m in read.measurements] == ["ca_total"]
    assert read.notes == (f"Observation/phosphate-1: not used: {reason}",)
    assert [(gap.analyte, gap.detail) for gap in read.gaps] == [
        ("phosphate", "Inorganic phosphate result not readable, not used")
    ]


def test_a_harmless_field_that_does_not_fit_is_left_out_with_a_note(catalog: Catalog) -> None:
    read = facts(catalog, observation("calcium", "9 mg/dL", issued=5), condition(recordedDate=7, onsetDateTime=["x"]))
    assert len(read.measurements) == 1
    assert read.findings
    assert any(note.startswith("Observation/calcium-1: read leniently") for note in read.notes)


def test_an_object_where_a_list_is_due_is_read(catalog: Catalog) -> None:
    request = medication_request(dosageInstruction={"text": "daily"}, category={"text": "x"}, contained={"id": "y"})
    assert len(facts(catalog, request).exposures) == 1


def test_explicit_nulls_and_unknown_fields_do_no_harm(catalog: Catalog) -> None:
    value = observation("calcium", "9 mg/dL", note=None, component=None, specimen=None, referenceRange=None, made_up=1)
    assert len(facts(catalog, value).measurements) == 1


@pytest.mark.parametrize("bad", [None, 5, [], "x", {}, {"resourceType": None}, {"resourceType": "Nonsense"}])
def test_entries_that_are_nothing_leave_the_rest(bad: Any) -> None:
    got = record(
        prefetch(observations=bundle(entry=[{"resource": bad}, {"resource": observation("calcium", "9 mg/dL")}]))
    )
    assert len(got.observations) == 1


@pytest.mark.parametrize("bad", [None, 5, [], "x", {}])
def test_entries_without_form_leave_the_rest(bad: Any) -> None:
    got = record(prefetch(observations=bundle(entry=[bad, {"resource": observation("calcium", "9 mg/dL")}])))
    assert len(got.observations) == 1


def test_deep_nesting_and_broken_text_are_failures_not_crashes() -> None:
    deep = msgspec.Raw(b'{"resourceType":"Bundle","entry":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    broken = msgspec.Raw(b'{"resourceType":"Condition","id":"\xff"}')
    got = record({**prefetch(), "conditions": deep, "procedures": broken})
    assert got.unread >= {"conditions"}


def test_components_that_cannot_be_read_are_told(catalog: Catalog) -> None:
    read = facts(catalog, observation("24323-8", component=[component("calcium", "9 mg/dL"), 5]))
    assert read.measurements == ()
    assert read.notes == ("Observations with unreadable components: 1",)


def test_raw_json_is_kept_only_when_asked() -> None:
    assert record(prefetch(observation("calcium", "9 mg/dL"))).raw == {}
    kept = record(prefetch(observation("calcium", "9 mg/dL")), keep_raw=True).raw
    assert set(kept) == {"Patient/x1", "Observation/calcium-1"}
