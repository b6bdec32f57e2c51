"""What codes mean, and what must never be taken for them."""

from dataclasses import astuple, replace
from decimal import Decimal

import pytest

from cds_service.calcinosis.facts import EncounterClass, Route, Specificity
from cds_service.terminology.catalog import Catalog, DrugCode, Input

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
ICD9CM = "http://hl7.org/fhir/sid/icd-9-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
V2_0487 = "http://terminology.hl7.org/CodeSystem/v2-0487"
V2_0371 = "http://terminology.hl7.org/CodeSystem/v2-0371"


def concepts(shipped: Catalog, system: str, code: str) -> list[str]:
    return [finding.concept for finding in shipped.findings(system, code)]


# ---- observations


@pytest.mark.parametrize("system", [LOINC, LOINC + "/", " http://loinc.org", "urn:oid:2.16.840.1.113883.6.1"])
def test_the_usual_calcium_code_is_total_calcium_in_every_spelling_of_its_system(shipped: Catalog, system: str) -> None:
    found = shipped.observation(system, " 17861-6 ")
    assert found is not None
    assert (found.input, found.status, found.unit, found.code) == ("ca_total", "accept", "mg/dL", "LOINC 17861-6")
    assert found.display == "Calcium [Mass/volume] in Serum or Plasma"


def test_a_code_that_leaves_mass_or_molar_open_gives_no_unit_hint(shipped: Catalog) -> None:
    found = shipped.observation(LOINC, "35221-1")
    assert found is not None
    assert (found.input, found.status, found.unit) == ("phosphate", "accept_if_unit", "")


@pytest.mark.parametrize(("system", "code"), [(SNOMED, "17861-6"), ("urn:oid:1.2.3", "17861-6"), (LOINC, "718-7")])
def test_another_system_or_an_unlisted_code_is_no_input(shipped: Catalog, system: str, code: str) -> None:
    assert shipped.observation(system, code) is None
    assert shipped.rejected_observation(system, code) is None


@pytest.mark.parametrize(
    ("code", "looks_like", "reason"),
    [
        ("1997-6", "ca_total", "CSF"),
        ("18488-7", "ca_total", "urine"),  # calcium in 24 hour urine
        ("83064-6", "ca_ionized", "CRRT circuit"),
    ],
)
def test_a_look_alike_is_rejected_with_its_reason(shipped: Catalog, code: str, looks_like: str, reason: str) -> None:
    found = shipped.rejected_observation(LOINC, code)
    assert found is not None
    assert (found.looks_like, found.reason) == (looks_like, reason)


def test_no_look_alike_is_ever_accepted(shipped: Catalog) -> None:
    assert [code for code in shipped.rejected[LOINC] if shipped.observation(LOINC, code) is not None] == []


def test_calcium_corrected_for_protein_is_context_only(shipped: Catalog) -> None:
    found = shipped.observation(LOINC, "18281-6")
    assert found is not None
    assert (found.input, found.status) == ("ca_corrected_protein", "context")


# ---- conditions


@pytest.mark.parametrize("code", ["N18.6", "N186", "n18.6", " N18.6 "])
def test_end_stage_disease_is_itself_first_then_kidney_disease(shipped: Catalog, code: str) -> None:
    assert concepts(shipped, ICD10CM, code) == ["esrd-dialysis", "chronic-renal-failure"]


def test_the_oid_of_icd_10_cm_is_understood(shipped: Catalog) -> None:
    assert concepts(shipped, "urn:oid:2.16.840.1.113883.6.90", "N18.5")[0] == "ckd-stage-5"


def test_hypercalcaemia_is_exact_and_the_rest_of_its_code_is_broader(shipped: Catalog) -> None:
    found = {finding.concept: finding.specificity for finding in shipped.findings(ICD10CM, "E83.52")}
    assert found == {
        "hypercalcaemia": Specificity.EXACT,
        "milk-alkali-syndrome": Specificity.BROADER,
        "paraneoplastic-hypercalcaemia": Specificity.BROADER,
    }


def test_the_bare_parent_of_hypercalcaemia_means_nothing_in_icd_10_cm(shipped: Catalog) -> None:
    assert shipped.findings(ICD10CM, "E83.5") == ()


def test_the_same_code_string_means_something_else_in_icd_10_of_who(shipped: Catalog) -> None:
    assert {finding.specificity for finding in shipped.findings(ICD10, "E83.5")} == {Specificity.RESIDUAL}


def test_e83_59_names_a_group_and_documents_nothing_alone(shipped: Catalog) -> None:
    found = shipped.findings(ICD10CM, "E83.59")
    assert {finding.concept for finding in found} == {"calciphylaxis", "metastatic-calcification", "tumoral-calcinosis"}
    assert {finding.specificity for finding in found} == {Specificity.RESIDUAL}


@pytest.mark.parametrize("code", ["N18.32", "N1832", "N18.30", "N18.3"])
def test_a_subdivision_of_stage_3_is_stage_3(shipped: Catalog, code: str) -> None:
    assert concepts(shipped, ICD10CM, code) == ["ckd-stage-3", "chronic-renal-failure"]


@pytest.mark.parametrize("code", ["T20.011A", "T21.30XD", "T25"])
def test_a_burn_with_its_seventh_character_is_a_burn(shipped: Catalog, code: str) -> None:
    assert concepts(shipped, ICD10CM, code) == ["burn"]


def test_a_code_that_only_begins_alike_is_not_matched(shipped: Catalog) -> None:
    # N25.81 is listed for itself alone; N25.8 and N25.811 are not it.
    assert concepts(shipped, ICD10CM, "N25.81") == ["secondary-hyperparathyroidism"]
    assert shipped.findings(ICD10CM, "N25.8") == ()
    assert shipped.findings(ICD10CM, "N25.811") == ()


@pytest.mark.parametrize("code", ["C83.70", "C8370", "C7A.1", "C91.00", "C79.51"])
def test_every_code_of_chapter_c_is_cancer(shipped: Catalog, code: str) -> None:
    assert "active-malignancy" in concepts(shipped, ICD10CM, code)


@pytest.mark.parametrize("code", ["D37.6", "Z85.3"])
def test_an_uncertain_or_past_tumour_is_no_active_cancer(shipped: Catalog, code: str) -> None:
    assert "active-malignancy" not in concepts(shipped, ICD10CM, code)


def test_the_history_of_cancer_is_a_concept_of_its_own(shipped: Catalog) -> None:
    found = shipped.findings(ICD10CM, "Z85.3")
    assert [(finding.concept, finding.history_counts) for finding in found] == [("history-of-malignancy", True)]


def test_overweight_is_not_obesity_though_its_parent_holds_both(shipped: Catalog) -> None:
    assert concepts(shipped, ICD10CM, "E66.01") == ["obesity"]
    assert shipped.findings(ICD10CM, "E66.3") == ()


@pytest.mark.parametrize(
    ("code", "poisoned"), [("T46.1X1A", True), ("T46.1X4S", True), ("T46.1X5A", False), ("T46.1X6A", False)]
)
def test_an_adverse_effect_of_a_calcium_channel_blocker_is_no_poisoning(
    shipped: Catalog, code: str, poisoned: bool
) -> None:
    assert ("calcium-channel-blocker-poisoning" in concepts(shipped, ICD10CM, code)) is poisoned


@pytest.mark.parametrize(
    ("system", "code"),
    [(ICD10CM, "Z99.2"), (ICD10CM, "Z49.31"), (ICD10, "Z99.2"), (ICD9CM, "V45.11"), (SNOMED, "714152005"),
     (SNOMED, "105502003"), (SNOMED, "428982002"), (SNOMED, "236435004")],
)  # fmt: skip
def test_a_code_that_says_dialysis_states_dialysis_dependence(shipped: Catalog, system: str, code: str) -> None:
    assert "dialysis-dependence" in concepts(shipped, system, code)


@pytest.mark.parametrize(("system", "code"), [(ICD10CM, "N18.6"), (SNOMED, "46177005"), (SNOMED, "161693006")])
def test_end_stage_disease_or_past_dialysis_is_no_proof_of_dialysis(shipped: Catalog, system: str, code: str) -> None:
    assert "dialysis-dependence" not in concepts(shipped, system, code)


def test_a_snomed_code_is_matched_exactly_and_labelled(shipped: Catalog) -> None:
    found = shipped.findings(SNOMED, " 237900002 ")
    assert [(finding.concept, finding.specificity, finding.history_counts) for finding in found] == [
        ("calciphylaxis", Specificity.EXACT, True)
    ]
    assert found[0].code == "SNOMED CT 237900002"


def test_a_code_whose_name_states_cause_and_calcification_documents_both(shipped: Catalog) -> None:
    found = {finding.concept: finding.specificity for finding in shipped.findings(SNOMED, "403514006")}
    assert found == {"systemic-sclerosis": Specificity.EXACT, "dystrophic-calcification": Specificity.NARROWER}


@pytest.mark.parametrize("code", ["126859007", "1338007", "237881004"])
def test_a_rejected_snomed_code_means_nothing(shipped: Catalog, code: str) -> None:
    assert code in shipped.rejected_findings[SNOMED]
    assert shipped.findings(SNOMED, code) == ()


def test_a_snomed_code_that_is_turned_down_means_nothing_even_where_a_row_names_it(shipped: Catalog) -> None:
    strict = replace(shipped, rejected_findings={SNOMED: frozenset({"237900002"})})
    assert strict.findings(SNOMED, " 237900002 ") == ()
    assert strict.findings(SNOMED, "403514006") != ()


def test_a_rejected_icd_code_means_nothing(shipped: Catalog) -> None:
    assert shipped.findings(ICD10CM, "P83.0") == ()


@pytest.mark.parametrize("system", ["http://fhir.de/CodeSystem/bfarm/icd-10-gm", "", "urn:oid:1.2.3"])
def test_a_code_of_an_unknown_system_means_nothing(shipped: Catalog, system: str) -> None:
    assert shipped.findings(system, "N18.6") == ()
    assert shipped.drugs_for(system, "N18.6") == ()
    assert shipped.procedures(system, "N18.6") == ()
    assert shipped.specimen(system, "SER") is None
    assert shipped.route(system, "47625008") is None


@pytest.mark.parametrize(("code", "disturbs"), [("236594", True), ("8410", True), ("5224", False)])
def test_liposomal_amphotericin_and_alteplase_disturb_but_a_heparin_order_does_not(
    shipped: Catalog, code: str, disturbs: bool
) -> None:
    assert (concepts(shipped, RXNORM, code) == ["drug-interference"]) is disturbs


# ---- medicines


def test_an_ingredient_has_no_route(shipped: Catalog) -> None:
    assert [(d.drug, d.route_hint, d.code) for d in shipped.drugs_for(RXNORM, "1908")] == [
        ("calcium-gluconate", "", "RxNorm 1908")
    ]


@pytest.mark.parametrize(
    ("code", "drug", "route"),
    [
        ("283100", "sodium-phosphate", "rectal"),
        ("388517", "calcitriol", "other"),
        ("1000001", "hydrochlorothiazide", "oral"),
    ],
)
def test_the_dose_form_of_a_product_gives_its_route(shipped: Catalog, code: str, drug: str, route: str) -> None:
    assert [(found.drug, found.route_hint) for found in shipped.drugs_for(RXNORM, code)] == [(drug, route)]


def test_a_product_with_two_ingredients_is_two_medicines(shipped: Catalog) -> None:
    both = [codes for codes in shipped.drug_codes[RXNORM].values() if len(codes) == 2]
    assert {"calcium-carbonate", "cholecalciferol"} in [{each.drug for each in codes} for codes in both]


@pytest.mark.parametrize("code", ["847617", "847621"])
def test_an_infusion_or_irrigation_fluid_with_a_trace_of_calcium_is_no_calcium(shipped: Catalog, code: str) -> None:
    assert shipped.drugs_for(RXNORM, code) == ()


@pytest.mark.parametrize(
    ("code", "drugs"),
    [
        ("A11CC05", ["cholecalciferol"]),  # listed itself
        ("A11CC20", ["vitamin-d"]),  # by its class
        ("A10AB05", ["insulin"]),
        ("A10", []),  # a wider class says nothing
        ("N02BE01", []),
    ],
)
def test_an_atc_code_is_itself_else_the_nearest_class(shipped: Catalog, code: str, drugs: list[str]) -> None:
    assert [found.drug for found in shipped.drugs_for(ATC, code)] == drugs


@pytest.mark.parametrize(
    ("code", "drugs"), [("B09ZZ99", ["narrow"]), ("B09ZZ", ["wide"]), ("B88", ["wide"]), ("C09ZZ99", [])]
)
def test_of_two_atc_classes_the_longer_one_says_most_down_to_one_letter(
    shipped: Catalog, code: str, drugs: list[str]
) -> None:
    classes = {letter: (DrugCode(drug, "", letter, drug),) for letter, drug in (("B", "wide"), ("B09ZZ9", "narrow"))}
    assert [found.drug for found in replace(shipped, drug_prefixes=classes).drugs_for(ATC, code)] == drugs


def test_a_snomed_substance_is_a_medicine(shipped: Catalog) -> None:
    assert [found.drug for found in shipped.drugs_for(SNOMED, "372756006")] == ["warfarin"]


def test_an_unknown_product_is_no_medicine(shipped: Catalog) -> None:
    assert shipped.drugs_for(RXNORM, "161") == ()


# ---- procedures, specimens, routes, places


@pytest.mark.parametrize(
    ("system", "code", "kind", "use"),
    [
        (SNOMED, "302497006", "haemodialysis", "accept"),
        (PCS, "5A1D70Z", "haemodialysis", "accept"),
        (SNOMED, "12976005", "x_donor", "exclude"),
        (SNOMED, "28812006", "x_dialysis_care", "exclude"),
        (SNOMED, "77262006", "heel_stick", "context"),
    ],
)
def test_a_procedure_code_gives_kind_and_use(shipped: Catalog, system: str, code: str, kind: str, use: str) -> None:
    assert [(found.kind, found.use) for found in shipped.procedures(system, code)] == [(kind, use)]


@pytest.mark.parametrize("code", ["105502003", "77386006", "47625008"])
def test_a_finding_or_a_route_is_no_procedure(shipped: Catalog, code: str) -> None:
    assert shipped.procedures(SNOMED, code) == ()


@pytest.mark.parametrize(
    ("system", "code", "verdict"),
    [
        (SNOMED, "119364003", "accept"),
        (SNOMED, "122575003", "reject_urine"),
        (SNOMED, "115499008", "pre_dialysis"),
        (SNOMED, "115500004", "post_dialysis"),
        (V2_0487, "SER", "accept"),
        (V2_0487, "UR", "reject_urine"),
        ("http://hl7.org/fhir/v2/0371", "EDTK", "reject_for_calcium_magnesium"),
        (V2_0371, "XYZ", None),
    ],
)
def test_a_specimen_code_gives_its_verdict(shipped: Catalog, system: str, code: str, verdict: str | None) -> None:
    assert shipped.specimen(system, code) == verdict


def test_a_route_code_gives_the_route(shipped: Catalog) -> None:
    assert shipped.route(SNOMED, "47625008") is Route.INTRAVENOUS
    assert shipped.route(SNOMED, "46177005") is None


@pytest.mark.parametrize(
    ("code", "setting"),
    [("IMP", EncounterClass.INPATIENT), ("OBSENC", EncounterClass.INPATIENT), ("EMER", EncounterClass.ED),
     ("AMB", EncounterClass.OUTPATIENT), ("HH", EncounterClass.OUTPATIENT), ("ICU", None), ("PRENC", None)],
)  # fmt: skip
def test_an_encounter_class_gives_the_setting(shipped: Catalog, code: str, setting: EncounterClass | None) -> None:
    assert shipped.encounter_class(code) is setting


@pytest.mark.parametrize(("code", "intensive"), [("ICU", True), ("PEDNICU", True), ("HOSP", False), ("IMP", False)])
def test_a_location_type_tells_intensive_care(shipped: Catalog, code: str, intensive: bool) -> None:
    assert shipped.intensive_care(code) is intensive


# ---- queries


def test_codes_for_a_query_begin_with_the_usual_ones(shipped: Catalog) -> None:
    assert shipped.codes_for("ca_total")[:2] == ("17861-6", "2000-8")
    assert shipped.codes_for("phosphate", "albumin")[0] == "2777-1"


def test_context_codes_are_asked_for_only_when_wanted(shipped: Catalog) -> None:
    assert "13959-2" not in shipped.codes_for("ca_ionized")
    assert "13959-2" in shipped.codes_for("ca_ionized", context=True)


def test_an_unknown_input_has_no_codes(shipped: Catalog) -> None:
    assert shipped.codes_for("calcuim") == ()


def test_the_panels_of_each_input_are_asked_for_in_order(shipped: Catalog) -> None:
    assert shipped.panels_for("ca_total")[:2] == ("24321-2", "24323-8")
    bloods = replace(shipped, panels={"phosphate": ("24362-6",), "ca_total": ("24321-2", "24323-8")})
    assert bloods.panels_for("phosphate", "calcuim", "ca_total") == ("24362-6", "24321-2", "24323-8")
    assert shipped.panels_for("calcuim") == ()


# ---- whole rows


def test_a_row_is_read_whole_each_cell_in_its_place(shipped: Catalog) -> None:
    assert shipped.inputs["albumin"] == Input(
        "albumin", "Albumin, serum/plasma", "g/dL", Decimal("0.5"), Decimal("6.5"), "phosphate"
    )
    adult = [known for known in shipped.knowledge.ranges if known.input == "albumin"]
    assert [astuple(known) for known in adult] == [
        ("albumin", Decimal(18), Decimal(150), Decimal("3.5"), Decimal("5.0"), "g/dL")
    ]
    assert shipped.dose_units["IU"] == 1
    assert all(key == drug.id and drug.name and drug.roles for key, drug in shipped.drugs.items())
    assert not [drug.id for drug in shipped.drugs.values() for role in drug.roles if ";" in role]
    assert all(cause.name for cause in shipped.knowledge.causes.values())
    assert shipped.bounds["pth_low_pg_ml"] == (Decimal(10), Decimal(30))


def test_evidence_has_the_code_and_the_plain_name(shipped: Catalog) -> None:
    (dialysis,) = shipped.procedures(SNOMED, "302497006")
    assert (dialysis.code, dialysis.display) == ("SNOMED CT 302497006", "Hemodialysis")
    rejected = shipped.rejected_observation(LOINC, "1997-6")
    assert rejected is not None
    assert rejected.code == "LOINC 1997-6"
    assert rejected.display
    assert all(each.display for each in shipped.findings(ICD10CM, "N18.6"))
    assert all(each.display for each in shipped.drugs_for(RXNORM, "1908"))


def test_a_snomed_medicine_has_no_route_of_its_own(shipped: Catalog) -> None:
    assert [found.route_hint for found in shipped.drugs_for(SNOMED, "372756006")] == [""]
