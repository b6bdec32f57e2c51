"""Lists in the rules, member by member: each one counts, and what is not in the list does not."""

import pytest

from cds_service.calcinosis.classify import classify
from cds_service.calcinosis.facts import Mark
from cds_service.terminology.catalog import Catalog
from tests.facts import NOW, Builder


@pytest.mark.parametrize(
    "cause", ["acute-kidney-injury", "tumour-lysis-syndrome", "rhabdomyolysis", "phosphate-load", "ckd-stage-5"]
)
def test_a_phosphate_above_15_is_explained_by(catalog: Catalog, cause: str) -> None:
    build = Builder(catalog)
    labs = [build.lab("calcium", "9.0 mg/dL"), build.lab("phosphate", "15.1 mg/dL"), build.lab("albumin", "4.2 g/dL")]
    without = classify(build.patient(*labs), catalog.knowledge, NOW)
    with_it = classify(build.patient(*labs, build.finding(cause)), catalog.knowledge, NOW)
    assert Mark.PHOSPHATE_EXTREME in without.flags
    assert Mark.PHOSPHATE_EXTREME not in with_it.flags
