"""What a hospital's own folder may add, and what it may not touch."""

from decimal import Decimal
from pathlib import Path

import pytest

from cds_service.terminology.load import ContentError, check, load_catalog

OWN = "urn:oid:1.2.276.0.99.2.5"
OBSERVATIONS = "system,code,display,input,unit,status,note\n"
CONDITIONS = "system,code,display,concept,include,history,specificity,note\n"
MEDICATIONS = "system,code,display,drug,route,note\n"
LOINC_HEADER = "code,display,input,unit,status,rank,source,note\n"


def problems_of(small: Path, site: Path) -> tuple[str, ...]:
    return check(small, site)


def write(site: Path, name: str, text: str) -> None:
    (site / name).write_text(text, encoding="utf-8")


def test_an_empty_folder_adds_nothing(small: Path, site: Path) -> None:
    assert load_catalog(small, site).digest == load_catalog(small).digest


def test_a_folder_that_is_not_there_is_named(small: Path, site: Path) -> None:
    assert problems_of(small, site / "nowhere") == (f"{site / 'nowhere'}:0: file: is not a folder",)


def test_a_local_result_code_is_read_as_an_input(small: Path, site: Path) -> None:
    write(site, "observations.local.csv", OBSERVATIONS + f"{OWN},CA,CA SERUM,ca_total,,accept_if_unit,\n")
    found = load_catalog(small, site).observation(OWN, "CA")
    assert found is not None
    assert (found.input, found.status, found.code) == ("ca_total", "accept_if_unit", f"{OWN} CA")


def test_a_local_diagnosis_code_states_a_concept(small: Path, site: Path) -> None:
    write(site, "conditions.local.csv", CONDITIONS + f"{OWN},D1,Dialyse,esrd-dialysis,self,active,exact,\n")
    found = load_catalog(small, site).findings(OWN, "D1")
    assert [finding.concept for finding in found] == ["esrd-dialysis"]


def test_a_local_medicine_code_is_a_medicine(small: Path, site: Path) -> None:
    write(site, "medications.local.csv", MEDICATIONS + f"{OWN},M1,Phosphatbinder,calcium-acetate,oral,\n")
    found = load_catalog(small, site).drugs_for(OWN, "M1")
    assert [(drug.drug, drug.route_hint) for drug in found] == [("calcium-acetate", "oral")]


def test_a_site_may_add_a_code_that_we_could_not_verify(small: Path, site: Path) -> None:
    write(site, "observations.loinc.csv", LOINC_HEADER + "88106-0,PTH,pth_intact,pg/mL,accept,90,local,\n")
    catalog = load_catalog(small, site)
    assert catalog.observation("http://loinc.org", "88106-0") is not None
    assert catalog.rejected_observation("http://loinc.org", "88106-0") is None
    assert catalog.codes_for("pth_intact")[-1] == "88106-0"


def test_a_site_may_add_a_unit_spelling(small: Path, site: Path) -> None:
    write(
        site,
        "units.csv",
        "input,unit,ucum,factor,verdict,basis,source,note\nca_total,mg pro dL,mg/dL,1,accept_as_text,,local,\n",
    )
    rule = load_catalog(small, site).unit("ca_total", "mg pro dL")
    assert rule is not None
    assert (rule.ucum, rule.factor) == ("mg/dL", Decimal(1))


def test_the_digest_tells_that_a_site_added_something(small: Path, site: Path) -> None:
    write(site, "observations.local.csv", OBSERVATIONS)
    assert load_catalog(small, site).digest != load_catalog(small).digest


def test_a_shipped_code_may_not_be_redefined(small: Path, site: Path) -> None:
    write(site, "observations.loinc.csv", LOINC_HEADER + "2000-8,Calcium,phosphate,mmol/L,accept,91,local,\n")
    assert problems_of(small, site) == (
        "local/observations.loinc.csv:2: code: 2000-8 is shipped already: a site adds, it never redefines",
    )


def test_a_site_may_add_a_code_that_is_unknown_to_us(small: Path, site: Path) -> None:
    write(site, "observations.loinc.csv", LOINC_HEADER + "718-7,Calcium,ca_total,mg/dL,accept,90,local,\n")
    assert problems_of(small, site) == ()


def test_a_look_alike_may_not_be_accepted_by_a_site(small: Path, site: Path) -> None:
    write(site, "observations.loinc.csv", LOINC_HEADER + "1997-6,Calcium in CSF,ca_total,mmol/L,accept,91,local,\n")
    assert problems_of(small, site) == (
        "local/observations.loinc.csv:2: code: 1997-6 is shipped already: a site adds, it never redefines",
    )


def test_a_shipped_diagnosis_code_may_not_be_given_another_meaning(small: Path, site: Path) -> None:
    header = "code,display,concept,include,history,specificity,source,note\n"
    write(site, "conditions.icd10cm.csv", header + "E83.52,Hypercalcemia,sarcoidosis,self,active,exact,local,\n")
    assert problems_of(small, site) == (
        "local/conditions.icd10cm.csv:2: concept: E83.52 is shipped already: a site adds, it never redefines",
    )


def test_a_site_may_not_reach_shipped_codes_through_a_shorter_one(small: Path, site: Path) -> None:
    header = "code,display,concept,include,history,specificity,source,note\n"
    rows = "E83.5,Calcium,hypercalcaemia,descendants,active,exact,local,\nQ99,Other,acne,descendants,any,exact,local,\n"
    write(site, "conditions.icd10cm.csv", header + rows)
    assert problems_of(small, site) == (
        "local/conditions.icd10cm.csv:2: include: shipped codes begin with E83.5: a site adds, it never redefines",
    )


def test_a_rejected_diagnosis_code_may_not_be_accepted_by_a_site(small: Path, site: Path) -> None:
    header = "code,display,concept,include,history,specificity,source,note\n"
    write(site, "conditions.icd10cm.csv", header + "E66.3,Overweight,obesity,self,active,exact,local,\n")
    assert problems_of(small, site) == (
        "local/conditions.icd10cm.csv:2: concept: E66.3 is shipped already: a site adds, it never redefines",
    )


def test_a_shipped_unit_may_not_be_given_another_factor(small: Path, site: Path) -> None:
    write(
        site, "units.csv", "input,unit,ucum,factor,verdict,basis,source,note\nca_total,mmol/L,mg/dL,1,accept,,local,\n"
    )
    assert problems_of(small, site) == (
        "local/units.csv:2: unit: ca_total mmol/L is shipped already: a site adds, it never redefines",
    )


def test_a_code_of_a_shipped_system_does_not_belong_in_a_local_file(small: Path, site: Path) -> None:
    rows = "http://loinc.org,2000-8,Calcium,ca_total,mmol/L,accept,\nour codes,CA,Calcium,ca_total,,accept_if_unit,\n"
    write(site, "observations.local.csv", OBSERVATIONS + rows)
    assert problems_of(small, site) == (
        "local/observations.local.csv:2: system: LOINC has a file of its own: put the code there",
        "local/observations.local.csv:3: system: 'our codes' is not a system URI",
    )


def test_the_rows_of_a_site_are_checked_like_ours(small: Path, site: Path) -> None:
    write(site, "observations.local.csv", OBSERVATIONS + f"{OWN},CA,CA SERUM,ca_total,mg,accept,\n")
    write(
        site, "units.csv", "input,unit,ucum,factor,verdict,basis,source,note\nct_calcium_score,HU,HU,1,accept,,local,\n"
    )
    assert problems_of(small, site) == (
        "local/units.csv:2: input: ct_calcium_score has no canonical unit to convert to",
        "local/observations.local.csv:2: unit: 'mg' of ca_total is not in units.csv",
    )


def test_what_is_wrong_with_the_shipped_rows_is_told_once_and_not_of_the_site(folder: Path, site: Path) -> None:
    path = folder / "units.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",1,accept,", ",1,reject,", 1), encoding="utf-8")
    problems = check(folder)
    assert problems
    assert check(folder, site) == problems


def test_files_that_a_site_may_not_have_are_named(small: Path, site: Path) -> None:
    write(site, "causes.csv", "id\n")
    write(site, "README.md", "ours")
    assert problems_of(small, site) == ("local/causes.csv:0: file: is not a file of the content",)


def test_a_file_that_is_not_utf_8_is_named(small: Path, site: Path) -> None:
    (site / "observations.local.csv").write_bytes(b"\xff")
    (site / "criteria.toml").write_bytes(b"\xff")
    assert problems_of(small, site) == (
        "local/observations.local.csv:1: file: is not UTF-8",
        "local/criteria.toml:1: file: is not UTF-8",
    )


# ---- limits


def limit(name: str, value: str, unit: str = "mg/dL per g/dL") -> str:
    return f'[{name}]\nvalue = "{value}"\nunit = "{unit}"\nreason = "our regression"\n'


@pytest.mark.parametrize("value", ["0.6", "0.7", "1.0"])
def test_a_site_may_set_an_allowed_limit_within_its_bounds(small: Path, site: Path, value: str) -> None:
    write(site, "criteria.toml", limit("correction_mg_dl_per_g_dl", value))
    criteria = load_catalog(small, site).knowledge.criteria
    assert criteria.correction_mg_dl_per_g_dl == Decimal(value)


@pytest.mark.parametrize("value", ["0.59", "1.01"])
def test_a_limit_outside_its_bounds_is_refused(small: Path, site: Path, value: str) -> None:
    write(site, "criteria.toml", limit("correction_mg_dl_per_g_dl", value))
    assert problems_of(small, site) == (
        f"local/criteria.toml:1: correction_mg_dl_per_g_dl: value {value} is not within 0.6 to 1.0",
    )


def test_a_limit_that_is_not_allowed_is_refused_with_those_that_are(small: Path, site: Path) -> None:
    write(site, "criteria.toml", limit("product_critical_mg2_dl2", "80", "mg2/dL2"))
    assert problems_of(small, site) == (
        "local/criteria.toml:1: product_critical_mg2_dl2: may not be set by a site; these may: "
        "correction_mg_dl_per_g_dl, pth_low_pg_ml",
    )


def test_a_limit_in_another_unit_is_refused(small: Path, site: Path) -> None:
    write(site, "criteria.toml", limit("pth_low_pg_ml", "2", "pmol/L"))
    assert problems_of(small, site) == (
        "local/criteria.toml:1: pth_low_pg_ml: unit 'pmol/L' is not 'pg/mL', which the name asks for",
    )


def test_a_limit_without_a_reason_is_refused(small: Path, site: Path) -> None:
    write(site, "criteria.toml", '[pth_low_pg_ml]\nvalue = "15"\nunit = "pg/mL"\n')
    with pytest.raises(ContentError) as refused:
        load_catalog(small, site)
    assert refused.value.problems == ("local/criteria.toml:1: pth_low_pg_ml: has no reason",)
