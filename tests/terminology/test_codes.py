import pytest

from cds_service.terminology import codes
from cds_service.terminology.catalog import Catalog
from cds_service.terminology.codes import (
    CODE_CHECKS,
    canonical_system,
    icd_key,
    label,
    loinc_problem,
    plain_name,
    snomed_problem,
)

LOINCS = ("17861-6", "2777-1", "1751-7", "2000-8", "14879-1", "98979-8", "101198-0")
SNOMEDS = ("46177005", "21323007", "237900002", "2089002", "6471000179103", "1196865005")


@pytest.mark.parametrize("code", LOINCS)
def test_a_right_loinc_check_digit_passes(code: str) -> None:
    assert loinc_problem(code) is None


@pytest.mark.parametrize("code", LOINCS)
def test_every_single_wrong_digit_of_a_loinc_code_is_caught(code: str) -> None:
    for mutant in _single_digit_errors(code):
        assert loinc_problem(mutant) is not None, mutant


@pytest.mark.parametrize("code", LOINCS)
def test_swapped_neighbours_of_a_loinc_code_are_caught_except_0_and_9(code: str) -> None:
    for mutant, pair in _swaps(code):
        if "-" not in pair and set(pair) != {"0", "9"}:
            assert loinc_problem(mutant) is not None, mutant


def test_a_wrong_loinc_check_digit_is_named() -> None:
    assert loinc_problem("17861-5") == "'17861-5' is not a LOINC code (check digit)"


@pytest.mark.parametrize("code", ["", "17861", "17861-66", "2000-8 ", "1E+17", "Aug-00", "12345678-1", "٢٠٠٠-8"])
def test_what_is_not_shaped_like_a_loinc_code_is_named(code: str) -> None:
    assert loinc_problem(code) == f"{code!r} is not a LOINC code (form)"


@pytest.mark.parametrize("code", SNOMEDS)
def test_a_right_snomed_check_digit_passes(code: str) -> None:
    assert snomed_problem(code) is None


@pytest.mark.parametrize("code", SNOMEDS)
def test_every_single_wrong_digit_of_a_snomed_code_is_caught(code: str) -> None:
    for mutant in _single_digit_errors(code):
        assert snomed_problem(mutant) is not None, mutant


@pytest.mark.parametrize("code", SNOMEDS)
def test_every_swap_of_neighbours_of_a_snomed_code_is_caught(code: str) -> None:
    for mutant, _ in _swaps(code):
        assert snomed_problem(mutant) is not None, mutant


def test_a_wrong_snomed_check_digit_is_named() -> None:
    assert snomed_problem("46177006") == "'46177006' is not a SNOMED CT code (check digit)"


def test_a_snomed_description_id_is_no_concept() -> None:
    # 680946014 is a description: partition 01, right check digit.
    assert snomed_problem("680946014") == "'680946014' is not a SNOMED CT concept (partition)"


@pytest.mark.parametrize("code", ["46177", "046177005", "4.6177E+7", "1234567890123456789"])
def test_what_is_not_shaped_like_a_snomed_code_is_named(code: str) -> None:
    assert snomed_problem(code) == f"{code!r} is not a SNOMED CT code (form)"


@pytest.mark.parametrize(
    ("system", "good", "bad"),
    [
        (codes.RXNORM, ["1", "1897", "1234567"], ["", "0123", "1.5", "12345678901"]),
        (codes.ATC, ["A", "A12", "A11CC", "A12AA04"], ["", "A1", "A12AA4", "E03AE02", "a12aa04"]),
        (
            codes.ICD10CM,
            ["C", "N18", "N18.6", "E83.52", "T46.1X1", "T20.011A", "C4A"],
            ["", "N186", "n18.6", "N18.", "18.6"],
        ),
        (codes.ICD10WHO, ["E83.5", "N18"], ["E835", "E83.5 "]),
        (codes.ICD9CM, ["135", "275.42", "V45.11", "E812.0"], ["27542", "275.421", "V4"]),
        (codes.ICD10PCS, ["02YA0Z0", "5A1D70Z"], ["02YA0ZO", "02YA0Z", "02ya0z0"]),
        (codes.V2_0487, ["SER"], ["", "ser", "S R"]),
        (codes.V2_0371, ["EDTK15"], ["EDTK-15"]),
    ],
)
def test_the_form_of_each_code_system(system: str, good: list[str], bad: list[str]) -> None:
    assert [CODE_CHECKS[system](code) for code in good] == [None] * len(good)
    assert None not in [CODE_CHECKS[system](code) for code in bad]


def test_a_bad_form_is_named_with_its_system() -> None:
    assert CODE_CHECKS[codes.ICD10CM]("N186") == "'N186' is not an ICD-10-CM code (form)"


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("http://loinc.org", codes.LOINC),
        ("http://loinc.org/", codes.LOINC),
        (" https://loinc.org ", codes.LOINC),
        ("urn:oid:2.16.840.1.113883.6.1", codes.LOINC),
        ("2.16.840.1.113883.6.1", codes.LOINC),
        ("urn:oid:2.16.840.1.113883.6.96", codes.SNOMED),
        ("http://snomed.info/sct/900000000000207008", codes.SNOMED),
        ("urn:oid:2.16.840.1.113883.6.90", codes.ICD10CM),
        ("urn:oid:2.16.840.1.113883.6.3", codes.ICD10WHO),
        ("urn:oid:2.16.840.1.113883.6.103", codes.ICD9CM),
        ("urn:oid:2.16.840.1.113883.6.88", codes.RXNORM),
        ("urn:oid:2.16.840.1.113883.6.73", codes.ATC),
        ("http://hl7.org/fhir/sid/icd-10-pcs", codes.ICD10PCS),
        ("http://hl7.org/fhir/v2/0487", codes.V2_0487),
        ("http://hl7.org/fhir/v2/0371", codes.V2_0371),
    ],
)
def test_other_spellings_of_a_system_mean_the_same(sent: str, meant: str) -> None:
    assert canonical_system(sent) == meant


@pytest.mark.parametrize(
    "system",
    ["http://fhir.de/CodeSystem/bfarm/icd-10-gm", "http://snomed.info/sctx", "http://loinc.org/X", "", "urn:oid:1.2.3"],
)
def test_an_unknown_system_is_never_taken_for_a_known_one(system: str) -> None:
    assert canonical_system(system) == system


def test_an_icd_code_is_compared_without_dot_blank_and_case() -> None:
    assert icd_key(" e83.52 ") == "E8352"


def test_a_plain_name_has_lost_the_tag_and_nothing_else() -> None:
    assert plain_name("Hemodialysis (procedure)") == "Hemodialysis"
    assert plain_name("Calcium (total)") == "Calcium (total)"


def test_a_code_is_labelled_with_the_name_of_its_system() -> None:
    assert label(codes.SNOMED, "46177005") == "SNOMED CT 46177005"


def test_a_code_of_an_unknown_system_is_labelled_with_its_address() -> None:
    assert label("urn:oid:1.2.3", "CA") == "urn:oid:1.2.3 CA"


def test_every_shipped_loinc_and_snomed_code_loses_its_check_digit_when_one_digit_changes(shipped: Catalog) -> None:
    loincs = list(shipped.observations[codes.LOINC])
    snomeds = list(shipped.finding_codes[codes.SNOMED])
    assert all(loinc_problem(mutant) for code in loincs for mutant in _single_digit_errors(code, step=3))
    assert all(snomed_problem(mutant) for code in snomeds for mutant in _single_digit_errors(code, step=5))


def _single_digit_errors(code: str, step: int = 1) -> list[str]:
    return [
        code[:place] + str((int(digit) + shift) % 10) + code[place + 1 :]
        for place, digit in enumerate(code)
        if digit != "-"
        for shift in range(1, 10, step)
    ]


def _swaps(code: str) -> list[tuple[str, str]]:
    pairs = [(place, code[place : place + 2]) for place in range(len(code) - 1)]
    return [(code[:at] + pair[::-1] + code[at + 2 :], pair) for at, pair in pairs if pair[0] != pair[1]]
