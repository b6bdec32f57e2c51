"""Asking a terminology server what lies below the reviewed SNOMED CT concepts."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.interchange import expansion
from cds_service.interchange.expansion import Expansion, ExpansionFailed, TerminologyServer, expanded_table
from cds_service.terminology import layout
from cds_service.terminology.codes import SNOMED
from cds_service.terminology.load import load_catalog, read_shipped, shipped_mappings

BASE = "https://tx.example.org/fhir"
EXPAND = f"{BASE}/ValueSet/$expand"
EDITION = f"{SNOMED}/900000000000207008/version/20260701"
CALCIPHYLAXIS = "237900002"
BELOW = "900000008"  # made: no such concept in the tables
Json = dict[str, Any]
# concept -> what the server says lies at and below it
Known = dict[str, dict[str, str]]


def answer(contains: list[Json], *, version: str | None = f"{SNOMED}|{EDITION}", **more: Any) -> Json:
    stamp: list[Json] = [{"name": "offset", "valueInteger": 0}, {"name": "version", "valueString": "2026"}]
    stamp += [{"name": "version", "valueUri": version}] if version else []
    return {"resourceType": "ValueSet", "expansion": {"parameter": stamp, "contains": contains, **more}}


def entry(code: str, display: str = "Some disorder (disorder)", **more: Any) -> Json:
    return {"system": SNOMED, "code": code, "display": display, **more}


@pytest.fixture
def server() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        yield mocked


def below(code: str = CALCIPHYLAXIS, page: int = 2) -> Expansion:
    return TerminologyServer(BASE + "/", page).below(code)


# ---- paging ----------------------------------------------------------------------------------------------------------


def test_the_implicit_value_set_is_asked_for_page_by_page_until_one_is_empty(server: responses.RequestsMock) -> None:
    for contains in ([entry("1"), entry("2")], [entry(CALCIPHYLAXIS, " Calci \n phylaxis ")], []):
        server.get(EXPAND, json=answer(contains))
    found = below()
    assert found == Expansion(
        EDITION,
        {"1": "Some disorder (disorder)", "2": "Some disorder (disorder)", CALCIPHYLAXIS: "Calci phylaxis"},
    )
    asked = [parse_qs(urlsplit(call.request.url or "").query) for call in server.calls]
    assert [each["offset"] for each in asked] == [["0"], ["2"], ["3"]]
    assert {(each["url"][0], each["count"][0]) for each in asked} == {
        (f"http://snomed.info/sct?fhir_vs=ecl/<<{CALCIPHYLAXIS}", "2")
    }
    assert server.calls[0].request.headers["Accept"] == "application/fhir+json"


def test_a_total_that_is_reached_ends_the_paging(server: responses.RequestsMock) -> None:
    server.get(EXPAND, json=answer([entry(CALCIPHYLAXIS), entry("2")], total=2))
    assert set(below().displays) == {CALCIPHYLAXIS, "2"}
    assert len(server.calls) == 1


def test_nested_entries_count_and_abstract_ones_do_not(server: responses.RequestsMock) -> None:
    nested = entry(CALCIPHYLAXIS, contains=[entry("3", abstract=True, contains=[entry("4")])])
    server.get(EXPAND, json=answer([nested], total=2))
    assert set(below().displays) == {CALCIPHYLAXIS, "4"}


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ([answer([entry(CALCIPHYLAXIS)], version=None)], "does not name the version"),
        ([answer([entry(CALCIPHYLAXIS)], version=SNOMED)], "does not name the version"),
        ([answer([entry(CALCIPHYLAXIS)], version=f"{SNOMED}|2026")], "does not name the version"),
        ([answer([entry(CALCIPHYLAXIS)])] * 2, "sends the same page again"),
        ([answer([entry("2")]), answer([])], "does not know the concept"),
        ([answer([entry(CALCIPHYLAXIS)], total=3), answer([], total=3)], "counts 3 concepts and sent 1"),
        (
            [answer([entry(CALCIPHYLAXIS)]), answer([entry("2")], version=f"{SNOMED}|{EDITION[:-1]}2")],
            "edition changed between two pages",
        ),
        ([answer([{"system": "http://loinc.org", "code": "1", "display": "x"}])], "1 is not SNOMED CT"),
        ([answer([{"system": SNOMED, "code": "1"}])], "has no display"),
        ([answer(["1"])], "holds something that is no entry"),  # type: ignore[list-item]
        (
            [
                answer(
                    [entry(CALCIPHYLAXIS)],
                    extension=[
                        {"url": "http://hl7.org/fhir/StructureDefinition/valueset-toocostly", "valueBoolean": True}
                    ],
                )
            ],
            "not whole",
        ),
        ([{"resourceType": "ValueSet"}], "is not an expanded ValueSet"),
        ([["x"]], "is not an expanded ValueSet"),
    ],
)
def test_half_an_answer_is_refused(server: responses.RequestsMock, pages: list[Any], words: str) -> None:
    for page in pages:
        server.get(EXPAND, json=page)
    with pytest.raises(ExpansionFailed, match=words):
        below()


def test_a_server_that_never_ends_is_left(server: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, "MOST_CODES", 3)
    for number in range(3):
        server.get(EXPAND, json=answer([entry(f"{number}1"), entry(f"{number}2")]))
    with pytest.raises(ExpansionFailed, match="more than 3 concepts"):
        below()
    assert len(server.calls) == 2


def test_no_answer_is_said_in_words(server: responses.RequestsMock) -> None:
    server.get(EXPAND, status=401)
    with pytest.raises(ExpansionFailed, match="status 401"):
        below()
    server.get(EXPAND, body="<html>")
    with pytest.raises(ExpansionFailed, match="not JSON"):
        below()
    server.get(EXPAND, body=requests.ReadTimeout())
    with pytest.raises(ExpansionFailed, match="ReadTimeout: no usable answer"):
        below()


# ---- rows ------------------------------------------------------------------------------------------------------------


class Made:
    """A server whose hierarchy is known; what is not listed has nothing below it."""

    def __init__(self, known: Known, edition: Callable[[str], str] = lambda code: EDITION) -> None:
        self.known, self.edition, self.asked = known, edition, list[str]()

    def below(self, code: str) -> Expansion:
        self.asked.append(code)
        return Expansion(self.edition(code), {code: "itself", **self.known.get(code, {})})


CONTENT = read_shipped()


def rows(known: Known) -> list[str]:
    return expanded_table(CONTENT, Made(known)).splitlines()[1:]


def test_what_lies_below_is_a_narrower_code_of_the_concept_above() -> None:
    assert rows({CALCIPHYLAXIS: {BELOW: "Calciphylaxis, made (disorder)"}}) == [
        f'{BELOW},"Calciphylaxis, made (disorder)",calciphylaxis,self,any,narrower,{EDITION},below {CALCIPHYLAXIS}'
    ]


def test_a_code_that_is_reviewed_or_rejected_keeps_what_was_said_of_it() -> None:
    rejected = CONTENT.of(layout.REJECTED_FINDINGS[SNOMED])[0]["code"]
    assert rows({CALCIPHYLAXIS: {rejected: "x", "46177005": "y"}}) == []


def test_only_concepts_that_state_their_cause_and_include_what_is_below_are_asked_for() -> None:
    made = Made({})
    expanded_table(CONTENT, made)
    table = CONTENT.of(layout.FINDINGS[SNOMED])
    wanted = {r["code"] for r in table if r["include"] == "descendants" and r["specificity"] in ("exact", "narrower")}
    assert made.asked == sorted(wanted)


def test_the_nearest_reviewed_concept_speaks() -> None:
    # made: calciphylaxis lies below diabetes here, and a code below both
    assert [
        row.split(",")[2] for row in rows({"73211009": {CALCIPHYLAXIS: "x", BELOW: "y"}, CALCIPHYLAXIS: {BELOW: "y"}})
    ] == ["calciphylaxis"]


def test_two_concepts_side_by_side_both_speak_and_history_counts_only_where_each_says_so() -> None:
    found = rows({"73211009": {BELOW: "y"}, CALCIPHYLAXIS: {BELOW: "y"}})
    assert [row.split(",")[2:5] for row in found] == [
        ["calciphylaxis", "self", "any"],
        ["diabetes", "self", "active"],
    ]


def test_answers_of_different_editions_are_refused() -> None:
    def edition(code: str) -> str:
        return EDITION if code == CALCIPHYLAXIS else EDITION[:-1] + "2"

    with pytest.raises(ExpansionFailed, match="different editions"):
        expanded_table(CONTENT, Made({}, edition))


# ---- the command, and the table in use -------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "mappings"
    shutil.copytree(shipped_mappings(), copy)
    return copy


def hierarchy(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
    """The callback of a server where one code lies below calciphylaxis."""
    code = parse_qs(urlsplit(request.url or "").query)["url"][0].partition("<<")[2]
    found = [entry(code)] + ([entry(BELOW, "Calciphylaxis, made (disorder)")] if code == CALCIPHYLAXIS else [])
    return 200, {}, requests.compat.json.dumps(answer(found, total=len(found)))  # type: ignore[attr-defined]


def test_the_command_writes_for_review_and_the_reviewed_table_is_read(
    runner: CliRunner, server: responses.RequestsMock, folder: Path, tmp_path: Path
) -> None:
    server.add_callback("GET", EXPAND, hierarchy)
    out = tmp_path / layout.EXPANDED.file
    told = runner.invoke(main, ["expand-mappings", str(folder), "--server", BASE, "--out", str(out)])
    assert told.exit_code == 0, told.output
    assert f"+{BELOW}," in told.output
    assert f"1 rows in {out}" in told.output
    assert load_catalog(folder).findings(SNOMED, BELOW) == ()
    before = load_catalog(folder).digest
    shutil.copy(out, folder)
    catalog = load_catalog(folder)
    assert [(each.concept, each.specificity, each.history_counts) for each in catalog.findings(SNOMED, BELOW)] == [
        ("calciphylaxis", "narrower", True)
    ]
    assert catalog.digest != before
    again = runner.invoke(main, ["expand-mappings", str(folder), "--server", BASE, "--out", str(out)])
    assert again.output == f"1 rows in {out}: review them, then put the file beside conditions.snomed.csv\n"


def test_the_command_never_replaces_a_reviewed_file(runner: CliRunner, folder: Path) -> None:
    out = folder / "conditions.snomed.csv"
    before = out.read_bytes()
    told = runner.invoke(main, ["expand-mappings", "--server", BASE, "--out", str(out)])
    assert told.exit_code == 2
    assert "would replace a reviewed file" in told.output
    assert out.read_bytes() == before


def test_the_command_writes_nothing_from_half_an_answer(
    runner: CliRunner, server: responses.RequestsMock, tmp_path: Path
) -> None:
    server.get(EXPAND, status=500)
    out = tmp_path / "rows.csv"
    told = runner.invoke(main, ["expand-mappings", "--server", BASE, "--out", str(out)])
    assert told.exit_code == 2
    assert "Nothing was written." in told.output
    assert not out.exists()


def test_the_command_needs_content_that_can_be_used(runner: CliRunner, folder: Path) -> None:
    (folder / "causes.csv").unlink()
    told = runner.invoke(main, ["expand-mappings", str(folder), "--server", BASE])
    assert told.exit_code == 2
    assert "causes.csv:0: file: is missing" in told.output
