from pathlib import Path

import pytest

from cds_service.terminology.cells import anything, code, one_of, refers, text
from cds_service.terminology.codes import LOINC
from cds_service.terminology.table import Layout, Problems, parse_table, read_text

LAYOUT = Layout(
    "bad.csv",
    {"code": code(LOINC), "input": refers("input", "in inputs.csv"), "use": one_of(("no", "yes")), "note": anything},
    ("code",),
)
KNOWN = {"input": frozenset({"ca_total"})}
HEADER = "code,input,use,note\n"


def problems_of(content: str, layout: Layout = LAYOUT) -> list[str]:
    problems = Problems()
    parse_table(content, layout, KNOWN, problems, name=layout.file)
    return problems.found


def test_a_well_kept_table_has_no_problem() -> None:
    assert problems_of(HEADER + "17861-6,ca_total,yes,\n2000-8,ca_total,no,usual\n") == []


def test_rows_come_with_their_line_and_cells() -> None:
    rows = parse_table(HEADER + "17861-6,ca_total,yes,\n", LAYOUT, KNOWN, Problems(), name="bad.csv")
    assert [(row.line, row["code"], row["note"]) for row in rows] == [(2, "17861-6", "")]


def test_the_header_must_be_exact() -> None:
    assert problems_of("code,input,used,note\n") == [
        "bad.csv:1: header: is 'code,input,used,note', expected 'code,input,use,note'"
    ]


def test_an_empty_file_has_no_header() -> None:
    assert problems_of("") == ["bad.csv:1: header: is '', expected 'code,input,use,note'"]


def test_a_row_with_too_few_columns_is_named() -> None:
    assert problems_of(HEADER + "17861-6,ca_total,yes\n") == ["bad.csv:2: row: has 3 columns, expected 4"]


def test_a_blank_line_is_a_row_without_columns() -> None:
    assert problems_of(HEADER + "\n17861-6,ca_total,yes,\n") == ["bad.csv:2: row: has 0 columns, expected 4"]


def test_stray_blanks_are_named() -> None:
    assert problems_of(HEADER + "17861-6,ca_total ,yes,\n") == ["bad.csv:2: input: 'ca_total ' has stray blanks"]


def test_a_line_break_inside_a_cell_counts_as_stray_blank() -> None:
    assert problems_of(HEADER + '17861-6,ca_total,yes,"two\nlines"\n') == [
        "bad.csv:3: note: 'two\\nlines' has stray blanks"
    ]


def test_a_wrong_check_digit_an_unknown_id_and_a_repeated_code_are_all_told_at_once() -> None:
    assert problems_of(HEADER + "17861-5,ca_total,yes,\n2000-8,calcuim,yes,\n2000-8,ca_total,maybe,\n") == [
        "bad.csv:2: code: '17861-5' is not a LOINC code (check digit)",
        "bad.csv:3: input: 'calcuim' is not in inputs.csv",
        "bad.csv:4: use: 'maybe' is not one of: no, yes",
        "bad.csv:4: code: 2000-8 is already mapped above",
    ]


def test_one_row_out_of_order_is_one_problem() -> None:
    rows = "17861-6,ca_total,yes,\n49765-1,ca_total,yes,\n2000-8,ca_total,yes,\n29265-6,ca_total,yes,\n"
    assert problems_of(HEADER + rows) == ["bad.csv:4: code: 2000-8 stands below 49765-1: rows are sorted by code"]


def test_rows_of_two_key_columns_are_told_apart_by_both() -> None:
    layout = Layout("two.csv", {"code": text, "drug": text}, ("code", "drug"))
    assert problems_of("code,drug\na,b\na,b\nA,c\na,c\n", layout) == [
        "two.csv:3: code: a b is already mapped above",
        "two.csv:4: code: A stands below a: rows are sorted by code, drug",
    ]


def test_broken_quoting_is_named_with_its_line() -> None:
    assert problems_of(HEADER + '17861-6,ca_total,"y"es,\n') == [
        "bad.csv:2: row: cannot be read as CSV: ',' expected after '\"'"
    ]


def test_an_empty_cell_is_named_where_text_is_asked_for() -> None:
    assert problems_of("display\n\n", Layout("bad.csv", {"display": text, "note": text}, ("display",))) == [
        "bad.csv:1: header: is 'display', expected 'display,note'"
    ]
    assert problems_of(
        "display,note\nCalcium,\n", Layout("bad.csv", {"display": text, "note": text}, ("display",))
    ) == ["bad.csv:2: note: is empty"]


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfcode\r\n2000-8\r\n", b"code\n2000-8\n", b"code\r\n2000-8\n"])
def test_byte_order_mark_and_carriage_returns_make_no_difference(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert read_text(path, Problems(), name="a.csv") == "code\n2000-8\n"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    problems = Problems()
    assert read_text(tmp_path / "a.csv", problems, name="a.csv") is None
    assert problems.found == ["a.csv:0: file: is missing"]


def test_what_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    path, problems = tmp_path / "a.csv", Problems()
    path.write_bytes("code\nWaldenström\n".encode("latin-1"))
    assert read_text(path, problems, name="a.csv") is None
    assert problems.found == ["a.csv:2: file: is not UTF-8"]
