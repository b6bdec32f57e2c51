"""Not again (CL-125): whether this user has already acknowledged this guidance on this patient.

Knows: what makes guidance the same, how long an acknowledgement counts, the hashes under which it is remembered.
Must not know: databases; how a card looks.

The hashes are keyed, so that nobody without the key can tell a patient from the store. The reasons stand in
docs/decisions/0031-not-again.md.
"""

import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec

from cds_service.calcinosis.assessment import Assessment, Tier, Value
from cds_service.calcinosis.facts import EncounterClass
from cds_service.hooks.request import HookRequest
from cds_service.storage.records import Acknowledgement

__all__ = ["Acknowledgement", "Ask", "Memory", "Remembered", "Windows", "acknowledged", "covers", "evidence_of"]

# the hook at which guidance may be held back; an order in hand is new by itself
HOOK = "patient-view"
# reasons that ask for another moment rather than for silence
POSTPONES = frozenset({"cds-suboptimal-context", "need-more-info"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """How long an acknowledgement counts. The shortest that applies decides."""

    inpatient: timedelta
    outpatient: timedelta
    critical: timedelta

    def of(self, tier: Tier, place: EncounterClass) -> timedelta:
        """The window for guidance of this tier in this place; a place that is not known counts as the shorter."""
        by_place = self.outpatient if place is EncounterClass.OUTPATIENT else min(self.inpatient, self.outpatient)
        return min(by_place, self.critical) if tier is Tier.CRITICAL else by_place


@dataclass(frozen=True, slots=True)
class Remembered:
    """Under which hashes a card is remembered, and since when it need not be repeated; None: show it."""

    place: str
    evidence: str
    since: datetime | None


# acknowledgements of a place and evidence since a time; none when they cannot be had
Ask = Callable[[str, str, datetime], Sequence[Acknowledgement]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The key, the windows, and where acknowledgements are asked for."""

    key: bytes
    windows: Windows
    ask: Ask

    def recall(
        self, tenant: str, service: str, request: HookRequest, assessment: Assessment, now: datetime
    ) -> Remembered:
        """Decide whether the guidance of this assessment need not be shown to this user again."""
        place = self._hash("place", tenant, service, request.fhir_server or "", request.patient_id, request.user_id)
        evidence = self._hash("evidence", *evidence_of(assessment))
        window = self.windows.of(assessment.tier, assessment.setting.encounter_class)
        if not window:
            return Remembered(place, evidence, None)
        found = [
            acknowledgement.at
            for acknowledgement in self.ask(place, evidence, now - window)
            if covers(acknowledgement, assessment, now, self._counted(acknowledgement, window))
        ]
        return Remembered(place, evidence, max(found, default=None))

    def _counted(self, acknowledgement: Acknowledgement, window: timedelta) -> timedelta:
        shorter = min(window, self.windows.inpatient)
        return shorter if acknowledgement.reason in POSTPONES else window

    def _hash(self, kind: str, *words: str) -> str:
        return hmac.new(self.key, msgspec.json.encode([kind, *words]), sha256).hexdigest()


def covers(acknowledgement: Acknowledgement, assessment: Assessment, now: datetime, window: timedelta) -> bool:
    """Tell whether who acknowledged that card has seen all that this assessment would say, not too long ago."""
    return (
        now - window < acknowledgement.at <= now
        and assessment.tier.rank <= Tier(acknowledgement.tier).rank
        and set(assessment.rules) <= set(acknowledgement.rules)
    )


def acknowledged(assessment: Assessment, at: datetime) -> Acknowledgement:
    """That its card was acknowledged at that time."""
    return Acknowledgement(at=at, tier=str(assessment.tier), rules=tuple(assessment.rules), reason=None)


def evidence_of(assessment: Assessment) -> tuple[str, ...]:
    """What the guidance rests on, as words: another headline, pair, cause, medicine, finding or gap is other guidance.

    Of a gap counts which value cannot be used and why, for its text also tells an age that grows by the day.
    """
    product = assessment.product
    values = (product.calcium, product.phosphate) if product else assessment.values
    return (
        assessment.headline or "",
        *_sorted("value", map(_value, values)),
        *_sorted("cause", (cause.id for cause in assessment.causes)),
        *_sorted("documented", assessment.documented_names),
        *_sorted("suspected", assessment.suspected_names),
        *_sorted("medicine", (f"{exposure.group} {exposure.drug}" for exposure in assessment.exposures)),
        *_sorted("risk", (factor.id for factor in assessment.risk_factors)),
        *_sorted("gap", (f"{gap.analyte} {gap.reason} {gap.reference or ''}" for gap in assessment.gaps)),
    )


def _sorted(kind: str, words: Iterable[str]) -> list[str]:
    return [f"{kind} {word}" for word in sorted(words)]


def _value(value: Value) -> str:
    measurement = value.measurement
    return " ".join(
        (
            measurement.input,
            measurement.reference,
            str(measurement.taken.text),
            str(measurement.reported),
            str(measurement.unit),
        )
    )
