"""The table of section 6, row by row: what is documented, what is blamed, where the values stand."""

import pytest

from cds_service.calcinosis.assessment import Basis, CauseFound, Tier
from cds_service.calcinosis.causes import Documented, Levels
from cds_service.calcinosis.facts import Position
from cds_service.calcinosis.pathway import Picture, conclude
from cds_service.calcinosis.tier import Ruling
from cds_service.terminology.catalog import Catalog

VALUES = {"h": Position.HIGH, "n": Position.NORMAL, "l": Position.LOW, "?": Position.UNKNOWN}
KIDNEYS = ("esrd-dialysis", "ckd-stage-5", "ckd-stage-4", "ckd-stage-3", "chronic-renal-failure", "acute-kidney-injury")


def picture(
    catalog: Catalog,
    documented: str,
    causes: str,
    levels: str,
    product: str = "",
    *,
    rule: str = "CL-52",
    guarded: bool = False,
    awaits: bool = False,
) -> Picture:
    """levels: calcium and phosphate, "hn" for high and normal. product: "high", "low" or nothing in between."""
    known = catalog.knowledge.causes
    calcium, phosphate = (VALUES[letter] for letter in levels)
    return Picture(
        levels=Levels(calcium, phosphate),
        product_high=product == "high",
        product_low=product == "low",
        ruling=Ruling(Tier.WARNING if rule else Tier.NONE, rule or "CL-61"),
        guarded=guarded,
        unusable="?" in levels,
        awaits_values=awaits,
        suspected=(),
        causes=[
            CauseFound(id=each, name=each, type=known[each].type, basis=Basis.RECORDED, evidence=(), rules=())  # type: ignore[arg-type]
            for each in causes.split()
        ],
        calcifications=[Documented(known[each], (), True) for each in documented.split()],
    )


@pytest.mark.parametrize(
    ("documented", "causes", "levels", "product", "told"),
    [
        ("calcinosis-cutis", "parenteral-calcium", "nn", "", "iatrogenic CL-86 moderate"),
        ("calcinosis-cutis", "parenteral-calcium dermatomyositis", "nn", "", "mixed CL-86 moderate"),
        ("calcinosis-cutis", "parenteral-calcium", "n?", "", "iatrogenic CL-89 low"),
        ("calcinosis-cutis", "parenteral-calcium dermatomyositis", "n?", "", "mixed CL-89 low"),
        ("calcinosis-cutis", "parenteral-calcium esrd-dialysis", "n?", "", "mixed CL-93 low"),
        ("calcinosis-cutis", "parenteral-calcium primary-hyperparathyroidism", "n?", "", "iatrogenic CL-89 low"),
        ("calcinosis-cutis", "parenteral-calcium", "hn", "", "iatrogenic CL-86 moderate"),
        ("calcinosis-cutis", "parenteral-calcium", "hn", "high", "mixed CL-93 moderate"),
        ("calcinosis-cutis", "parenteral-calcium dermatomyositis", "hn", "", "mixed CL-93 moderate"),
        ("calcinosis-cutis", "parenteral-calcium ckd-stage-4", "nh", "", "mixed CL-93 moderate"),
        ("calcinosis-cutis", "parenteral-calcium primary-hyperparathyroidism", "hn", "", "iatrogenic CL-86 moderate"),
        ("calcinosis-cutis", "tumour-lysis-syndrome", "nn", "", "iatrogenic CL-86 moderate"),
        ("calcinosis-cutis", "phosphate-load", "nn", "", "iatrogenic CL-86 moderate"),
        ("calcinosis-cutis", "dermatomyositis", "hn", "", "mixed CL-88 moderate"),
        ("calcinosis-cutis", "", "hh", "high", "metastatic CL-81 high"),
        ("calcinosis-cutis", "ckd-stage-4", "nh", "", "metastatic CL-83 moderate"),
        ("calcinosis-cutis", "ckd-stage-4", "nh", "low", "metastatic CL-83 low"),
        ("metastatic-calcification", "", "nh", "", "metastatic CL-83 moderate"),
        ("calcinosis-cutis", "", "nh", "", "undetermined CL-83 low"),
        ("calcinosis-cutis", "dermatomyositis", "??", "", "dystrophic CL-89 low"),
        ("metastatic-calcification", "", "??", "", "metastatic CL-83 low"),
        ("calcinosis-cutis", "", "??", "", "undetermined CL-90 low"),
        ("calcinosis-cutis", "", "n?", "", "undetermined CL-90 low"),
        ("calcinosis-cutis", "dermatomyositis", "nn", "", "dystrophic CL-84 high"),
        ("dystrophic-calcification", "", "nn", "", "dystrophic CL-84 high"),
        ("metastatic-calcification", "", "nn", "", "metastatic CL-83 low"),
        ("tumoral-calcinosis", "ckd-stage-5", "nn", "", "metastatic CL-97 moderate"),
        ("calcinosis-cutis", "primary-hyperparathyroidism", "nn", "", "undetermined CL-87 low"),
        ("calcinosis-cutis", "rhabdomyolysis", "nn", "", "dystrophic CL-84 high"),
        ("calcinosis-cutis", "transplant-kidney", "nn", "", "idiopathic CL-87 moderate"),
        ("calcinosis-cutis", "", "nn", "", "idiopathic CL-87 moderate"),
        ("calciphylaxis", "", "nn", "", "metastatic CL-91 high"),
        ("calcinosis-cutis calciphylaxis", "parenteral-calcium", "nn", "", "metastatic CL-91 high"),
    ],
)
def test_documented_calcification(
    catalog: Catalog, documented: str, causes: str, levels: str, product: str, told: str
) -> None:
    found = conclude(picture(catalog, documented, causes, levels, product))
    assert f"{found.pathway} {found.rule} {found.confidence}" == told


@pytest.mark.parametrize(
    ("causes", "levels", "product", "more", "told"),
    [
        ("", "hh", "high", {"guarded": True}, "undetermined CL-82d low"),
        ("tumour-lysis-syndrome", "lh", "", {}, "mixed CL-82e moderate"),
        ("phosphate-load", "nh", "", {}, "iatrogenic CL-82e moderate"),
        ("phosphate-load", "nh", "high", {}, "iatrogenic CL-82e high"),
        ("parenteral-phosphate", "nh", "", {}, "iatrogenic CL-82e moderate"),
        ("", "nh", "high", {}, "metastatic CL-82 high"),
        ("", "nh", "", {}, "metastatic CL-82a moderate"),
        ("", "n?", "", {"rule": "CL-60", "awaits": True}, "undetermined CL-82c low"),
        ("", "?h", "", {"rule": "CL-57"}, "undetermined CL-82c low"),
        ("", "n?", "", {"rule": ""}, "none CL-82b high"),
        ("", "nn", "low", {"rule": "", "awaits": True}, "none CL-82b high"),
    ],
)
def test_nothing_documented(
    catalog: Catalog, causes: str, levels: str, product: str, more: dict[str, object], told: str
) -> None:
    found = conclude(picture(catalog, "", causes, levels, product, **more))  # type: ignore[arg-type]
    assert f"{found.pathway} {found.rule} {found.confidence}" == told


@pytest.mark.parametrize("kidney", KIDNEYS)
def test_every_kidney_disease_makes_uraemia(catalog: Catalog, kidney: str) -> None:
    assert conclude(picture(catalog, "calcinosis-cutis", f"parenteral-calcium {kidney}", "n?")).rule == "CL-93"


@pytest.mark.parametrize("rule", ["CL-50", "CL-51", "CL-52", "CL-53", "CL-55", "CL-56", "CL-153", "CL-154"])
def test_every_rule_of_values_points_to_the_metastatic_pathway(catalog: Catalog, rule: str) -> None:
    assert conclude(picture(catalog, "", "", "nh", rule=rule)).rule == "CL-82a"
