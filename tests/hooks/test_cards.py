"""The card as a CDS Hooks object, and its summary."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from cds_service.calcinosis.assessment import (
    Assessment,
    Dialysis,
    Setting,
    Tier,
)
from cds_service.calcinosis.facts import (
    EncounterClass,
    GapReason,
    Mark,
    Position,
)
from cds_service.hooks.cards import MOST_LINKS, OVERRIDE_REASONS, Link, cards_for
from cds_service.hooks.wording.rules import TOPICS
from tests.hooks.assessments import (
    CATALOG,
    HEADLINES,
    assessment,
    card,
    cause,
    gap,
    measurement,
    product,
    summary,
    text,
    value,
)

# ---- the card as a CDS Hooks object


def test_nothing_to_show_gives_no_card() -> None:
    assert cards_for(assessment(None, Tier.NONE), CATALOG, lambda: "id", {}) == ()


def test_links_to_pages_of_our_own_stand_before_those_to_sources() -> None:
    own = (Link("Trend", "https://cds.example.org/app/launch", "smart"), Link("Rule", "https://cds.example.org/r"))
    asked: list[Assessment] = []

    def links_of(a: Assessment) -> tuple[Link, ...]:
        asked.append(a)
        return own

    found = cards_for(assessment(), CATALOG, lambda: "id", {}, links_of)[0].to_json()["links"]
    assert isinstance(found, list)
    assert found[:2] == [link.to_json() for link in own]
    assert found[0]["type"] == "smart"
    assert 2 < len(found) <= MOST_LINKS
    assert {link["type"] for link in found[1:]} == {"absolute"}
    cards_for(assessment(None, Tier.NONE), CATALOG, lambda: "id", {}, links_of)
    assert len(asked) == 1, "no link is made where there is no card"


def test_a_card_has_the_fields_of_the_specification_and_no_empty_ones() -> None:
    found = card(assessment(), {"org.calcinosis-cds.assessment": {"tier": "critical"}})
    assert list(found) == [
        "uuid",
        "summary",
        "indicator",
        "detail",
        "source",
        "links",
        "overrideReasons",
        "extension",
    ]
    assert found["indicator"] == "critical"
    assert found["extension"] == {"org.calcinosis-cds.assessment": {"tier": "critical"}}
    assert all(part not in (None, "", [], {}) for part in found.values())
    assert json.loads(json.dumps(found)) == found


def test_the_source_is_the_primary_source_of_the_headline_rule_with_year_and_address() -> None:
    source = card(assessment("CL-50"))["source"]
    assert isinstance(source, dict)
    assert "Nunley" in source["label"]
    assert "2020" in source["label"]
    assert source["url"].startswith("https://")
    assert "K/DOQI" in str(card(assessment("CL-52", Tier.WARNING))["source"])


@pytest.mark.parametrize("headline", HEADLINES)
def test_the_topic_is_static_alphanumeric_and_of_the_headline_rule(headline: str) -> None:
    source = card(assessment(headline, Tier.INFO))["source"]
    assert isinstance(source, dict)
    assert source["topic"]["code"] == headline.replace("-", "")
    assert source["topic"]["system"] == "urn:calcinosis-cds:topic"
    assert source["topic"]["code"].isalnum()
    assert source["topic"]["display"] == TOPICS[headline]


def test_reasons_to_override_come_with_warning_and_critical_only() -> None:
    assert len(OVERRIDE_REASONS) <= 6
    assert "overrideReasons" not in card(assessment("CL-53", Tier.INFO))
    reasons = card(assessment("CL-52", Tier.WARNING))["overrideReasons"]
    assert isinstance(reasons, list)
    assert all(reason["system"] and reason["code"] and reason["display"] for reason in reasons)


def test_cards_of_equal_assessments_are_equal_but_for_the_uuid() -> None:
    ids = iter(["one", "two"])
    (first,), (second,) = (cards_for(assessment(), CATALOG, lambda: next(ids), {}) for _ in range(2))
    assert first != second
    assert replace(first, uuid="") == replace(second, uuid="")


# ---- the summary


@pytest.mark.parametrize(
    ("a", "expected"),
    [
        (assessment(), "Calcium x phosphate 73.0 mg2/dL2 (above 70) on 2026-10-09: risk of metastatic calcification"),
        (
            # 2.35 x 2.41 = 5.6635 mmol2/L2; 9.41833 x 7.46467... = 70.3
            assessment(product=product("2.35", "2.41", "mmol/L")),
            "Calcium x phosphate 70.3 mg2/dL2 (5.66 mmol2/L2; above 70) on 2026-10-09: risk of metastatic "
            "calcification",
        ),
        (
            assessment("CL-52", Tier.WARNING, product=product("10.0", "6.1")),
            "Calcium x phosphate 61.0 mg2/dL2 on 2026-10-09, above the K/DOQI target of 55",
        ),
        (
            assessment(
                "CL-60",
                Tier.INFO,
                product=None,
                gaps=(gap(GapReason.MISSING),),
                setting=Setting(EncounterClass.OUTPATIENT, Dialysis.MAINTENANCE),
                causes=(cause(),),
            ),
            "Phosphate missing: calcium x phosphate cannot be calculated (dialysis recorded)",
        ),
        (
            assessment(
                "CL-60",
                Tier.INFO,
                product=None,
                gaps=(gap(GapReason.STALE, "ca_total", days=400), gap(GapReason.STALE, days=400)),
                causes=(cause(),),
            ),
            "Last calcium and phosphate of 2025-09-07 (400 days old): calcium x phosphate cannot be calculated "
            "(chronic kidney disease stage 4 recorded)",
        ),
        (
            assessment(
                "CL-27",
                Tier.WARNING,
                flags=(Mark.PROTEIN_GAP,),
                protein_gap_g_dl=Decimal("9.1"),
                product=product("10.1", "24.8"),
            ),
            # 10.1 x 24.8 = 250.48
            "Confirm phosphate 24.8 mg/dL of 2026-10-09: it may be falsely high (protein gap 9.1 g/dL); calcium x "
            "phosphate 250.5 mg2/dL2",
        ),
        (
            assessment("CL-151", Tier.INFO, population=("newborn",)),
            "Calcium x phosphate 73.0 mg2/dL2 on 2026-10-09: adult threshold not validated in newborns",
        ),
        (
            assessment("CL-58", Tier.INFO, product=product("9.0", "3.5"), documented_names=("Calciphylaxis",)),
            "Calciphylaxis recorded; calcium x phosphate 31.5 mg2/dL2 on 2026-10-09 does not exclude it",
        ),
        (
            assessment("CL-55", Tier.WARNING, product=product("21.0", "2.2")),
            "Severe hypercalcaemia: calcium 21.0 mg/dL on 2026-10-09; calcium x phosphate 46.2 mg2/dL2",
        ),
    ],
)
def test_the_summary_names_finding_number_unit_and_date(a: Assessment, expected: str) -> None:
    assert summary(a) == expected


def test_two_usable_values_that_make_no_pair_are_named_with_their_dates() -> None:
    unpaired = (value("ca_total", "9.6", days=10), value("phosphate", "7.1", position=Position.HIGH))
    for headline in ("CL-57", "CL-60"):
        found = summary(assessment(headline, Tier.INFO, product=None, values=unpaired, causes=(cause(),)))
        assert found.startswith("Calcium of 2026-10-02 and phosphate of 2026-10-09 make no pair: calcium x phosph")


def test_a_result_in_words_is_not_called_missing() -> None:
    words = "reported in words only on 2026-10-09"
    gaps = (gap(GapReason.MISSING, "ca_total", words, 3), gap(GapReason.MISSING, detail=words, days=3))
    a = assessment("CL-59", Tier.INFO, product=None, gaps=gaps, documented_names=("Calcinosis cutis (any type)",))
    assert summary(a).endswith("calcium and phosphate of 2026-10-09 in words only")
    assert "Calcium x phosphate cannot be calculated from words." in text(a)


def test_a_product_just_above_the_limit_is_not_written_as_the_limit() -> None:
    assert "70.02 mg2/dL2 (above 70)" in summary(assessment(product=product("11.67", "6.0")))  # 11.67 x 6.0 = 70.02
    assert " 70.0 mg2/dL2" in summary(assessment("CL-52", Tier.WARNING, product=product("10.0", "7.0")))


def test_a_lower_bound_is_called_at_least() -> None:
    bound = product("9.5", "20", bound="atLeast")
    bound = replace(
        bound, phosphate=replace(bound.phosphate, measurement=measurement("phosphate", "20", comparator=">"))
    )
    said = text(assessment(product=bound))
    assert "Calcium x phosphate at least 190.0 mg2/dL2" in said
    assert "more than 20 mg/dL" in said
