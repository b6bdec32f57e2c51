"""What holds for the card of any assessment at all: length, units, gaps, and words that must never be said."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.calcinosis.assessment import (
    ActiveExposure,
    AlsoRecorded,
    Assessment,
    Basis,
    CalcinosisType,
    Cap,
    CauseFound,
    Dialysis,
    EarlierProduct,
    Freshness,
    Product,
    RiskFactor,
    Setting,
    Tier,
    Trend,
    Value,
)
from cds_service.calcinosis.facts import (
    EncounterClass,
    Gap,
    GapReason,
    Mark,
    Measurement,
    Position,
    Range,
    Taken,
)
from cds_service.hooks.plain import card_as_text
from cds_service.hooks.wording.advice import ADVICE
from cds_service.hooks.wording.findings import ANALYTES, POPULATIONS, TYPES
from cds_service.hooks.wording.rules import CAPS, RULES
from tests.hooks.assessments import CATALOG, HEADLINES, HOSTILE, NOW, assessment, card, cause, gap, product, text

FORBIDDEN = (
    r"\bno risk\b",
    r"\bsafe\b",
    r"(?<!be )\bexcluded\b",
    r"\bpredicts?\b",
    r"\bimproved?\b",
    r"\b(stop|start|give|discontinue|administer|withhold)(s|ing)?\b",
    r"\blow(er)? risk\b",
    r"\blower(ing)? (the )?(serum )?calcium\b",
    r"\bdose\b",
    r"\bNone\b",
    r"[<>`|]{2}|<|>",
)

# ---- any assessment at all


def says_nothing_forbidden(text: str) -> bool:
    """Whether none of our forbidden words stands in it by itself: a chart may say what it likes."""
    return not any(re.search(pattern, text, re.IGNORECASE) for pattern in FORBIDDEN[:-1])


chart_words = st.text(max_size=200).filter(says_nothing_forbidden)
texts = st.one_of(st.sampled_from(["mg/dL", "mmol/L", HOSTILE]), chart_words)
decimals = st.decimals("0.01", "99999", places=2, allow_nan=False)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2026, 10, 12), timezones=st.just(UTC))  # noqa: DTZ001
takens = st.builds(lambda at, own, text: Taken(at, text if own else at.isoformat()), moments, st.booleans(), texts)
measurements = st.builds(
    Measurement,
    input=st.sampled_from([*ANALYTES, "unknown_analyte"]),
    value=decimals,
    reported=decimals | st.none(),
    unit=texts | st.none(),
    taken=takens,
    reference=texts,
    comparator=st.sampled_from([None, "<", "<=", ">", ">="]),
)
ranges = st.builds(Range, decimals | st.none(), decimals | st.none(), st.just("mg/dL"), st.just("laboratory"))
values = st.builds(
    Value,
    measurement=measurements,
    canonical=decimals,
    position=st.sampled_from(Position),
    range=ranges | st.none(),
    kind=st.sampled_from([None, "total", "adjusted", "corrected", "ionized"]),
)
products = st.builds(
    Product,
    value_mg2_dl2=decimals,
    value_mmol2_l2=decimals,
    bound=st.sampled_from(["exact", "atLeast", "atMost"]),
    measured_mg2_dl2=decimals | st.none(),
    corrected_mg2_dl2=decimals | st.none(),
    calcium=values,
    phosphate=values,
    albumin=values | st.none(),
    pair_class=st.sampled_from("ABC"),
    gap_hours=decimals,
    age_hours=decimals,
    freshness=st.sampled_from(Freshness),
)
known_causes = st.sampled_from(list(CATALOG.knowledge.causes.values()))
causes = st.builds(
    lambda known, basis, evidence: CauseFound(
        id=known.id,
        name=known.name,
        type=known.type or CalcinosisType.UNDETERMINED,
        basis=basis,
        evidence=evidence,
        rules=("CL-62",),
    ),
    known_causes,
    st.sampled_from(Basis),
    st.lists(texts, max_size=5).map(tuple),
)
names = st.lists(known_causes.map(lambda known: known.name), max_size=2).map(tuple)
gaps = st.builds(
    Gap,
    analyte=st.sampled_from(["ca_total", "phosphate", "albumin", "ca_p_product", "other_thing"]),
    reason=st.sampled_from(GapReason),
    detail=texts,
    taken=takens | st.none(),
    reference=texts | st.none(),
)
caps = st.builds(Cap, st.sampled_from([*CAPS, "CL-999"]), st.sampled_from(Tier), st.sampled_from(Tier))
also = st.builds(AlsoRecorded, id=st.sampled_from([None, "esrd-dialysis"]), text=texts, evidence=st.just(()))
rules = st.lists(st.sampled_from([*RULES, *TYPES, *ADVICE, "CL-999"]), max_size=8).map(tuple)
assessments = st.builds(
    Assessment,
    evaluated_at=st.just(NOW),
    tier=st.sampled_from([Tier.INFO, Tier.WARNING, Tier.CRITICAL]),
    headline=st.sampled_from([*HEADLINES, "CL-999"]),
    caps=st.lists(caps, max_size=2).map(tuple),
    risk_pathway=st.sampled_from(CalcinosisType),
    documented_names=names,
    documented_by=st.lists(texts, max_size=3).map(tuple),
    causes=st.lists(causes, max_size=8).map(tuple),
    also_recorded=st.lists(also, max_size=2).map(tuple),
    product=products | st.none(),
    trend=st.none()
    | st.builds(
        Trend,
        direction=st.sampled_from(["rising", "falling", "steady", "unknown"]),
        persistent=st.booleans(),
        previous=st.lists(st.builds(EarlierProduct, decimals, texts), max_size=2).map(tuple),
    ),
    flags=st.lists(st.sampled_from(Mark), max_size=4, unique=True).map(tuple),
    gaps=st.lists(gaps, max_size=3).map(tuple),
    risk_factors=st.lists(st.builds(RiskFactor, st.just("dialysis"), st.just(())), max_size=1).map(tuple),
    exposures=st.lists(
        st.builds(ActiveExposure, group=texts, drug=texts, name=texts, modifiable=st.booleans(), evidence=st.just(())),
        max_size=3,
    ).map(tuple),
    population=st.lists(st.sampled_from(["adult", *POPULATIONS]), max_size=2).map(tuple),
    setting=st.builds(Setting, st.sampled_from(EncounterClass), st.sampled_from(Dialysis)),
    rules=rules,
    advice=st.lists(st.sampled_from(list(ADVICE)), max_size=3).map(tuple),
    weaknesses=st.lists(texts, max_size=2).map(tuple),
    values=st.lists(values, max_size=3).map(tuple),
    protein_gap_g_dl=decimals | st.none(),
    uncorrected_because=texts | st.none(),
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(assessments)
def test_no_assessment_makes_a_card_that_breaks_the_rules_of_cards(a: Assessment) -> None:
    found = card(a)
    line, detail = str(found["summary"]), str(found["detail"])
    assert 0 < len(line) <= 139
    assert "\n" not in line
    assert re.search(r"not a normal result|cannot be calculated|\d", line + detail)
    assert "Not for emergency use" in detail
    assert "**Rules that fired**" in detail or not a.rules
    for row in detail.split("\n"):
        assert not row.startswith("|") or row.count("|") == 6, row
    assert not re.search(r"[<>`]|\]\(|&\w", line + detail)
    assert not re.search(r"\d\.\d{7,}", line + detail)
    assert all(len(shown) == 80 for shown in card_as_text(found).split("\n") if not wide(shown))


def wide(line: str) -> bool:
    """Tell whether a line has characters that are not one column, whose width len() does not know."""
    return not line.isascii()


@pytest.mark.parametrize("headline", [*HEADLINES, "CL-999"])
@pytest.mark.parametrize("with_product", [True, False])
def test_no_card_says_what_must_never_be_said(headline: str, with_product: bool) -> None:
    a = assessment(
        headline,
        Tier.WARNING,
        product=product() if with_product else None,
        rules=tuple([*RULES, *TYPES]),
        advice=tuple(ADVICE),
        flags=tuple(Mark),
        caps=tuple(Cap(rule, Tier.CRITICAL, Tier.WARNING) for rule in CAPS),
        population=tuple(POPULATIONS),
        causes=tuple(cause(known.name, known.id) for known in CATALOG.knowledge.causes.values()),
        gaps=tuple(gap(reason, days=3) for reason in GapReason),
        documented_names=("Calciphylaxis",),
    )
    said = text(a)
    for pattern in FORBIDDEN:
        assert not re.search(pattern, said, re.I), pattern
