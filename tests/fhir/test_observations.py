"""Which Observations count, for whom, from what sample, when and in which draw."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cds_service.calcinosis.facts import GapReason, Mark
from cds_service.fhir.remarks import marks_in
from cds_service.terminology.catalog import Catalog
from tests.builders import LOINC, SNOMED, coding, component, concept, observation
from tests.fhir.reading import NOW, facts, only_gap, only_measurement

LOCAL = "urn:oid:1.2.276.0.99.2.5"


def specimen(*codings: Any, number: str = "s1", text: str | None = None, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Specimen", "id": number, "type": concept(*codings, text=text), **more}


def report(*members: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "subject": {"reference": "Patient/x1"},
        "result": [{"reference": member} for member in members],
        **more,
    }


# ---- codes


def test_all_codings_are_walked_and_an_input_counts_once(catalog: Catalog) -> None:
    code = concept(coding(LOCAL, "CA"), coding(LOINC, "17861-6"), coding(LOINC, "2000-8"))
    assert only_measurement(catalog, observation("calcium", "9 mg/dL", code=code)).input == "ca_total"


def test_two_codes_may_give_two_inputs(catalog: Catalog) -> None:
    code = concept(coding(LOINC, "17861-6"), coding(LOINC, "2777-1"))
    read = facts(catalog, observation("calcium", "9 mg/dL", code=code))
    assert [m.input for m in read.measurements] == ["ca_total", "phosphate"]


def test_an_oid_is_as_good_as_the_uri_of_the_system(catalog: Catalog) -> None:
    code = concept(coding("urn:oid:2.16.840.1.113883.6.1", "17861-6"))
    assert only_measurement(catalog, observation("calcium", "9 mg/dL", code=code)).input == "ca_total"


def test_text_is_never_matched_but_told_to_mapping_maintainers(catalog: Catalog) -> None:
    local = concept(coding(LOCAL, "CA", "CALCIUM SERUM"), text="Calcium")
    read = facts(catalog, observation("calcium", "9 mg/dL", id="o1", code=local))
    assert read.measurements == ()
    assert f"Observation/o1: a result labelled 'CALCIUM SERUM' with code CA of {LOCAL} is not mapped" in read.notes


def test_unmapped_results_with_other_names_and_known_look_alikes_are_not_told(catalog: Catalog) -> None:
    urine = concept(coding(LOINC, "17862-4", "Calcium [Mass/volume] in Urine"))
    sodium = concept(coding(LOINC, "2951-2", "Sodium"))
    read = facts(catalog, observation("x", "9 mg/dL", id="a", code=urine), observation("y", "9 mg/dL", code=sodium))
    assert (read.measurements, read.notes, read.marks) == ((), (), frozenset())


def test_results_without_any_code_are_counted(catalog: Catalog) -> None:
    assert "Observations without a code: 1" in facts(catalog, observation("x", "9 mg/dL", code={"text": "Ca"})).notes


def test_a_urine_code_beside_a_blood_code_forbids_the_result(catalog: Catalog) -> None:
    code = concept(coding(LOINC, "17861-6"), coding(LOINC, "17862-4"))
    read = facts(catalog, observation("calcium", "9 mg/dL", code=code))
    assert (read.measurements, read.marks) == ((), {Mark.URINE_REJECTED})


# ---- status


@pytest.mark.parametrize("status", ["final", "amended", "corrected", "final "])
def test_final_amended_and_corrected_results_count(catalog: Catalog, status: str) -> None:
    assert only_measurement(catalog, observation("calcium", "9 mg/dL", status=status)).value == 9


@pytest.mark.parametrize("status", ["preliminary", "registered"])
def test_a_preliminary_result_is_pending(catalog: Catalog, status: str) -> None:
    gap = only_gap(catalog, observation("calcium", "9 mg/dL", status=status))
    assert (gap.analyte, gap.reason, gap.reference) == ("ca_total", GapReason.PENDING, "Observation/calcium-1")


def test_a_pending_result_whose_final_one_is_there_is_no_gap(catalog: Catalog) -> None:
    read = facts(
        catalog,
        observation("calcium", "9 mg/dL", status="preliminary", id="early"),
        observation("calcium", "9.1 mg/dL", id="late"),
    )
    assert ([m.reference for m in read.measurements], read.gaps) == (["Observation/late"], ())


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error", "unknown"])
def test_cancelled_wrong_and_unknown_results_are_left_out_silently(catalog: Catalog, status: str) -> None:
    read = facts(catalog, observation("calcium", "9 mg/dL", status=status))
    assert (read.measurements, read.gaps) == ((), ())


@pytest.mark.parametrize("status", [..., "finished", ""])
def test_a_missing_or_nonsense_status_is_a_gap(catalog: Catalog, status: Any) -> None:
    assert only_gap(catalog, observation("calcium", "9 mg/dL", status=status)).reason is GapReason.UNREADABLE


def test_a_corrected_result_replaces_that_of_the_same_code_and_time(catalog: Catalog) -> None:
    read = facts(
        catalog,
        observation("calcium", "14 mg/dL", id="first"),
        observation("calcium", "9 mg/dL", id="second", status="corrected"),
        observation("calcium", "9.5 mg/dL", id="other-time", at="2026-10-11T07:30:00+02:00"),
    )
    assert [m.reference for m in read.measurements] == ["Observation/second", "Observation/other-time"]


def test_a_corrected_result_replaces_that_of_the_same_identifier(catalog: Catalog) -> None:
    accession = [{"system": "urn:lab", "value": "A1"}]
    read = facts(
        catalog,
        observation("calcium", "14 mg/dL", id="first", identifier=accession),
        observation(
            "calcium", "9 mg/dL", id="second", status="amended", identifier=accession, at="2026-10-12T07:45:00+02:00"
        ),
    )
    assert [m.reference for m in read.measurements] == ["Observation/second"]


def test_two_final_results_of_one_time_both_stay(catalog: Catalog) -> None:
    read = facts(catalog, observation("calcium", "9 mg/dL", id="a"), observation("calcium", "9.2 mg/dL", id="b"))
    assert len(read.measurements) == 2


@pytest.mark.parametrize(("one", "other"), [("1", "2"), ("9", "10")])
def test_of_two_versions_of_one_id_the_higher_counts(catalog: Catalog, one: str, other: str) -> None:
    old = observation("calcium", "14 mg/dL", meta={"versionId": one})
    new = observation("calcium", "9 mg/dL", meta={"versionId": other})
    assert only_measurement(catalog, old, new).value == 9
    assert only_measurement(catalog, new, old).value == 9


def test_a_later_version_entered_in_error_removes_the_result(catalog: Catalog) -> None:
    wrong = observation("calcium", "14 mg/dL", status="entered-in-error", meta={"lastUpdated": "2026-10-12T09:00:00Z"})
    right = observation("calcium", "14 mg/dL", meta={"lastUpdated": "2026-10-12T08:00:00Z"})
    assert facts(catalog, right, wrong).measurements == ()


# ---- subject


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/x1",
        "https://ehr.example.org/fhir/Patient/x1",
        "Patient/x1/_history/3",
        "http://h/Patient/x1/_history/9",
    ],
)
def test_the_subject_may_be_written_in_any_form(catalog: Catalog, reference: str) -> None:
    assert only_measurement(catalog, observation("calcium", "9 mg/dL", subject={"reference": reference})).value == 9


@pytest.mark.parametrize("reference", ["Patient/x10", "Patient/X1", "Group/x1", "https://h/Patient/x1x", "#x1", "x1"])
def test_a_result_of_another_subject_is_dropped_and_marked(catalog: Catalog, reference: str) -> None:
    read = facts(catalog, observation("calcium", "9 mg/dL", subject={"reference": reference}))
    assert (read.measurements, read.gaps, read.marks) == ((), (), {Mark.OTHER_SUBJECT})


@pytest.mark.parametrize("subject", [..., None, {"display": "someone"}])
def test_a_result_without_subject_is_used_with_a_note(catalog: Catalog, subject: Any) -> None:
    read = facts(catalog, observation("calcium", "9 mg/dL", subject=subject))
    assert len(read.measurements) == 1
    assert "Observations used without a subject: 1" in read.notes


def test_a_result_whose_subject_cannot_be_read_is_not_used(catalog: Catalog) -> None:
    read = facts(catalog, observation("calcium", "9 mg/dL", subject={"reference": 7}))
    assert read.measurements == ()
    assert "Observations not used, subject not readable: 1" in read.notes


# ---- specimen


URINE = coding(SNOMED, "122575003", "Urine specimen (specimen)")
SERUM = coding(SNOMED, "119364003", "Serum specimen (specimen)")


def test_a_contained_urine_specimen_rejects_a_blood_code(catalog: Catalog) -> None:
    read = facts(
        catalog,
        observation("calcium", "15 mg/dL", contained=[specimen(URINE, number="sp")], specimen={"reference": "#sp"}),
    )
    assert (read.measurements, read.marks) == ((), {Mark.URINE_REJECTED})
    assert read.gaps[0].detail.endswith("taken from urine, not used as a blood result")


@pytest.mark.parametrize(
    "reference", ["Specimen/s1", "https://ehr.example.org/fhir/Specimen/s1", "Specimen/s1/_history/2"]
)
def test_an_included_urine_specimen_rejects_a_blood_code(catalog: Catalog, reference: str) -> None:
    read = facts(catalog, observation("calcium", "15 mg/dL", specimen={"reference": reference}), specimen(URINE))
    assert (read.measurements, read.marks) == ((), {Mark.URINE_REJECTED})


def test_a_serum_specimen_or_an_unknown_one_admits(catalog: Catalog) -> None:
    value = observation("calcium", "9 mg/dL", specimen={"reference": "Specimen/s1"})
    assert only_measurement(catalog, value, specimen(SERUM)).value == 9
    assert only_measurement(catalog, value).value == 9


@pytest.mark.parametrize(
    ("words", "mark"),
    [
        ("Urine", Mark.URINE_REJECTED),
        ("24 h  urine", Mark.URINE_REJECTED),
        ("Dialysate", Mark.SPECIMEN_REJECTED),
        ("Stool", Mark.SPECIMEN_REJECTED),
        ("Other fluid", Mark.SPECIMEN_REJECTED),
    ],
)
def test_plain_words_for_a_specimen_only_reject(catalog: Catalog, words: str, mark: Mark) -> None:
    assert facts(catalog, observation("calcium", "9 mg/dL", specimen={"display": words})).marks == {mark}
    assert facts(
        catalog,
        observation("calcium", "9 mg/dL", specimen={"reference": "Specimen/s1"}),
        specimen(SERUM, text=words),
    ).marks == {mark}


@pytest.mark.parametrize(
    ("system", "code"),
    [(SNOMED, "122575003"), ("http://terminology.hl7.org/CodeSystem/v2-0487", "URINC")],
)
def test_a_urine_specimen_is_known_by_its_code_without_a_display(catalog: Catalog, system: str, code: str) -> None:
    specimen = {"resourceType": "Specimen", "id": "s", "type": concept(coding(system, code))}
    read = facts(catalog, observation("calcium", "9 mg/dL", contained=[specimen], specimen={"reference": "#s"}))
    assert (read.measurements, read.marks) == ((), {Mark.URINE_REJECTED})


@pytest.mark.parametrize("words", ["Serum", "no urine", "Urine-free serum", "blood"])
def test_other_words_for_a_specimen_say_nothing(catalog: Catalog, words: str) -> None:
    assert only_measurement(catalog, observation("calcium", "9 mg/dL", specimen={"display": words})).value == 9


def test_an_edta_tube_rejects_calcium_but_not_pth(catalog: Catalog) -> None:
    edta = specimen(coding("http://terminology.hl7.org/CodeSystem/v2-0371", "EDTK"))
    assert catalog.specimen("http://terminology.hl7.org/CodeSystem/v2-0371", "EDTK") is not None
    reference = {"reference": "Specimen/s1"}
    read = facts(
        catalog,
        observation("calcium", "4.2 mg/dL", specimen=reference),
        observation("pth", "40 pg/mL", specimen=reference),
        edta,
    )
    assert [m.input for m in read.measurements] == ["pth_intact"]
    assert [(gap.analyte, gap.reason, gap.mark) for gap in read.gaps] == [
        ("ca_total", GapReason.REFUSED, Mark.SAMPLE_QUALITY)
    ]


def test_a_specimen_that_cannot_be_read_is_not_taken_for_blood(catalog: Catalog) -> None:
    read = facts(catalog, observation("calcium", "9 mg/dL", specimen=["Specimen/s1"]))
    assert read.measurements == ()
    assert "specimen not readable" in read.gaps[0].detail


# ---- quality and dialysis


@pytest.mark.parametrize(
    "text",
    [
        "Specimen haemolysed, recollect",
        "HEMOLYZED",
        "moderate hemolysis",
        "lipaemic sample",
        "lipemic",
        "icteric",
        "sample contaminated",
        "taken from drip arm",
        "EDTA contamination suspected",
        "insufficient sample",
        "delayed separation",
        "please recollect",
        "not fasting; haemolysed",
    ],
)
def test_words_of_a_spoilt_sample_mark_the_value(catalog: Catalog, text: str) -> None:
    assert only_measurement(catalog, observation("phosphate", "8 mg/dL", note=[{"text": text}])).marks == {
        Mark.SAMPLE_QUALITY
    }


@pytest.mark.parametrize(
    "text",
    [
        "no haemolysis",
        "not haemolysed",
        "non-hemolyzed",
        "without visible hemolysis",
        "haemolysis index 0",
        "Haemolysis: none",
        "hemolysis absent",
        "sample clear",
        "free of haemolysis",
        "not haemolysed, not lipaemic",
    ],
)
def test_a_denied_word_marks_nothing(text: str) -> None:
    assert marks_in(text, "phosphate") == frozenset()


def test_insufficient_vitamin_d_is_no_spoilt_sample() -> None:
    assert marks_in("Vitamin D insufficient 20-29 ng/mL", "vitd_25oh_total") == frozenset()


@pytest.mark.parametrize(
    "where",
    [
        {"comment": "haemolysed"},
        {"comments": "haemolysed"},
        {"method": {"text": "haemolysed"}},
        {"interpretation": [{"text": "haemolysed"}]},
        {"note": {"text": "haemolysed"}},
    ],
)
def test_quality_words_are_found_wherever_a_release_puts_them(catalog: Catalog, where: Any) -> None:
    assert only_measurement(catalog, observation("phosphate", "8 mg/dL", **where)).marks == {Mark.SAMPLE_QUALITY}


def test_a_coded_state_of_the_specimen_marks_the_value(catalog: Catalog) -> None:
    spoilt = specimen(SERUM, condition=[concept(coding("http://terminology.hl7.org/CodeSystem/v2-0493", "HEM"))])
    found = only_measurement(
        catalog, observation("phosphate", "8 mg/dL", specimen={"reference": "Specimen/s1"}), spoilt
    )
    assert found.marks == {Mark.SAMPLE_QUALITY}


@pytest.mark.parametrize(
    "where",
    [
        {"note": [{"text": "post-dialysis"}]},
        {"note": [{"text": "taken after dialysis"}]},
        {"code": concept(coding(LOINC, "2777-1"), text="Phosphate postdialysis")},
        {"method": {"text": "post dialysis draw"}},
    ],
)
def test_a_label_says_post_dialysis(catalog: Catalog, where: Any) -> None:
    assert only_measurement(catalog, observation("phosphate", "3.9 mg/dL", **where)).marks == {Mark.POST_DIALYSIS}


def test_a_timing_qualifier_on_the_specimen_says_post_dialysis(catalog: Catalog) -> None:
    value = observation("phosphate", "3.9 mg/dL", specimen={"reference": "Specimen/s1"})
    post = specimen(SERUM, coding(SNOMED, "115500004", "Post-dialysis (qualifier value)"))
    pre = specimen(SERUM, coding(SNOMED, "115499008", "Pre-dialysis (qualifier value)"))
    assert only_measurement(catalog, value, post).marks == {Mark.POST_DIALYSIS}
    assert only_measurement(catalog, value, pre).marks == frozenset()


@pytest.mark.parametrize("text", ["pre-dialysis", "not post-dialysis", "dialysis patient"])
def test_other_words_on_dialysis_mark_nothing(text: str) -> None:
    assert marks_in(text, "phosphate") == frozenset()


# ---- time


@pytest.mark.parametrize(
    "time",
    [
        {"effectiveDateTime": "2026-10-12T07:30:00+02:00"},
        {"effectiveInstant": "2026-10-12T07:30:00+02:00"},
        {"effectivePeriod": {"start": "2026-10-12T07:30:00+02:00", "end": "2026-10-12T07:40:00+02:00"}},
        {"effectiveTiming": {"event": ["2026-10-12T07:30:00+02:00"]}},
        {"effectiveDateTime": "2026-10-12T07:30:00.123+02:00"},
        {"effectiveDateTime": "2026-10-12T05:30:00Z"},
        {"effectiveDateTime": "2026-10-12T07:30+02:00"},
    ],
)
def test_the_collection_time_is_read_in_each_form(catalog: Catalog, time: Any) -> None:
    found = only_measurement(catalog, observation("calcium", "9 mg/dL", at=None, **time))
    assert found.taken.at.replace(microsecond=0) == datetime(2026, 10, 12, 7, 30, tzinfo=NOW.tzinfo)
    assert (found.taken.day_only, found.taken.uncertain) == (False, False)


def test_a_date_without_time_begins_with_that_day_in_the_zone_of_the_call(catalog: Catalog) -> None:
    taken = only_measurement(catalog, observation("calcium", "9 mg/dL", at="2026-10-12")).taken
    assert (taken.at, taken.text, taken.day_only) == (datetime(2026, 10, 12, tzinfo=NOW.tzinfo), "2026-10-12", True)


def test_a_time_without_zone_is_read_in_the_zone_of_the_call_with_a_note(catalog: Catalog) -> None:
    read = facts(catalog, observation("calcium", "9 mg/dL", at="2026-10-12T07:30:00"))
    assert read.measurements[0].taken.at == datetime(2026, 10, 12, 7, 30, tzinfo=NOW.tzinfo)
    assert "times of results without zone, read in the zone of the call: 1" in read.notes


def test_the_report_that_lists_a_result_gives_its_time(catalog: Catalog) -> None:
    panel = report("Observation/calcium-1", effectiveDateTime="2026-10-12T07:00:00+02:00")
    found = only_measurement(catalog, observation("calcium", "9 mg/dL", at=None, issued="2026-10-12T09:00:00Z"), panel)
    assert (found.taken.text, found.taken.uncertain) == ("2026-10-12T07:00:00+02:00", False)


def test_only_the_reporting_time_is_uncertain(catalog: Catalog) -> None:
    taken = only_measurement(catalog, observation("calcium", "9 mg/dL", at=None, issued="2026-10-12T07:00:00Z")).taken
    assert taken.uncertain


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (None, "no date"),
        ("2026", "date without a day"),
        ("2026-10", "date without a day"),
        ("yesterday", "not readable"),
        ("2026-13-01", "not readable"),
        ("2026-10-12T25:00:00Z", "not readable"),
        ("20261012", "not readable"),
        ("0001-01-01T00:00:00Z", "not readable"),
        ("2026-10-12T10:46:00+02:00", "future"),
        ("2026-10-13", "future"),
        ("2110-01-01T00:00:00Z", "future"),
    ],
)
def test_a_result_without_a_usable_date_is_a_gap(catalog: Catalog, at: str | None, told: str) -> None:
    gap = only_gap(catalog, observation("calcium", "9 mg/dL", at=at))
    assert gap.reason is GapReason.UNREADABLE
    assert told in gap.detail


@pytest.mark.parametrize("at", ["2026-10-12T10:45:00+02:00", "2026-10-12", "2026-10-12T18:45:00+10:00"])
def test_a_quarter_of_an_hour_ahead_and_the_same_day_are_no_future(catalog: Catalog, at: str) -> None:
    assert only_measurement(catalog, observation("calcium", "9 mg/dL", at=at)).value == 9


def test_the_reporting_time_does_not_replace_a_date_that_is_too_coarse(catalog: Catalog) -> None:
    coarse = observation("calcium", "9 mg/dL", at="2026-10", issued="2026-10-12T07:00:00Z")
    assert only_gap(catalog, coarse).taken is not None


# ---- panels and draws


def test_components_count_like_results_and_belong_to_one_draw(catalog: Catalog) -> None:
    panel = observation(
        "24323-8", component=[component("calcium", "10.2 mg/dL"), component("phosphate", "7.9 mg/dL")], id="panel"
    )
    read = facts(catalog, panel)
    assert [(m.input, m.value) for m in read.measurements] == [
        ("ca_total", Decimal("10.2")),
        ("phosphate", Decimal("7.9")),
    ]
    assert all(m.draws == {"Observation/panel"} and m.reference == "Observation/panel" for m in read.measurements)


def test_the_status_of_the_panel_is_that_of_its_components(catalog: Catalog) -> None:
    panel = observation("24323-8", component=[component("calcium", "10.2 mg/dL")], status="entered-in-error")
    assert facts(catalog, panel).measurements == ()
    panel["status"] = "registered"
    assert [gap.reason for gap in facts(catalog, panel).gaps] == [GapReason.PENDING]


def test_a_draw_is_named_by_specimen_report_and_panel(catalog: Catalog) -> None:
    read = facts(
        catalog,
        observation("calcium", "9 mg/dL", specimen={"reference": "http://h/fhir/Specimen/s1"}),
        observation("24323-8", id="panel", hasMember=[{"reference": "Observation/calcium-1"}]),
        report("Observation/calcium-1"),
    )
    assert read.measurements[0].draws == {"Specimen/s1", "DiagnosticReport/r1", "Observation/panel"}


def test_a_result_by_itself_names_no_draw(catalog: Catalog) -> None:
    assert only_measurement(catalog, observation("calcium", "9 mg/dL")).draws == frozenset()


def test_contained_specimens_of_two_results_are_two_draws(catalog: Catalog) -> None:
    inside = {"contained": [specimen(SERUM, number="sp")], "specimen": {"reference": "#sp"}}
    read = facts(catalog, observation("calcium", "9 mg/dL", **inside), observation("phosphate", "4 mg/dL", **inside))
    assert len({draw for m in read.measurements for draw in m.draws}) == 2


# ---- pregnancy


PREGNANT = coding(SNOMED, "77386006", "Pregnant")


def test_a_positive_pregnancy_status_is_a_finding(catalog: Catalog) -> None:
    read = facts(catalog, observation("82810-3", id="preg", valueCodeableConcept=concept(PREGNANT)))
    assert [(f.concept, f.active, f.reference) for f in read.findings] == [("pregnancy", True, "Observation/preg")]


def test_a_later_negative_status_ends_it_and_an_old_one_is_history(catalog: Catalog) -> None:
    positive = observation("82810-3", id="a", valueCodeableConcept=concept(PREGNANT), at="2026-03-01")
    negative = observation("82810-3", id="b", valueCodeableConcept=concept(coding(SNOMED, "60001007")), at="2026-09-01")
    assert facts(catalog, positive, negative).findings == ()
    long_ago = (NOW - timedelta(days=301)).date().isoformat()
    positive["effectiveDateTime"] = long_ago
    assert [f.active for f in facts(catalog, positive).findings] == [False]
