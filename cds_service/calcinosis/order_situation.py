"""What order rules ask of a patient: is calcium high, the product above its limit, the kidney failing, is it urgent.

Knows: how the limits of section 8 apply to present values, and what makes a value doubtful (CL-14, 26, 27, 32, 33).
Must not know: medicines, tiers of orders, words. Every answer is yes, no or unknown (None); unknown is never no.
Longer than 300 lines because it is the one object that every order rule asks.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property

from cds_service.calcinosis import causes as recorded_causes
from cds_service.calcinosis.assessment import Assessment, Dialysis, Freshness, Value
from cds_service.calcinosis.chart import Chart
from cds_service.calcinosis.facts import Finding, Measurement, Position
from cds_service.calcinosis.names import CauseId, Concept, Input
from cds_service.calcinosis.orders import Emergency
from cds_service.calcinosis.pairing import age_at
from cds_service.calcinosis.present import Judged, judge_pairs, present_levels
from cds_service.calcinosis.product import (
    LOWER_BOUND,
    UPPER_BOUND,
    PairProduct,
    UsedCalcium,
    calcium_position,
    ionized_for,
    is_discordant,
    phosphate_guards,
    value_of,
)
from cds_service.calcinosis.tier import ARTEFACT_GUARDS, Values, current_values, product_doubts

GRANULOMATOUS = (
    CauseId.SARCOIDOSIS,
    CauseId.INFECTIOUS_GRANULOMA,
    CauseId.GRANULOMA_OTHER,
    CauseId.HISTOPLASMOSIS,
    CauseId.CRYPTOCOCCOSIS,
    Concept.TUBERCULOSIS,
    Concept.MYCOSIS,
)
NOT_JUDGED_AGES = ("newborn", "infant")
AGE_CAPS = {"age-unknown": "CL-150", "child": "CL-153", "adolescent": "CL-154"}


@dataclass(frozen=True)
class Situation:
    """One patient at the time of an order."""

    chart: Chart
    assessment: Assessment

    # ---- values

    @cached_property
    def judged(self) -> Judged:
        """Return the pair in force."""
        return judge_pairs(self.chart)

    @cached_property
    def _values(self) -> Values:
        return current_values(self.chart, self.judged.row)

    @cached_property
    def _too_young(self) -> bool:
        return self.chart.age_group in NOT_JUDGED_AGES

    @property
    def product(self) -> PairProduct | None:
        """The product that may speak for the present; none under one year (CL-151, CL-152)."""
        return None if self._too_young else self.judged.result

    @property
    def calcium(self) -> UsedCalcium | None:
        """The newest calcium that is not stale, as the rules use it; none under one year."""
        return None if self._too_young else self._values.calcium

    @property
    def phosphate(self) -> Measurement | None:
        """The newest phosphate that is not stale; none under one year."""
        return None if self._too_young else self._values.phosphate

    @cached_property
    def ionized(self) -> Measurement | None:
        """The ionised calcium that rules on whether calcium is high: of the same draw or day, not contradicting it."""
        if self._too_young:
            return None
        if self.calcium is None:
            return self._values.ionized
        total = self.calcium.measurement
        return None if is_discordant(self.chart, total) else ionized_for(self.chart, total)

    @cached_property
    def ionized_rules(self) -> bool:
        """Tell whether ionised calcium says where calcium stands."""
        return self.ionized is not None and self.chart.position(self.ionized) is not Position.UNKNOWN

    @cached_property
    def potassium(self) -> Measurement | None:
        """The newest potassium when it is recent enough for an emergency."""
        newest = self.chart.latest(Input.POTASSIUM)
        window = self.chart.knowledge.criteria.order_emergency_window
        return None if newest is None or age_at(self.chart.now, newest) > window else newest

    @cached_property
    def egfr(self) -> Measurement | None:
        """The newest eGFR with a number, however old; not a bound that leaves the grade open."""
        newest = next((m for m in self.chart.results(Input.EGFR) if m.value is not None), None)
        if newest is None or newest.value is None:
            return None
        is_open = newest.comparator in LOWER_BOUND and newest.value < self.chart.knowledge.criteria.egfr_ckd
        return None if is_open else newest

    @cached_property
    def vitamin_d(self) -> Measurement | None:
        """The newest 25-OH vitamin D of the context window."""
        return self.chart.latest(Input.VITAMIN_D_25, Input.VITAMIN_D_25_D3)

    @cached_property
    def any_phosphate(self) -> Measurement | None:
        """The newest phosphate with a number, however old; none under one year."""
        found = (m for m in self.chart.phosphate if m.comparator not in UPPER_BOUND)
        return None if self._too_young else next(found, None)

    # ---- calcium

    @cached_property
    def calcium_is_high(self) -> bool | None:
        """Tell whether calcium is high: by ionised calcium where there is one (CL-19), else above the limit of OT-2.

        Under 18 years by the range for age, for the limit is an adult one.
        """
        if self.ionized is not None and self.ionized_rules:
            return self.chart.position(self.ionized) is Position.HIGH
        if self.calcium is None:
            return None
        if self.chart.age_group in ("child", "adolescent"):
            position = calcium_position(self.chart, self.calcium)
            return None if position is Position.UNKNOWN else position is Position.HIGH
        above = self.calcium.value > self.chart.knowledge.criteria.order_calcium_high_mg_dl
        return None if _leaves_open(self.calcium.measurement, above) else above

    @cached_property
    def calcium_is_severe(self) -> bool:
        """Tell whether the calcium reaches the critical limit of OT-2."""
        limit = self.chart.knowledge.criteria.order_calcium_critical_mg_dl
        return self.calcium is not None and self.calcium.value >= limit

    @cached_property
    def calcium_is_protected(self) -> bool:
        """Tell whether calcium and active vitamin D may not be called into question (CL-113)."""
        low = self.chart.knowledge.criteria.order_calcium_protected_mg_dl
        is_low = self.calcium is not None and self.calcium.value < low
        return is_low or "post-parathyroidectomy" in self.chart.population

    # ---- the product

    def product_is_above(self, *, critical: bool) -> bool | None:
        """Tell whether the product exceeds its critical limit or its target, at the limits of the age."""
        if self.product is None:
            return None
        product, c = self.product.product, self.chart.knowledge.criteria
        group = self.chart.age_group
        if group == "child":
            raised = Position.HIGH in (product.calcium.position, product.phosphate.position)
            return raised and product.value_mg2_dl2 > c.product_child_mg2_dl2
        if group == "adolescent":
            return product.value_mg2_dl2 > c.product_adolescent_mg2_dl2
        return product.value_mg2_dl2 > (c.product_critical_mg2_dl2 if critical else c.product_warning_mg2_dl2)

    @property
    def product_is_low(self) -> bool:
        """Tell whether the product is known and below the target (OT-1: no card then, whatever the phosphate)."""
        c = self.chart.knowledge.criteria
        limit = c.product_child_mg2_dl2 if self.chart.age_group == "child" else c.product_warning_mg2_dl2
        return self.product is not None and self.product.product.value_mg2_dl2 < limit

    # ---- phosphate

    @cached_property
    def phosphate_is_high(self) -> bool | None:
        """Tell whether phosphate is above range, by a result in words too; unknown when stale or missing."""
        if self._too_young:
            return None
        levels, _behind = present_levels(self.chart, self.judged, self._values)
        return None if levels.phosphate is Position.UNKNOWN else levels.phosphate is Position.HIGH

    def phosphate_reaches(self, limit: Decimal, *, inclusive: bool) -> bool | None:
        """Tell whether the phosphate is at or above a limit, and above its range too."""
        if self.phosphate is None or self.phosphate.value is None:
            return None
        value = self.phosphate.value
        above = value >= limit if inclusive else value > limit
        if _leaves_open(self.phosphate, above):
            return None
        return above and self.chart.position(self.phosphate) is Position.HIGH

    # ---- kidney, gut, skin, granuloma

    @cached_property
    def dialysis(self) -> bool:
        """Tell whether the patient is dialysed, for a time or for good."""
        return self.chart.dialysis is not Dialysis.NONE

    @cached_property
    def kidney_injury(self) -> tuple[str, ...]:
        """Return the evidence of acute kidney injury, recorded lately or by creatinine."""
        return self._cause(CauseId.AKI)

    @cached_property
    def obstruction(self) -> tuple[str, ...]:
        """Return the Conditions that record a bowel obstruction of late."""
        return _references(self._lately(self.chart.active(Concept.BOWEL_OBSTRUCTION)))

    @cached_property
    def calciphylaxis(self) -> tuple[str, ...]:
        """Return the Conditions that document active calciphylaxis."""
        found = recorded_causes.documented(self.chart)
        return tuple(ref for d in found if d.active and d.cause.id == CauseId.CALCIPHYLAXIS for ref in d.evidence)

    @cached_property
    def granuloma(self) -> tuple[str, ...]:
        """Return the Conditions that record active granulomatous disease."""
        stated = (finding for concept in GRANULOMATOUS for finding in self.chart.stated(concept))
        return _references(finding for finding in stated if finding.active)

    def _cause(self, cause_id: str) -> tuple[str, ...]:
        return tuple(ref for cause in self.assessment.causes if cause.id == cause_id for ref in cause.evidence)

    def _lately(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        limit = self.chart.now - self.chart.knowledge.criteria.acute_cause_window
        return tuple(f for f in findings if f.since is None or f.since.at >= limit)

    # ---- emergencies (CL-111)

    @cached_property
    def emergencies(self) -> tuple[Emergency, ...]:
        """Return what makes intravenous calcium urgent; a measured value rules over a code, suspicion counts."""
        c, potassium = self.chart.knowledge.criteria, self.potassium
        holds = {
            Emergency.POTASSIUM: potassium is not None
            and potassium.value is not None
            and potassium.comparator not in UPPER_BOUND
            and potassium.value >= c.order_potassium_mmol_l,
            Emergency.HYPERKALAEMIA: potassium is None and self._is_coded(Concept.HYPERKALAEMIA),
            Emergency.CALCIUM: self._calcium_is_deep,
            Emergency.HYPOCALCAEMIA: self.calcium is None
            and self.ionized is None
            and self._is_coded(Concept.HYPOCALCAEMIA),
            Emergency.POISONING: self._is_coded(Concept.CALCIUM_CHANNEL_BLOCKER_POISONING),
            Emergency.ARREST: self._is_coded(Concept.CARDIAC_ARREST),
        }
        return tuple(kind for kind, held in holds.items() if held)

    @property
    def _calcium_is_deep(self) -> bool:
        c, ionized = self.chart.knowledge.criteria, self._values.ionized
        total = self._values.calcium is not None and self._values.calcium.value < c.order_calcium_emergency_mg_dl
        limit = c.order_ionized_calcium_emergency_mmol_l
        return total or (ionized is not None and ionized.value is not None and ionized.value < limit)

    def _is_coded(self, concept: str) -> bool:
        coded = (f for f in self.chart.facts.findings if f.concept == concept and f.active)
        return bool(self._lately(coded))

    # ---- how far a value may be trusted

    def doubts_of_product(self) -> tuple[str, ...]:
        """Return the rules that hold a critical product at warning."""
        if self.product is None:
            return ()
        return tuple(dict.fromkeys([*product_doubts(self.chart, self.product), *self._age_cap()]))

    def doubts_of(self, measurement: Measurement | None, *, adult_limit: bool = True) -> tuple[str, ...]:
        """Return the rules that hold a critical single value at warning: not fresh, an artefact, its time unknown.

        adult_limit: the value is held against a limit for adults, so that an unknown or young age is a doubt too.
        """
        if measurement is None:
            return ()
        freshness = self.judged.row.judge(age_at(self.chart.now, measurement))
        marks = set(measurement.marks)
        if measurement.input == Input.PHOSPHATE:
            marks |= phosphate_guards(self.chart, measurement, self._calcium_position())
        holds = {
            "CL-14": measurement.input != Input.PHOSPHATE and is_discordant(self.chart, measurement),
            "CL-27": any(guard in marks for guard in ARTEFACT_GUARDS),
            "CL-33": measurement.taken.uncertain,
            "CL-41": freshness is Freshness.STALE,
            self.judged.row.rule: freshness is Freshness.RECENT,
        }
        return (*(rule for rule, held in holds.items() if held), *(self._age_cap() if adult_limit else ()))

    def _calcium_position(self) -> Position:
        return Position.UNKNOWN if self.calcium is None else calcium_position(self.chart, self.calcium)

    def _age_cap(self) -> tuple[str, ...]:
        cap = AGE_CAPS.get(self.chart.age_group)
        return () if cap is None else (cap,)

    def is_stale(self, measurement: Measurement) -> bool:
        """Tell whether a value is too old to speak for the present."""
        return self.judged.row.judge(age_at(self.chart.now, measurement)) is Freshness.STALE

    def used_calcium(self) -> Value | None:
        """Return the calcium as the rules used it, for the words."""
        if self.calcium is None:
            return None
        found = value_of(self.chart, self.calcium.measurement, self.calcium.kind)
        return replace(found, canonical=self.calcium.value, position=calcium_position(self.chart, self.calcium))

    def value(self, measurement: Measurement | None) -> Value | None:
        """Return a measurement as a value for the words."""
        return None if measurement is None else value_of(self.chart, measurement)


def _leaves_open(measurement: Measurement, above: bool) -> bool:
    """Tell whether a lower bound does not reach a limit, so that the value may lie on either side (CL-05)."""
    return not above and measurement.comparator in LOWER_BOUND


def _references(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.reference for finding in findings))
