"""The report: what it counts, what it hides, and that it names nobody."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fhir.resources.R4B.detectedissue import DetectedIssue
from fhir.resources.R4B.riskassessment import RiskAssessment
from hypothesis import given
from hypothesis import strategies as st

from cds_service.calcinosis.classify import classify
from cds_service.cli import main
from cds_service.screen import whatif
from cds_service.screen.masking import hidden
from cds_service.screen.outputs import WITH_PATIENTS
from cds_service.screen.review import FormError, read_form, wilson
from cds_service.screen.tally import Cell, Tally
from cds_service.terminology.catalog import Catalog
from tests.builders import patient
from tests.calls import calcium, phosphate
from tests.screen.runs import screened, write
from tests.screen.test_files import of, people
from tests.screen.test_same_answer import MIMIC

Json = dict[str, Any]


# ---- small cells


def test_a_cell_of_few_patients_is_hidden_and_zero_is_not() -> None:
    row = [Cell(30, 10), Cell(30, 11), Cell(0, 0), Cell(900, 300)]
    assert hidden([row], 11)[0] == [True, True, False, False]
    assert hidden([row], 0)[0] == [False] * 4


def test_a_single_hidden_cell_takes_another_with_it_for_the_total_would_tell_it() -> None:
    assert hidden([[Cell(5, 5), Cell(40, 40), Cell(80, 80)]], 11) == [[True, True, False]]
    assert hidden([[Cell(5, 5), Cell(0, 0)]], 11) == [[True, True]]


def test_hidden_cells_of_a_line_never_add_up_to_few() -> None:
    assert hidden([[Cell(1, 1), Cell(1, 1), Cell(70, 70), Cell(80, 80)]], 11) == [[True, True, True, False]]


cells = st.builds(lambda count: Cell(count, count), st.integers(0, 40))


@given(st.lists(st.lists(cells, min_size=4, max_size=4), min_size=1, max_size=6))
def test_no_hidden_cell_follows_from_the_sums_of_rows_and_columns(rows: list[list[Cell]]) -> None:
    mask = hidden(rows, 11)
    lines = [list(zip(row, m, strict=True)) for row, m in zip(rows, mask, strict=True)]
    if len(rows) > 1:
        lines += [[(row[c], m[c]) for row, m in zip(rows, mask, strict=True)] for c in range(4)]
    for line in lines:
        lost = [cell.count for cell, is_hidden in line if is_hidden]
        assert all(is_hidden or not 0 < cell.patients < 11 for cell, is_hidden in line)
        assert not lost or len(lost) == len(line) or (len(lost) > 1 and sum(lost) >= 11)


def test_a_patient_counts_once_in_each_cell() -> None:
    tally = Tally()
    tally.patient([(("tier", "info"), 3), (("tier", "info"), 2)])
    tally.patient([(("tier", "info"), 1)])
    assert tally.of("tier", "info") == Cell(6, 2)


# ---- the page


def page_of(catalog: Catalog, folder: Path, resources: list[Json], **choices: Any) -> str:
    write(folder / "in" / "x.ndjson", resources)
    screened(catalog, [folder / "in"], folder / "out", **choices)
    return (folder / "out" / "report.html").read_text(encoding="utf-8")


def test_the_page_asks_nobody_for_anything_and_names_no_patient(catalog: Catalog, tmp_path: Path) -> None:
    page = page_of(catalog, tmp_path, people(30), sample=5)
    assert not re.findall(r"<(?:script|link|img|iframe|object)\b|@import|url\(|(?:src|href)=", page)
    named = re.compile(r"\bq\d+\b|calcium-\d|phosphate-\d|1960")
    assert not named.search(page)
    assert not named.search((tmp_path / "out" / "manifest.json").read_text())
    assert named.search((tmp_path / "out" / "cards.csv").read_text())
    for path in (tmp_path / "out").iterdir():
        assert (path.stat().st_mode & 0o077 == 0) is (path.name in WITH_PATIENTS), path.name


def test_few_patients_are_hidden_on_the_page_unless_asked(catalog: Catalog, tmp_path: Path) -> None:
    crowd = [each for number in range(40) for each in of(number, patient(), calcium(9), phosphate(3))]
    few = [each for number in range(40, 43) for each in of(number, patient(), calcium(10.5), phosphate(7.5))]
    page = page_of(catalog, tmp_path, crowd + few)
    assert "6.98" not in page
    assert "critical, every opening</text>" in page
    assert "<td>hidden</td>" in page
    page = page_of(catalog, tmp_path, crowd + few, smallest_cell=0)
    assert "6.98" in page
    assert "small counts are not hidden" in page


def test_the_page_says_why_there_is_nothing(catalog: Catalog, tmp_path: Path) -> None:
    page = page_of(catalog, tmp_path, [each for n in range(20) for each in of(n, patient(), calcium(9))])
    assert "Inorganic phosphate, blood/serum/plasma is missing at every opening" in page
    assert "no statement about risk" in page
    page = page_of(catalog, tmp_path, [calcium(9)])
    assert "The export holds no Patient at all" in page
    assert "No patient could be judged" in page


def test_units_and_codes_of_the_site_are_text_on_the_page(catalog: Catalog, tmp_path: Path) -> None:
    code = {"coding": [{"system": "urn:x", "code": "<b>", "display": "Calcium <script>alert(1)</script>"}]}
    page = page_of(catalog, tmp_path, [patient(), *[calcium(9) | {"code": code}] * 20])
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_manifest_tells_how_to_repeat_the_run(catalog: Catalog, tmp_path: Path) -> None:
    page_of(catalog, tmp_path, people(12), sample=3, seed=7)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["content"]["digest"] == catalog.digest
    assert (manifest["settings"]["seed"], manifest["counts"]["patients"]) == (7, 12)
    assert all(re.fullmatch("[0-9a-f]{64}", each["sha256"]) for each in (*manifest["input"], *manifest["output"]))
    first = {each["file"]: each["sha256"] for each in manifest["output"]}
    page_of(catalog, tmp_path, people(12), sample=3, seed=7)
    again = json.loads((tmp_path / "out" / "manifest.json").read_bytes())["output"]
    assert {each["file"]: each["sha256"] for each in again} == first


# ---- what if


@pytest.mark.skipif(not MIMIC.is_dir(), reason="the open data sets are not here")
def test_skipping_what_cannot_differ_changes_no_answer(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    differs: list[bool] = []
    quick = whatif.answers

    def both(facts: Any, assessment: Any, now: Any, tried: Any) -> Any:
        found = quick(facts, assessment, now, tried)
        for place, variant in enumerate(tried):
            tier = found.get(place, assessment).tier
            differs.append(tier is not assessment.tier)
            assert classify(facts, variant.knowledge, now).tier is tier
        return found

    monkeypatch.setattr("cds_service.screen.observe.answers", both)
    screened(catalog, [MIMIC], tmp_path, at="each-encounter")
    screened(catalog, [MIMIC], tmp_path, at="latest")
    assert (len(differs), any(differs)) == (375 * 12, True)


# ---- FHIR


@pytest.mark.parametrize(
    ("kind", "name", "model"),
    [("detected-issue", "DetectedIssue", DetectedIssue), ("risk-assessment", "RiskAssessment", RiskAssessment)],
)
def test_cards_as_fhir_are_valid_r4(catalog: Catalog, tmp_path: Path, kind: str, name: str, model: Any) -> None:
    page_of(catalog, tmp_path, people(6), fhir=kind)
    lines = (tmp_path / "out" / f"{name}.ndjson").read_bytes().splitlines()
    assert len(lines) == len((tmp_path / "out" / "cards.csv").read_text().splitlines()) - 1 > 0
    for line in lines:
        assert json.loads(model.model_validate_json(line).model_dump_json())["resourceType"] == name


# ---- chart review


def test_the_sample_is_drawn_by_chance_and_the_same_with_the_same_seed(catalog: Catalog, tmp_path: Path) -> None:
    drawn = []
    for seed, processes in ((1, 1), (1, 2), (2, 1)):
        out = tmp_path / f"{seed}{processes}"
        write(tmp_path / "in" / "x.ndjson", people(40))
        screened(catalog, [tmp_path / "in"], out, sample=10, seed=seed, processes=processes)
        rows = list(csv.DictReader((out / "review.csv").read_text().splitlines()))
        drawn.append([row["patient"] for row in rows])
    assert len(set(drawn[0])) == 10
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_filled_in_form_gives_the_predictive_value_with_its_interval(runner: CliRunner, tmp_path: Path) -> None:
    rows = ["right"] * 8 + ["Wrong"] * 2 + ["unclear", ""]
    form = tmp_path / "review.csv"
    form.write_text("\ufefftier;verdict\n" + "".join(f"critical;{verdict}\n" for verdict in rows), encoding="utf-8")
    result = runner.invoke(main, ["screen-review", str(form)])
    assert result.exit_code == 0
    assert "all       80.0% (49.0% to 94.3%), 8 of 10; unclear 1, not filled in 1" in result.output


@pytest.mark.parametrize(
    ("right", "judged", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0)],
)
def test_the_interval_is_that_of_wilson(right: int, judged: int, low: float, high: float) -> None:
    # 81 of 263: Newcombe 1998, Table I, method 3
    assert wilson(right, judged) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize(
    ("text", "words"), [("tier,verdict\n", "no card"), ("a,b\n", "lack"), ("tier,verdict\nx,maybe\n", "line 2")]
)
def test_a_form_that_cannot_be_used_says_why(text: str, words: str) -> None:
    with pytest.raises(FormError, match=words):
        read_form(text)
