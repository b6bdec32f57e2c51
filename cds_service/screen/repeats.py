"""Which cards a service that does not repeat itself would have shown: its own rule (hooks/again.py), to one reader.

Knows: that every card shown is taken as acknowledged at once, by the one who reads all cards of a patient.
Must not know: what makes guidance the same and how long an acknowledgement counts.
"""

from dataclasses import dataclass
from datetime import datetime

from cds_service.calcinosis.assessment import Assessment, Tier
from cds_service.hooks.again import Acknowledgement, Windows, acknowledged, covers, evidence_of


@dataclass(frozen=True, slots=True)
class Guidance:
    """What there was to show at a moment."""

    assessment: Assessment
    evidence: tuple[str, ...]
    at: datetime


def guidance_of(assessment: Assessment, at: datetime) -> Guidance | None:
    """The guidance of an assessment; None when there is nothing to show."""
    return None if assessment.tier is Tier.NONE else Guidance(assessment, evidence_of(assessment), at)


class Repeats:
    """The cards of one patient, in the order of time."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._acknowledged: dict[tuple[str, ...], list[Acknowledgement]] = {}

    def shows(self, guidance: Guidance | None) -> bool:
        """Tell whether it is shown."""
        if guidance is None:
            return False
        assessment, at = guidance.assessment, guidance.at
        window = self._windows.of(assessment.tier, assessment.setting.encounter_class)
        before = self._acknowledged.setdefault(guidance.evidence, [])
        if window and any(covers(each, assessment, at, window) for each in before):
            return False
        before.append(acknowledged(assessment, at))
        return True


def pair_of(assessment: Assessment) -> tuple[str, ...]:
    """The two results of the pair that was judged; empty when there is none."""
    product = assessment.product
    if product is None:
        return ()
    return (product.calcium.measurement.reference, product.phosphate.measurement.reference)
