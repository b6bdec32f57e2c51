"""The table of expanded SNOMED CT concepts: generated, optional, and held to the same checks as the reviewed one."""

from pathlib import Path

import pytest

from cds_service.terminology import layout
from cds_service.terminology.codes import SNOMED
from cds_service.terminology.load import check, load_catalog

EDITION = f"{SNOMED}/900000000000207008/version/20260701"
ABOVE = "237900002"
CODE = "900000008"  # made: no such concept in the tables
HEADER = "code,display,concept,include,history,specificity,source,note\n"
GOOD = f"{CODE},Made (disorder),calciphylaxis,self,any,narrower,{EDITION},below {ABOVE}\n"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (GOOD.replace(CODE, "46177005"), "2: code: 46177005 is in the reviewed file already"),
        (GOOD.replace(CODE, "21402002"), "21402002 is accepted in conditions.snomed.expanded.csv"),
        (GOOD.replace(CODE, CODE[:-1] + "9"), "check digit"),
        (GOOD.replace("narrower", "exact"), "2: specificity: 'exact' is not one of: narrower"),
        (GOOD.replace("self", "descendants"), "2: include: 'descendants' is not one of: self"),
        (GOOD.replace(EDITION, "gps-2020-09"), "2: source: 'gps-2020-09' is not the version URI"),
        (GOOD + GOOD.replace(CODE, "95384003"), "3: code: 95384003 is in the reviewed file already"),
        (
            GOOD + GOOD.replace(",calciphylaxis", ",diabetes").replace("20260701", "20260801"),
            "3: source: rows come from different editions",
        ),
    ],
)
def test_the_table_is_held_to_the_same_checks(folder: Path, row: str, words: str) -> None:
    (folder / layout.EXPANDED.file).write_text(HEADER + row, encoding="utf-8")
    problems = check(folder)
    assert len(problems) == 1
    assert words in problems[0]


def test_a_site_cannot_say_again_what_was_expanded(folder: Path, site: Path) -> None:
    (folder / layout.EXPANDED.file).write_text(HEADER + GOOD, encoding="utf-8")
    own = GOOD.replace(EDITION, "local")
    (site / "conditions.snomed.csv").write_text(HEADER + own, encoding="utf-8")
    (problem,) = check(folder, site)
    assert f"{CODE} is shipped already" in problem


def test_a_site_may_bring_an_expansion_of_its_own(small: Path, site: Path) -> None:
    (site / layout.EXPANDED.file).write_text(HEADER + GOOD, encoding="utf-8")
    assert [each.concept for each in load_catalog(small, site).findings(SNOMED, CODE)] == ["calciphylaxis"]
    (site / layout.EXPANDED.file).write_text(HEADER + GOOD.replace(CODE, "46177005"), encoding="utf-8")
    (problem,) = check(small, site)
    assert "46177005 is shipped already" in problem


def test_a_table_that_is_not_there_is_not_missed(small: Path) -> None:
    assert not (small / layout.EXPANDED.file).exists()
    assert check(small) == ()


def test_a_good_table_adds_its_codes_and_changes_the_digest(folder: Path) -> None:
    before = load_catalog(folder)
    (folder / layout.EXPANDED.file).write_text(HEADER + GOOD, encoding="utf-8")
    after = load_catalog(folder)
    assert before.findings(SNOMED, CODE) == ()
    assert [(each.concept, each.history_counts) for each in after.findings(SNOMED, CODE)] == [("calciphylaxis", True)]
    assert before.digest != after.digest
