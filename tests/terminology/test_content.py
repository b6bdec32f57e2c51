"""What is told about a folder whose tables do not fit together."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.terminology.load import ContentError, check, load_catalog, shipped_mappings
from tests.terminology.conftest import Spoil

ALBUMIN = 'albumin,"Albumin, serum/plasma",g/dL,0.5,6.5,phosphate,'


def test_the_shipped_content_has_no_problem(folder: Path) -> None:
    assert check(folder) == ()


def test_bad_content_is_refused_with_all_problems(folder: Path) -> None:
    (folder / "routes.snomed.csv").write_text("code\n", encoding="utf-8")
    (folder / "concepts.csv").unlink()
    with pytest.raises(ContentError) as refused:
        load_catalog(folder)
    assert refused.value.problems == check(folder)
    assert str(refused.value).startswith("concepts.csv:0: file: is missing\n")
    assert "routes.snomed.csv:1: header: is 'code', expected 'code,display,route,source'" in refused.value.problems


def test_a_file_that_is_not_part_of_the_content_is_named(folder: Path) -> None:
    (folder / "conditions.icd10gm.csv").write_text("code\n", encoding="utf-8")
    assert check(folder) == ("conditions.icd10gm.csv:0: file: is not a file of the content",)


def test_hidden_files_are_nobody_s_business(folder: Path) -> None:
    (folder / ".DS_Store").write_bytes(b"\x00")
    assert check(folder) == ()


def test_a_missing_toml_file_is_named_once_with_what_it_takes_away(folder: Path) -> None:
    (folder / "criteria.toml").unlink()
    assert check(folder) == ("criteria.toml:0: file: is missing",)


def test_a_site_without_a_snomed_licence_leaves_the_snomed_files_out(folder: Path) -> None:
    for path in folder.glob("*.snomed.csv"):
        path.unlink()
    catalog = load_catalog(folder)
    assert catalog.findings("http://snomed.info/sct", "46177005") == ()
    assert catalog.findings("http://hl7.org/fhir/sid/icd-10-cm", "N18.6") != ()


def test_a_file_of_another_code_system_may_not_be_left_out(folder: Path) -> None:
    (folder / "conditions.icd9cm.csv").unlink()
    assert "conditions.icd9cm.csv:0: file: is missing" in check(folder)


# ---- inputs and units


def test_the_canonical_unit_must_have_factor_1(spoil: Spoil) -> None:
    assert "inputs.csv:3: canonical_unit: 'mg/dL' has no row with factor 1 in units.csv" in spoil(
        "inputs.csv", ALBUMIN, ALBUMIN.replace("g/dL", "mg/dL")
    )


@pytest.mark.parametrize(("low", "high"), [("6.5", "0.5"), ("6.5", "6.5"), ("0", "0"), ("0.5", "0")])
def test_bounds_must_rise(spoil: Spoil, low: str, high: str) -> None:
    assert spoil("inputs.csv", ALBUMIN, ALBUMIN.replace("0.5,6.5", f"{low},{high}")) == (
        f"inputs.csv:3: low: {low} is not below {high}",
    )


def test_bounds_without_a_unit_are_refused(spoil: Spoil) -> None:
    problems = spoil("inputs.csv", ALBUMIN, ALBUMIN.replace("g/dL", ""))
    assert problems[:2] == (
        "inputs.csv:3: canonical_unit: bounds without a unit",
        "inputs.csv:3: note: does not say why there is no unit",
    )
    assert "albumin has no canonical unit to convert to" in problems[2]


@pytest.mark.parametrize("bounds", ["0.5,", ",6.5", "0.5,6.5"])
def test_one_bound_without_a_unit_is_refused(spoil: Spoil, bounds: str) -> None:
    problems = spoil("inputs.csv", ALBUMIN, ALBUMIN.replace("g/dL", "").replace("0.5,6.5", bounds))
    assert problems[0] == "inputs.csv:3: canonical_unit: bounds without a unit"


def test_inputs_below_one_without_a_unit_are_looked_at_too(spoil: Spoil) -> None:
    assert _line("inputs.csv", "ct_calcium_score,") < _line("inputs.csv", "weight,")
    assert spoil("inputs.csv", "weight,Body weight,kg,0.3,500,", "weight,Body weight,kg,500,0.3,") == (
        f"inputs.csv:{_line('inputs.csv', 'weight,')}: low: 500 is not below 0.3",
    )


def test_a_bound_that_is_no_decimal_is_refused(spoil: Spoil) -> None:
    assert spoil("inputs.csv", ALBUMIN, ALBUMIN.replace("0.5", "half")) == (
        "inputs.csv:3: low: 'half' is not a plain decimal",
    )


def test_an_id_has_lower_case_letters_only(spoil: Spoil) -> None:
    assert spoil("prefetch-groups.csv", "kidney,3,", "Kidney,3,")[0] == (
        "prefetch-groups.csv:6: group: 'Kidney' is not an id (lower case, digits, - or _)"
    )


def test_an_unknown_prefetch_group_is_refused(spoil: Spoil) -> None:
    assert spoil("inputs.csv", ALBUMIN, ALBUMIN.replace("phosphate", "protein")) == (
        "inputs.csv:3: prefetch_group: 'protein' is not in prefetch-groups.csv",
    )


def test_a_prefetch_group_without_inputs_is_refused(spoil: Spoil) -> None:
    assert spoil("prefetch-groups.csv", "turnover,6,", "skin,8,Skin\nturnover,6,") == (
        "prefetch-groups.csv:8: group: skin has no code",
    )


def test_a_rank_is_a_small_whole_number(spoil: Spoil) -> None:
    assert spoil("prefetch-groups.csv", "turnover,6,", "turnover,0,") == (
        "prefetch-groups.csv:8: rank: '0' is not a rank (1 to 99)",
    )


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("bmi,kg/m2,kg/m2,0,accept,,ucum,", "factor: '0' is not a factor (4.0078 or 1/4.0078)"),
        ("bmi,kg/m2,kg/m2,,accept,,ucum,", "factor: is empty"),
        ("bmi,kg/m2,,1,accept,,ucum,", "ucum: is empty"),
        ("bmi,kg/m2,kg/m2,1,reject,,ucum,", "factor: a unit with verdict reject has no factor"),
        ("bmi,kg/m2,kg/m2,1,accept,,,", "source: is empty"),
        ("bmi,kg/m2,kg/m2,1,accept,,ucum; scholastic,", "source: 'scholastic' is not in sources.toml"),
    ],
)
def test_a_unit_needs_factor_code_and_source(spoil: Spoil, row: str, problem: str) -> None:
    problems = spoil("units.csv", "\nbmi,kg/m2,kg/m2,1,accept,,ucum,\n", f"\n{row}\n")
    assert f"units.csv:{_line('units.csv', 'bmi,kg/m2,')}: {problem}" in problems


# ---- observations


def test_an_observation_code_may_not_be_accepted_and_rejected(folder: Path) -> None:
    path = folder / "observations.rejected.csv"
    rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    rows[1:] = sorted([*rows[1:], "17861-6,Calcium,ca_total,urine\n"], key=lambda row: row.split(",")[0])
    path.write_text("".join(rows), encoding="utf-8")
    line = rows.index("17861-6,Calcium,ca_total,urine\n") + 1
    assert check(folder) == (f"observations.rejected.csv:{line}: code: 17861-6 is accepted in observations.loinc.csv",)


def test_a_condition_code_may_not_be_accepted_and_rejected(spoil: Spoil) -> None:
    assert spoil("conditions.rejected.icd10cm.csv", "E66.3,", "E66,") == (
        "conditions.rejected.icd10cm.csv:2: code: E66 is accepted in conditions.icd10cm.csv",
    )


def test_the_unit_of_an_observation_must_be_known_for_its_input(spoil: Spoil) -> None:
    row = "17861-6,Calcium [Mass/volume] in Serum or Plasma,ca_total,mg/dL"
    assert _texts(spoil("observations.loinc.csv", row, row.replace("mg/dL", "ug/dL"))) == [
        "unit: 'ug/dL' of ca_total is not in units.csv"
    ]


def test_two_codes_of_an_input_cannot_have_the_same_rank(spoil: Spoil) -> None:
    row = "2000-8,Calcium [Moles/volume] in Serum or Plasma,ca_total,mmol/L,accept,"
    assert spoil("observations.loinc.csv", row + "2", row + "1") == (
        f"observations.loinc.csv:{_line('observations.loinc.csv', row)}: rank: 1 of ca_total is taken above",
    )


def test_an_input_without_a_code_must_say_why(spoil: Spoil) -> None:
    assert "inputs.csv:3: input: albumins has no code and no note that says why" in spoil(
        "inputs.csv", ALBUMIN, ALBUMIN.replace("albumin,", "albumins,")
    )


# ---- reference ranges


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("alp_total,18,150,120,30,U/L", "low: 120 is not below 30"),
        ("alp_total,18,150,,,U/L", "low: low and high are both empty"),
        ("alp_total,18,150,30,120,ukat/L", "unit: 'ukat/L' is not the canonical unit 'U/L'"),
        ("alp_total,18,18,30,120,U/L", "age_from_years: 18 is not below 18"),
        ("alp_total,adult,150,30,120,U/L", "age_from_years: 'adult' is not a plain decimal"),
    ],
)
def test_a_range_is_plain_rising_and_in_the_canonical_unit(spoil: Spoil, row: str, problem: str) -> None:
    assert spoil("reference-ranges.csv", "alp_total,18,150,30,120,U/L", row) == (f"reference-ranges.csv:3: {problem}",)


def test_ranges_of_one_input_may_not_overlap(spoil: Spoil) -> None:
    assert _texts(spoil("reference-ranges.csv", "phosphate,13,18,", "phosphate,13,19,")) == [
        "age_from_years: 18 to 150 overlaps a range of phosphate above"
    ]


def test_a_range_from_birth_may_not_overlap_the_next_one(spoil: Spoil) -> None:
    assert spoil("reference-ranges.csv", "phosphate,0,0.5,", "phosphate,0,0.6,") == (
        "reference-ranges.csv:17: age_from_years: 0.5 to 1 overlaps a range of phosphate above",
    )


def test_ranges_below_one_without_an_age_are_looked_at_too(spoil: Spoil) -> None:
    spoil("reference-ranges.csv", "ca_corrected_albumin,0,1,", "ca_corrected_albumin,0x,1,")
    assert spoil("reference-ranges.csv", "ca_corrected_albumin,1,18,", "ca_corrected_albumin,1,1,") == (
        "reference-ranges.csv:4: age_from_years: '0x' is not a plain decimal",
        "reference-ranges.csv:5: age_from_years: 1 is not below 1",
    )


# ---- causes, concepts, medicines


def test_a_cause_without_a_code_must_say_why(spoil: Spoil) -> None:
    reason = "recognised by the medicine and its time"
    assert _texts(spoil("causes.csv", reason, "")) == [
        "id: phosphate-load has no code and no no_code_reason that says why"
    ]


def test_a_concept_may_not_share_the_id_of_a_cause(spoil: Spoil) -> None:
    problems = spoil("concepts.csv", "cardiac-arrest,", "burn,")
    assert "concepts.csv:5: id: burn is a cause already" in problems


def test_a_code_of_an_unknown_concept_is_refused(spoil: Spoil) -> None:
    row = "E66,Overweight and obesity,obesity,"
    assert _texts(spoil("conditions.icd10cm.csv", row, row.replace("obesity,", "adiposity,"))) == [
        "concept: 'adiposity' is not in causes.csv or concepts.csv"
    ]


def test_a_medicine_without_a_code_must_say_why(spoil: Spoil) -> None:
    row = "A06AX08,tenapanor,tenapanor,self,,atc-2026,\n"
    assert _texts(spoil("medications.atc.csv", row, "")) == ["drug: tenapanor has no code and no note that says why"]


def test_a_flag_is_yes_or_no(spoil: Spoil) -> None:
    row = "section 4,Condition,no,no,no,,nunley-2020,very common"
    assert spoil("causes.csv", row, row.replace("no,no,no", "no,no,maybe")) == (
        "causes.csv:2: tissue_damage: 'maybe' is not one of: no, yes",
    )


# ---- version and digest


def test_the_digest_is_the_same_with_carriage_returns_and_a_byte_order_mark(folder: Path) -> None:
    before = load_catalog(folder).digest
    for path in folder.glob("*.csv"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_catalog(folder).digest == before


def test_the_digest_changes_with_one_character(folder: Path) -> None:
    before = load_catalog(folder).digest
    path = folder / "sources.toml"
    path.write_text(path.read_text(encoding="utf-8") + "#", encoding="utf-8")
    assert load_catalog(folder).digest != before


def test_the_readme_is_not_part_of_the_digest(folder: Path) -> None:
    before = load_catalog(folder).digest
    (folder / "README.md").write_text("other words", encoding="utf-8")
    assert load_catalog(folder).digest == before


def test_version_and_digest_have_their_form(folder: Path) -> None:
    catalog = load_catalog(folder)
    assert catalog.version == "2026.11.0"
    assert catalog.digest.startswith("sha256:")
    assert len(catalog.digest) == len("sha256:") + 64


def _line(file: str, start: str) -> int:
    """Return the line of the row that begins so."""
    lines = (shipped_mappings() / file).read_text(encoding="utf-8").splitlines()
    return 1 + next(number for number, line in enumerate(lines) if line.startswith(start))


def _texts(problems: tuple[str, ...]) -> list[str]:
    """Return the problems without file and line."""
    return list(_after_line(problems))


def _after_line(problems: tuple[str, ...]) -> Iterator[str]:
    for problem in problems:
        yield problem.split(": ", 1)[1]
