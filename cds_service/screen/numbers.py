"""The numbers of a run, with what every table of the report needs of them.

Knows: tiers, small cells, rates.
Must not know: tables, layout.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from cds_service.calcinosis.assessment import Tier
from cds_service.screen.found import Found
from cds_service.screen.setup import Choices, Plan
from cds_service.screen.tally import Cell, Tally
from cds_service.screen.work import Known, Stats
from cds_service.terminology.catalog import Catalog

TIERS: Final = (Tier.CRITICAL, Tier.WARNING, Tier.INFO)
ALL_TIERS: Final = (*TIERS, Tier.NONE)
MOST_ROWS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """All that the report is made of."""

    plan: Plan
    choices: Choices
    catalog: Catalog
    known: Known
    found: Found
    stats: Stats

    @property
    def tally(self) -> Tally:
        """The counts."""
        return self.stats.tally


def limits_of(n: Numbers) -> tuple[Decimal, Decimal]:
    criteria = n.catalog.knowledge.criteria
    return criteria.product_warning_mg2_dl2, criteria.product_critical_mg2_dl2


def small_of(n: Numbers, cell: Cell) -> bool:
    return 0 < cell.patients < n.choices.smallest_cell


def rate_of(cell: Cell, whole: int, *, small: bool) -> float | None:
    return None if small or not whole else 100 * cell.count / whole


def tier_cells(n: Numbers, *start: str) -> list[Cell]:
    """Critical, warning, info and none under a key; of shown cards the rest stands for none."""
    return [n.tally.of(*start, tier) for tier in ALL_TIERS]
