"""A client's own limits: what is set counts, within the bounds of the content; the shipped catalog stays as it was."""

from decimal import Decimal

import pytest

from cds_service.terminology.catalog import Catalog
from cds_service.terminology.limits import with_limits
from cds_service.terminology.table import Problems


def limit(value: str) -> dict[str, object]:
    return {"value": value, "unit": "pg/mL", "reason": "our assay"}


def test_a_limit_of_a_client_changes_the_rules_and_the_digest(shipped: Catalog) -> None:
    problems = Problems()
    own = with_limits(shipped, {"pth_low_pg_ml": limit("15")}, problems)
    assert problems.found == []
    assert own.knowledge.criteria.pth_low_pg_ml == 15
    assert own.knowledge.causes == shipped.knowledge.causes
    assert own.units == shipped.units
    assert own.digest.startswith("sha256:")
    assert own.digest != shipped.digest
    assert shipped.knowledge.criteria.pth_low_pg_ml != 15


def test_the_digest_tells_limits_apart_and_not_their_order(shipped: Catalog) -> None:
    pth = {"pth_low_pg_ml": limit("15")}
    factor = {
        "correction_mg_dl_per_g_dl": {"value": "0.7", "unit": "mg/dL per g/dL", "reason": "our laboratory's formula"}
    }
    digests = [with_limits(shipped, each, Problems()).digest for each in (pth, {"pth_low_pg_ml": limit("16")}, factor)]
    assert len({*digests, shipped.digest}) == 4
    both, turned = (with_limits(shipped, each, Problems()).digest for each in ({**pth, **factor}, {**factor, **pth}))
    assert both == turned
    assert both not in digests


@pytest.mark.parametrize(("value", "stands"), [("9.9", False), ("10", True), ("30", True), ("30.1", False)])
def test_a_limit_is_taken_from_bound_to_bound(shipped: Catalog, value: str, stands: bool) -> None:
    problems = Problems()
    own = with_limits(shipped, {"pth_low_pg_ml": limit(value)}, problems)
    assert (own.knowledge.criteria.pth_low_pg_ml == Decimal(value)) is stands
    assert bool(problems.found) is not stands
    assert (own is shipped) is not stands


def test_what_is_wrong_with_a_limit_is_told_with_its_name(shipped: Catalog) -> None:
    problems = Problems()
    assert with_limits(shipped, {"pth_low_pg_ml": limit("9")}, problems) is shipped
    assert problems.found == ["criteria:0: pth_low_pg_ml: value 9 is not within 10 to 30"]


def test_no_limits_are_the_same_catalog(shipped: Catalog) -> None:
    assert with_limits(shipped, {}, Problems()) is shipped
