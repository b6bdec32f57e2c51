"""Which cards a service that does not repeat itself would have shown (CL-125).

Knows: the same tier is shown again only for a new pair, a higher tier, or after a time; every card shown is taken as
acknowledged when it was shown.
Must not know: who acknowledges, and how a running service remembers it.
"""

from datetime import datetime, timedelta
from typing import Final

from cds_service.calcinosis.assessment import Assessment, Tier
from cds_service.calcinosis.facts import EncounterClass

IN_HOSPITAL: Final = timedelta(hours=24)
ELSEWHERE: Final = timedelta(days=30)
_HOSPITAL: Final = frozenset({EncounterClass.ICU, EncounterClass.ED, EncounterClass.INPATIENT})


class Repeats:
    """The cards of one patient, in the order of time."""

    def __init__(self) -> None:
        self._last: tuple[Tier, tuple[str, ...], datetime] | None = None

    def shows(self, assessment: Assessment, at: datetime, tier: Tier | None = None) -> bool:
        """Tell whether a card of this assessment is shown. tier: another than its own, for what-if questions."""
        tier = tier or assessment.tier
        if tier is Tier.NONE:
            return False
        pair = pair_of(assessment)
        if self._last is not None:
            last_tier, last_pair, last_at = self._last
            place = assessment.setting.encounter_class
            window = IN_HOSPITAL if place in _HOSPITAL else ELSEWHERE
            is_new = bool(pair) and pair != last_pair
            if not is_new and tier.rank <= last_tier.rank and at - last_at < window:
                return False
        self._last = (tier, pair, at)
        return True


def pair_of(assessment: Assessment) -> tuple[str, ...]:
    """The two results of the pair that was judged; empty when there is none."""
    product = assessment.product
    if product is None:
        return ()
    return (product.calcium.measurement.reference, product.phosphate.measurement.reference)
