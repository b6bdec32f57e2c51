"""What the shipped content must hold, whatever its rows are."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from cds_service.calcinosis.names import CauseId, Concept, EventKind, Group, Input
from cds_service.terminology import load
from cds_service.terminology.catalog import Catalog
from cds_service.terminology.load import check, load_catalog, read_shipped, shipped_mappings

LOINC = "http://loinc.org"
# Inputs that sections 1 to 5 of the clinical rules ask for.
NEEDED = frozenset(
    [
        "ca_total",
        "ca_corrected_albumin",
        "ca_ionized",
        "ca_ionized_ph74",
        "phosphate",
        "albumin",
        "protein_total",
        "pth_intact",
        "pthrp",
        "vitd_25oh_total",
        "vitd_25oh_d3",
        "vitd_25oh_d2",
        "vitd_125oh2",
        "creatinine",
        "egfr",
        "alp_total",
        "hco3",
        "co2_total",
        "ph_arterial",
        "urate",
        "potassium",
        "ldh",
        "ck",
        "bmi",
        "weight",
        "height",
        "pregnancy_status",
    ]
)


def test_the_shipped_content_loads_clean() -> None:
    assert check(shipped_mappings()) == ()


def test_the_source_tree_is_where_the_content_is_found() -> None:
    assert shipped_mappings() == Path(load.__file__).parents[2] / "mappings"


def test_an_installed_package_brings_its_content(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cds_service" / "content" / "mappings").mkdir(parents=True)
    monkeypatch.setattr(load, "__file__", str(tmp_path / "cds_service" / "terminology" / "load.py"))
    assert shipped_mappings() == tmp_path / "cds_service" / "content" / "mappings"


def test_no_folder_given_means_the_shipped_one(shipped: Catalog) -> None:
    assert load_catalog().digest == shipped.digest


@pytest.mark.parametrize(
    ("code", "input_id"),
    [
        *((code, "ca_total") for code in ("17861-6", "2000-8", "49765-1")),
        *((code, "phosphate") for code in ("2777-1", "14879-1", "2774-8", "24519-1", "48641-5")),
        *((code, "albumin") for code in ("1751-7", "2862-1", "61151-7", "61152-5")),
    ],
)
def test_the_codes_of_calcium_phosphate_and_albumin_are_found(shipped: Catalog, code: str, input_id: str) -> None:
    found = shipped.observation(LOINC, code)
    assert found is not None
    assert found.input == input_id


def test_every_name_that_a_rule_uses_is_in_the_content(shipped: Catalog) -> None:
    kinds = {row.kind for table in shipped.procedure_codes.values() for rows in table.values() for row in rows}
    groups = {drug.group for drug in shipped.drugs.values()}
    known = {
        Input: set(shipped.inputs),
        CauseId: set(shipped.knowledge.causes),
        Concept: set(shipped.concepts),
        Group: groups,
        EventKind: kinds,
    }
    assert {str(name) for names, ids in known.items() for name in names if name not in ids} == set()


def test_every_input_that_the_rules_need_is_asked_for(shipped: Catalog) -> None:
    asked = {name for _, _, inputs in shipped.input_groups for name in inputs}
    assert NEEDED - asked == set()


def test_each_query_for_results_is_short_enough_for_an_address(shipped: Catalog) -> None:
    start = "Observation?patient={{context.patientId}}&code="
    for key, _, inputs in shipped.input_groups:
        asked = (*shipped.codes_for(*inputs), *shipped.panels_for(*inputs))
        query = start + ",".join(f"{LOINC}|{code}" for code in asked)
        assert len(query) < 1800, key


def test_the_groups_of_a_query_come_in_order_with_a_title(shipped: Catalog) -> None:
    assert [key for key, _, _ in shipped.input_groups][:3] == ["calcium", "phosphate", "kidney"]
    assert all(title for _, title, _ in shipped.input_groups)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("ca_total", "3", "25"),
        ("ca_ionized", "0.3", "3.5"),
        ("phosphate", "0.3", "40"),
        ("albumin", "0.5", "6.5"),
        ("pth_intact", "0", "10000"),
    ],
)
def test_the_plausible_values_are_those_of_the_rules(shipped: Catalog, name: str, low: str, high: str) -> None:
    known = shipped.inputs[name]
    assert (known.low, known.high) == (Decimal(low), Decimal(high))


@pytest.mark.parametrize(
    ("name", "age", "low", "high"),
    [
        ("ca_total", "18", "8.5", "10.2"),
        ("ca_total", "17.9", "9.3", "10.6"),
        ("ca_total", "0.5", "8.7", "11.0"),
        ("phosphate", "0.4", "4.8", "7.4"),
        ("phosphate", "0.5", "4.5", "6.2"),
        ("phosphate", "5.9", "4.5", "6.5"),
        ("phosphate", "6", "3.6", "5.8"),
        ("phosphate", "13", "2.3", "4.5"),
        ("phosphate", "18", "2.5", "4.5"),
        ("ca_ionized", "40", "1.15", "1.33"),
        ("pth_intact", "40", "10", "65"),
    ],
)  # fmt: skip
def test_the_default_range_of_each_age(shipped: Catalog, name: str, age: str, low: str, high: str) -> None:
    fitting = [
        known
        for known in shipped.knowledge.ranges
        if known.input == name and known.age_from_years <= Decimal(age) < known.age_below_years
    ]
    assert [(known.low, known.high) for known in fitting] == [(Decimal(low), Decimal(high))]


def test_no_adult_range_begins_before_18_years(shipped: Catalog) -> None:
    paediatric = {"ca_total", "ca_corrected_albumin", "phosphate"}
    young = {known.input for known in shipped.knowledge.ranges if known.age_from_years < 18}
    assert young == paediatric
    assert all(known.age_below_years <= 18 or known.age_from_years >= 18 for known in shipped.knowledge.ranges)


def test_stages_1_and_2_of_kidney_disease_do_not_raise_the_product(shipped: Catalog) -> None:
    causes = shipped.knowledge.causes
    assert [causes[f"ckd-stage-{stage}"].raises_product for stage in range(1, 6)] == [False, False, True, True, True]


def test_a_record_of_crest_or_pilomatrixoma_does_not_document_calcification(shipped: Catalog) -> None:
    causes = shipped.knowledge.causes
    assert not causes["crest-syndrome"].documents_calcification
    assert not causes["pilomatrixoma"].documents_calcification
    assert causes["idiopathic-scrotal-calcinosis"].documents_calcification


def test_outcomes_have_no_type(shipped: Catalog) -> None:
    assert {cause.id for cause in shipped.knowledge.causes.values() if cause.type is None} == {
        "calcinosis-cutis",
        "dystrophic-calcification",
        "hypercalcaemia",
        "hyperphosphataemia",
        "metastatic-calcification",
    }


def test_acne_and_down_syndrome_are_never_blamed(shipped: Catalog) -> None:
    causes = shipped.knowledge.causes
    assert not causes["acne"].tissue_damage
    assert not causes["down-syndrome"].tissue_damage
    assert causes["dermatomyositis"].tissue_damage


def test_the_seed_article_is_a_source_with_an_address(shipped: Catalog) -> None:
    source = shipped.sources["nunley-2020"]
    assert source.url == "https://emedicine.medscape.com/article/1103137-overview"
    assert source.year == 2020


def test_loading_takes_less_than_a_quarter_of_a_second() -> None:
    # In a process of its own, so that no coverage tracer slows it.
    load_time = "import time; from cds_service.terminology.load import load_catalog; load_catalog(); "
    load_time += "start = time.process_time(); load_catalog(); print(time.process_time() - start)"
    assert min(float(_python(load_time)) for _ in range(3)) < 0.25


def test_terminology_needs_nothing_but_the_standard_library() -> None:
    others = "{'flask', 'msgspec', 'pydantic', 'requests'}"
    assert _python(f"import sys, cds_service.terminology.load; print({others} & set(sys.modules))") == "set()"


def _python(script: str) -> str:
    root = Path(load.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.strip()


def test_the_rows_that_pages_show_are_those_of_the_catalog() -> None:
    content = read_shipped()
    assert (content.version, content.digest()) == (load_catalog().version, load_catalog().digest)
