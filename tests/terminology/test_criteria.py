from datetime import timedelta
from decimal import Decimal

import pytest

from cds_service.terminology.catalog import Catalog, Source
from cds_service.terminology.criteria import (
    FIELDS,
    SOURCES_FILE,
    parse_toml,
    read_criteria,
    read_local_criteria,
    read_sources,
    read_version,
    unit_for,
)
from cds_service.terminology.load import shipped_mappings
from cds_service.terminology.table import Problems
from tests.terminology.conftest import Spoil

PRODUCT = '[product_critical_mg2_dl2]\nvalue = "70"\nunit = "mg2/dL2"\n'
ICU = '[fresh_icu]\nvalue = "24"\nunit = "h"\n'
CORRECTION = 'local = "allowed"\nmin = "0.6"\nmax = "1.0"\n'


@pytest.fixture
def spoil() -> Spoil:
    """Replace a text of criteria.toml and return what is then wrong with this file; no other file depends on it."""

    def replace(file: str, old: str, new: str) -> tuple[str, ...]:
        text = (shipped_mappings() / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {file}"
        sources = (shipped_mappings() / SOURCES_FILE).read_text(encoding="utf-8")
        problems = Problems()
        read_criteria(text.replace(old, new), frozenset(read_sources(sources, problems)), problems)
        return tuple(problems.found)

    return replace


def test_limits_are_exact_decimals(shipped: Catalog) -> None:
    assert shipped.knowledge.criteria.product_critical_mg2_dl2 == Decimal(70)
    assert shipped.knowledge.criteria.correction_mg_dl_per_g_dl == Decimal("0.8")


def test_windows_are_durations(shipped: Catalog) -> None:
    assert shipped.knowledge.criteria.same_draw_window == timedelta(minutes=15)
    assert shipped.knowledge.criteria.pair_near_window == timedelta(hours=24)
    assert shipped.knowledge.criteria.recent_ckd_g3 == timedelta(days=365)


def test_every_field_that_is_no_duration_has_a_unit_in_its_name() -> None:
    assert [name for name, kind in FIELDS.items() if kind is Decimal and unit_for(name) is None] == []


def test_the_longest_ending_of_a_name_decides_its_unit() -> None:
    assert unit_for("correction_mg_dl_per_g_dl") == "mg/dL per g/dL"
    assert unit_for("calcium_severe_mg_dl") == "mg/dL"
    assert unit_for("egfr_ckd") == "mL/min/{1.73_m2}"
    assert unit_for("fresh_icu") is None


def test_a_missing_limit_is_named(spoil: Spoil) -> None:
    assert spoil("criteria.toml", "[product_critical_mg2_dl2]", "[product_critical]") == (
        "criteria.toml:0: product_critical_mg2_dl2: is missing",
        "criteria.toml:8: product_critical: is not a field of Criteria",
    )


def test_a_number_without_quotes_is_refused(spoil: Spoil) -> None:
    assert spoil("criteria.toml", PRODUCT, PRODUCT.replace('"70"', "70.0")) == (
        "criteria.toml:8: product_critical_mg2_dl2: value 70.0 is not a plain decimal in quotes",
    )


@pytest.mark.parametrize("text", ["7O", "-70", "7e1", "", " 70", "NaN"])
def test_a_number_that_is_not_plain_is_refused(spoil: Spoil, text: str) -> None:
    assert spoil("criteria.toml", PRODUCT, PRODUCT.replace('"70"', f'"{text}"')) == (
        f"criteria.toml:8: product_critical_mg2_dl2: value {text!r} is not a plain decimal in quotes",
    )


def test_the_unit_must_be_that_of_the_name(spoil: Spoil) -> None:
    assert spoil("criteria.toml", PRODUCT, PRODUCT.replace("mg2/dL2", "mmol2/L2")) == (
        "criteria.toml:8: product_critical_mg2_dl2: unit 'mmol2/L2' is not 'mg2/dL2', which the name asks for",
    )


def test_a_duration_needs_a_unit_of_time(spoil: Spoil) -> None:
    problems = spoil("criteria.toml", ICU, ICU.replace('"h"', '"hours"'))
    assert [problem.split(": ", 1)[1] for problem in problems] == ["fresh_icu: unit 'hours' is not one of: min, h, d"]


def test_a_duration_needs_a_number(spoil: Spoil) -> None:
    problems = spoil("criteria.toml", ICU, ICU.replace('"24"', '"a day"'))
    assert [problem.split(": ", 1)[1] for problem in problems] == [
        "fresh_icu: value 'a day' is not a plain decimal in quotes"
    ]


def test_a_limit_without_unit_or_source_is_refused(spoil: Spoil) -> None:
    source = 'source = "nunley-2020: Pathophysiology"\n'
    assert spoil("criteria.toml", source, "") == ("criteria.toml:8: product_critical_mg2_dl2: has no source",)


def test_an_unknown_key_is_refused_with_the_known_ones(spoil: Spoil) -> None:
    assert spoil("criteria.toml", PRODUCT, PRODUCT + 'units = "mg2/dL2"\n') == (
        "criteria.toml:8: product_critical_mg2_dl2: has unknown units; "
        "known are local, max, meaning, min, rules, source, unit, value",
    )


def test_an_unknown_source_is_refused(spoil: Spoil) -> None:
    assert spoil("criteria.toml", '"nunley-2020: Pathophysiology"', '"nunley: Pathophysiology"') == (
        "criteria.toml:8: product_critical_mg2_dl2: source 'nunley: Pathophysiology' is not in sources.toml",
    )


def test_an_empty_meaning_and_missing_rules_are_refused(spoil: Spoil) -> None:
    meaning = 'meaning = "1 to 12 years: warning above this"\nrules = ["CL-153"]\n'
    assert spoil("criteria.toml", meaning, 'meaning = " "\nrules = []\n') == (
        "criteria.toml:22: product_child_mg2_dl2: meaning is empty",
        "criteria.toml:22: product_child_mg2_dl2: rules is not a list of rule ids",
    )


def test_a_limit_that_is_no_table_is_refused(spoil: Spoil) -> None:
    assert spoil("criteria.toml", "# Product of calcium and phosphate\n", "dialysis = 2\n") == (
        "criteria.toml:0: dialysis: is not a field of Criteria",
    )


def test_a_field_that_is_no_table_is_refused(spoil: Spoil) -> None:
    assert "criteria.toml:0: product_critical_mg2_dl2: is not a table" in spoil(
        "criteria.toml", PRODUCT, 'product_critical_mg2_dl2 = "70"\n[old]\nvalue = "70"\nunit = "mg2/dL2"\n'
    )


def test_a_file_that_is_no_toml_is_named_with_the_line(spoil: Spoil) -> None:
    assert spoil("criteria.toml", '[fresh_icu]\nvalue = "24"', "[fresh_icu]\nvalue = 24 h") == (
        "criteria.toml:225: file: is not TOML: Expected newline or end of document after a statement",
    )


def test_a_file_that_ends_too_early_is_no_toml() -> None:
    problems = Problems()
    assert parse_toml('[a]\nb = "', problems, name="a.toml") == ({}, {})
    assert problems.found == ["a.toml:0: file: is not TOML: Unterminated string (at end of document)"]


def test_a_value_outside_the_bounds_of_a_site_is_refused(spoil: Spoil) -> None:
    problems = spoil("criteria.toml", CORRECTION, CORRECTION.replace("0.6", "0.9"))
    assert [problem.split(": ", 1)[1] for problem in problems] == [
        "correction_mg_dl_per_g_dl: value 0.8 is not within 0.9 to 1.0"
    ]


def test_what_a_site_may_set_is_either_allowed_or_not_named(spoil: Spoil) -> None:
    problems = spoil("criteria.toml", CORRECTION, CORRECTION.replace("allowed", "yes"))
    assert [problem.split(": ", 1)[1] for problem in problems] == ['correction_mg_dl_per_g_dl: local is not "allowed"']


def test_what_a_site_may_set_needs_both_bounds(spoil: Spoil) -> None:
    problems = spoil("criteria.toml", CORRECTION, 'local = "allowed"\nmin = "0.6"\n')
    assert [problem.split(": ", 1)[1] for problem in problems] == [
        "correction_mg_dl_per_g_dl: max None is not a plain decimal in quotes"
    ]


def test_a_source_needs_a_title_a_year_in_numbers_and_a_secure_address() -> None:
    problems = Problems()
    read_sources('[a]\nkind = "study"\n\n[b]\ntitle = "B"\nkind = "study"\nyear = "1998"\nurl = "http://b"\n', problems)
    assert problems.found == [
        "sources.toml:1: a: has no title",
        "sources.toml:4: b: year '1998' is not a whole number",
        "sources.toml:4: b: url 'http://b' does not begin with https://",
    ]


def test_a_manifest_says_what_the_content_is() -> None:
    problems = Problems()
    read_version('version = "1.0"\nreviewers = []\nremark = ""\n\n[releases]\nLOINC = "2.82"\n', problems)
    assert problems.found == [
        "manifest.toml:0: date: is missing or not a str",
        "manifest.toml:0: version: '1.0' is not year.month.number",
        "manifest.toml:5: releases: names no release of SNOMED CT",
        "manifest.toml:5: releases: names no release of RxNorm",
        "manifest.toml:5: releases: names no release of ATC",
        "manifest.toml:5: releases: names no release of UCUM",
        "manifest.toml:5: releases: names no release of ICD-10-CM",
        "manifest.toml:5: releases: names no release of ICD-10",
    ]


def test_an_empty_manifest_lacks_everything() -> None:
    problems = Problems()
    read_version("", problems)
    assert problems.found == [
        "manifest.toml:0: version: is missing or not a str",
        "manifest.toml:0: date: is missing or not a str",
        "manifest.toml:0: reviewers: is missing or not a list",
        "manifest.toml:0: remark: is missing or not a str",
        "manifest.toml:0: releases: is missing or not a dict",
    ]


def test_a_value_may_be_its_own_least_or_greatest(shipped: Catalog) -> None:
    text = (shipped_mappings() / "criteria.toml").read_text(encoding="utf-8")
    for bounds in (("0.8", "1.0"), ("0.6", "0.8")):
        problems = Problems()
        local = 'local = "allowed"\nmin = "{}"\nmax = "{}"\n'.format(*bounds)
        _, read = read_criteria(text.replace(CORRECTION, local), frozenset(shipped.sources), problems)
        assert problems.found == []
        assert read["correction_mg_dl_per_g_dl"] == (Decimal(bounds[0]), Decimal(bounds[1]))


def test_all_missing_and_all_unknown_keys_are_named(spoil: Spoil) -> None:
    assert spoil("criteria.toml", PRODUCT, '[product_critical_mg2_dl2]\nvalues = "70"\nunits = "mg2/dL2"\n') == (
        "criteria.toml:8: product_critical_mg2_dl2: has no unit, value",
        "criteria.toml:8: product_critical_mg2_dl2: has unknown units, values; "
        "known are local, max, meaning, min, rules, source, unit, value",
    )


def test_the_limits_of_a_site_are_read_with_their_lines() -> None:
    bounds = {"pth_low_pg_ml": (Decimal(10), Decimal(30)), "correction_mg_dl_per_g_dl": (Decimal(0), Decimal(1))}
    own = '[pth_low_pg_ml]\nvalue = "{}"\nunit = "pg/mL"\nreason = "our assay"\n'
    problems = Problems()
    assert read_local_criteria(own.format(15), bounds, problems, name="a.toml") == {"pth_low_pg_ml": Decimal(15)}
    assert problems.found == []
    assert read_local_criteria("\n" + own.format(9) + "[pth]\n", bounds, problems, name="a.toml") == {}
    assert read_local_criteria("x = 1\n", bounds, problems, name="a.toml") == {}
    assert read_local_criteria("[", bounds, problems, name="a.toml") == {}
    assert problems.found[:3] == [
        "a.toml:2: pth_low_pg_ml: value 9 is not within 10 to 30",
        "a.toml:6: pth: may not be set by a site; these may: correction_mg_dl_per_g_dl, pth_low_pg_ml",
        "a.toml:0: x: may not be set by a site; these may: correction_mg_dl_per_g_dl, pth_low_pg_ml",
    ]
    assert [problem.split(":")[0] for problem in problems.found[3:]] == ["a.toml"]


def test_a_table_is_found_by_its_name_with_or_without_quotes() -> None:
    assert parse_toml('["a"]\n[X]\n', Problems(), name="a.toml") == ({"a": {}, "X": {}}, {"a": 1, "X": 2})


def test_a_source_is_read_whole() -> None:
    problems = Problems()
    text = '[a]\ntitle = "A"\nkind = "study"\nyear = 1998\nurl = "https://a"\n\n[b]\ntitle = "B"\nkind = "table"\n'
    assert read_sources(text, problems) == {
        "a": Source("a", "A", "study", 1998, "https://a"),
        "b": Source("b", "B", "table", None, None),
    }
    assert problems.found == []
    assert read_sources("a = 1\n", problems) == {}
    assert read_sources("[", problems) == {}
    assert problems.found[0] == "sources.toml:0: a: is not a table"
    assert [problem[:30] for problem in problems.found[1:]] == ["sources.toml:0: file: is not T"]


def test_a_manifest_gives_its_version() -> None:
    problems = Problems()
    start = 'version = "2026.11.0"\ndate = "2026-11-25"\nreviewers = []\nremark = ""\n'
    assert read_version(start + "releases = {}\n", problems) == "2026.11.0"
    assert {problem.partition(" no ")[0] for problem in problems.found} == {"manifest.toml:0: releases: names"}
    problems = Problems()
    read_version("[", problems)
    assert problems.found[0].startswith("manifest.toml:0: file: is not TOML: ")
