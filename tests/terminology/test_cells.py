"""Each check of a cell by itself: what it lets through, and the words it refuses with."""

import pytest

from cds_service.terminology import cells, codes
from cds_service.terminology.table import CellCheck, Known

KNOWN: Known = {"source": frozenset({"ucum", "nunley-2020"}), "input": frozenset({"ca_total"})}


@pytest.mark.parametrize(
    ("check", "good"),
    [
        (cells.anything, ["", "words"]),
        (cells.text, ["words"]),
        (cells.identifier, ["ca_total", "ckd-stage-3", "7"]),
        (cells.optional_decimal, ["", "0", "0.25", "10"]),
        (cells.decimal, ["0", "0.25", "10"]),
        (cells.rank, ["1", "9", "10", "99"]),
        (cells.factor, ["", "4.0078", "1/4.0078"]),
        (cells.sources, ["ucum", "ucum; nunley-2020: Pathophysiology", "ucum: a; ucum: b"]),
        (cells.snomed_edition, ["http://snomed.info/sct/900000000000207008/version/20260701"]),
        (cells.local_system, ["urn:oid:1.2.276.0.99", "http://hospital.example/codes", "https://hospital.example"]),
    ],
)
def test_what_is_right_passes(check: CellCheck, good: list[str]) -> None:
    assert [check(value, KNOWN) for value in good] == [None] * len(good)


@pytest.mark.parametrize(
    ("check", "value", "problem"),
    [
        (cells.text, "", "is empty"),
        (cells.identifier, "Kidney", "'Kidney' is not an id (lower case, digits, - or _)"),
        (cells.identifier, "", "'' is not an id (lower case, digits, - or _)"),
        (cells.optional_decimal, "half", "'half' is not a plain decimal"),
        (cells.optional_decimal, "-1", "'-1' is not a plain decimal"),
        (cells.decimal, "", "'' is not a plain decimal"),
        (cells.decimal, "1,5", "'1,5' is not a plain decimal"),
        (cells.rank, "0", "'0' is not a rank (1 to 99)"),
        (cells.rank, "100", "'100' is not a rank (1 to 99)"),
        (cells.factor, "0", "'0' is not a factor (4.0078 or 1/4.0078)"),
        (cells.sources, "", "is empty"),
        (cells.sources, "ucum; x: 1; y", "'x: 1', 'y' is not in sources.toml"),
        (cells.snomed_edition, "ucum", "'ucum' is not the version URI of a SNOMED CT edition"),
        (cells.local_system, "our codes", "'our codes' is not a system URI"),
        (cells.local_system, "https://loinc.org/", "LOINC has a file of its own: put the code there"),
    ],
)
def test_what_is_wrong_is_named(check: CellCheck, value: str, problem: str) -> None:
    assert check(value, KNOWN) == problem


def test_a_closed_list_names_its_words() -> None:
    check = cells.one_of(("no", "yes"))
    assert [check(value, KNOWN) for value in ("no", "yes")] == [None, None]
    assert check("maybe", KNOWN) == "'maybe' is not one of: no, yes"
    assert check("", KNOWN) == "'' is not one of: no, yes"


def test_an_id_of_another_table_must_be_there_unless_it_may_be_left_out() -> None:
    asked, optional = (cells.refers("input", "in inputs.csv", optional=each) for each in (False, True))
    assert [check("ca_total", KNOWN) for check in (asked, optional)] == [None, None]
    assert [check("calcuim", KNOWN) for check in (asked, optional)] == ["'calcuim' is not in inputs.csv"] * 2
    assert (asked("", KNOWN), optional("", KNOWN)) == ("'' is not in inputs.csv", None)
    assert cells.refers("input", "in inputs.csv")("", KNOWN) == "'' is not in inputs.csv"


def test_a_code_is_held_to_the_form_of_its_system() -> None:
    check = cells.code(codes.LOINC)
    assert check("17861-6", KNOWN) is None
    assert check("17861-5", KNOWN) == "'17861-5' is not a LOINC code (check digit)"
