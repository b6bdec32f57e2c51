"""The facts of one patient, arranged once for all rules: newest results by input, age group, kidney state, setting.

Knows: how to look into the facts, which range applies, who is adult, child or on dialysis (sections 1, 2, 11).
Must not know: tiers or causes. Longer than 300 lines because it is the one object that every rule asks.
"""

from calendar import isleap
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property

from cds_service.calcinosis.assessment import Dialysis, Setting
from cds_service.calcinosis.facts import (
    EncounterClass,
    Event,
    Exposure,
    Finding,
    Measurement,
    PatientFacts,
    Position,
    Range,
    Specificity,
)
from cds_service.calcinosis.knowledge import Knowledge
from cds_service.calcinosis.names import CauseId, Concept, EventKind, Group, Input

CALCIUM_MG_DL_PER_MMOL_L = Decimal("4.0078")  # atomic mass 40.078
PHOSPHATE_MG_DL_PER_MMOL_L = Decimal("3.0973762")  # atomic mass of phosphorus 30.973762

CKD_BY_SEVERITY = (
    CauseId.ESRD,
    CauseId.CKD_5,
    CauseId.CKD_4,
    CauseId.CKD_3,
    CauseId.CKD_2,
    CauseId.CKD_1,
    CauseId.CKD,
)
DIALYSIS_EVENTS = frozenset({EventKind.HAEMODIALYSIS, EventKind.DIALYSIS, EventKind.PERITONEAL_DIALYSIS})
TRANSPLANT_EVENTS = {
    EventKind.KIDNEY_TRANSPLANT: (CauseId.KIDNEY_TRANSPLANT,),
    EventKind.LIVER_TRANSPLANT: (CauseId.LIVER_TRANSPLANT,),
    EventKind.HEART_TRANSPLANT: (CauseId.HEART_TRANSPLANT,),
    EventKind.LUNG_TRANSPLANT: (CauseId.LUNG_TRANSPLANT,),
    EventKind.HEART_LUNG_TRANSPLANT: (CauseId.HEART_TRANSPLANT, CauseId.LUNG_TRANSPLANT),
}
TRANSPLANTS = frozenset(cause for causes in TRANSPLANT_EVENTS.values() for cause in causes)
ALONE = frozenset({Specificity.EXACT, Specificity.NARROWER})
MODIFIABLE_GROUPS = frozenset({Group.VKA, Group.ORAL_CALCIUM, Group.IV_CALCIUM, Group.ACTIVE_VITAMIN_D})


def range_position(value: Decimal, limits: Range | None) -> Position:
    """Tell where a value lies in a range of the same unit."""
    if limits is None or (limits.low is None and limits.high is None):
        return Position.UNKNOWN
    if limits.high is not None and value > limits.high:
        return Position.HIGH
    if limits.low is not None and value < limits.low:
        return Position.LOW
    return Position.NORMAL


def years_between(birth: date, day: date) -> Decimal:
    """Count whole years, plus the share of the running year in days (for age bands below one year)."""
    years = day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
    last = birth.year + years
    in_march = (birth.month, birth.day) == (2, 29) and not isleap(last)
    anniversary = date(last, 3, 1) if in_march else birth.replace(year=last)
    return years + Decimal((day - anniversary).days) / 366


def newest_first(found: list[Measurement]) -> tuple[Measurement, ...]:
    """Sort results, newest first; of one instant the higher value first, so that no order of arrival decides."""
    return tuple(sorted(found, key=lambda m: (m.taken.at, m.value or 0, m.reference), reverse=True))


def states(finding: Finding) -> bool:
    """Tell whether a finding states its concept by itself: exact, not suspected, active unless history counts."""
    return finding.specificity in ALONE and not finding.suspected and (finding.active or finding.history_counts)


@dataclass(frozen=True)
class Chart:
    """Facts, content and clock of one call, with what every rule asks of them."""

    facts: PatientFacts
    knowledge: Knowledge
    now: datetime
    today: date

    @classmethod
    def of(cls, facts: PatientFacts, knowledge: Knowledge, now: datetime) -> "Chart":
        """Return the chart; times are compared in UTC, the patient's day is the day of the evaluation time's zone."""
        return cls(facts, knowledge, now.astimezone(UTC), now.date())

    @cached_property
    def _by_input(self) -> dict[str, tuple[Measurement, ...]]:
        groups: dict[str, list[Measurement]] = defaultdict(list)
        for measurement in self.facts.measurements:
            groups[measurement.input].append(measurement)
        return {name: newest_first(found) for name, found in groups.items()}

    @cached_property
    def _merged(self) -> dict[tuple[str, ...], tuple[Measurement, ...]]:
        return {}

    def results(self, *inputs: str) -> tuple[Measurement, ...]:
        """Return the results of these inputs, newest first."""
        if len(inputs) == 1:
            return self._by_input.get(inputs[0], ())
        known = self._merged.get(inputs)
        if known is None:
            known = self._merged[inputs] = newest_first([m for name in inputs for m in self._by_input.get(name, ())])
        return known

    @cached_property
    def _context_from(self) -> datetime:
        return self.now - self.knowledge.criteria.context_window

    def latest(self, *inputs: str) -> Measurement | None:
        """Return the newest result with a number within the context window, or None."""
        for measurement in self.results(*inputs):
            if measurement.taken.at < self._context_from:
                return None
            if measurement.value is not None:
                return measurement
        return None

    def nearest(self, anchor: Measurement, window: timedelta, *inputs: str) -> Measurement | None:
        """Return the result with a number closest in time to the anchor, at most `window` away on either side."""
        closest, distance = None, window
        for measurement in self.results(*inputs):
            apart = self.apart(measurement, anchor)
            if measurement.value is not None and (apart < distance or (closest is None and apart == window)):
                closest, distance = measurement, apart
        return closest

    @staticmethod
    def apart(one: Measurement, other: Measurement) -> timedelta:
        """Return the time between two collections; results of one calendar date without time are not apart."""
        if (one.taken.day_only or other.taken.day_only) and one.taken.text[:10] == other.taken.text[:10]:
            return timedelta(0)
        return abs(one.taken.at - other.taken.at)

    def same_draw(self, one: Measurement, other: Measurement) -> bool:
        """Tell whether two results come from one draw: one specimen or report, or at most 15 min apart (CL-30)."""
        criteria = self.knowledge.criteria
        if one.draws & other.draws:
            return self.apart(one, other) <= criteria.pair_near_window
        if one.taken.day_only or other.taken.day_only:
            return False
        return abs(one.taken.at - other.taken.at) <= criteria.same_draw_window

    @cached_property
    def calcium(self) -> tuple[Measurement, ...]:
        """The calcium results that may enter a product, newest first: one a draw, total before adjusted (CL-16)."""
        totals = [m for m in self.results(Input.CALCIUM) if m.value is not None]
        adjusted = [m for m in self.results(Input.ADJUSTED_CALCIUM) if m.value is not None]
        alone = [m for m in adjusted if not any(self.same_draw(m, total) for total in totals)]
        return newest_first([*totals, *alone]) if alone else tuple(totals)

    @cached_property
    def phosphate(self) -> tuple[Measurement, ...]:
        """The phosphate results with a number, newest first."""
        return tuple(m for m in self.results(Input.PHOSPHATE) if m.value is not None)

    # ---- reference ranges (CL-08, table 1.3, CL-155)

    def range_for(self, measurement: Measurement) -> Range | None:
        """Return the laboratory's range, else the default of the patient's age; adult defaults never under 18."""
        if measurement.laboratory_range is not None:
            return measurement.laboratory_range
        age = self.age_years if self.age_years is not None else self.knowledge.criteria.adult_from_years
        for known in self.knowledge.ranges:
            if known.input == measurement.input and known.age_from_years <= age < known.age_below_years:
                return Range(known.low, known.high, known.unit, "default")
        return None

    def position(self, measurement: Measurement) -> Position:
        """Tell low, normal, high or unknown: laboratory range, else its coded interpretation, else the default."""
        if measurement.laboratory_range is None and measurement.interpretation is not Position.UNKNOWN:
            return measurement.interpretation
        if measurement.value is None:
            return measurement.interpretation
        found = range_position(measurement.value, self.range_for(measurement))
        # CL-05: a bound tells the position only when it lies beyond the limit on its own side.
        if measurement.comparator in ("<", "<=") and found is not Position.LOW:
            return Position.UNKNOWN
        if measurement.comparator in (">", ">=") and found is not Position.HIGH:
            return Position.UNKNOWN
        return found

    def latest_position(self, *inputs: str) -> Position:
        """Return the position of the newest result within the context window, unknown when there is none."""
        newest = next(iter(self.results(*inputs)), None)
        return Position.UNKNOWN if newest is None or newest.taken.at < self._context_from else self.position(newest)

    # ---- who the patient is (section 11)

    @cached_property
    def age_years(self) -> Decimal | None:
        """Age at hook time in years; None when no birth date is known."""
        birth = self.facts.birth_date
        return None if birth is None or birth > self.today else years_between(birth, self.today)

    @cached_property
    def age_group(self) -> str:
        """Return the age group in the words of the contract (CL-150 to CL-154)."""
        criteria, birth, age = self.knowledge.criteria, self.facts.birth_date, self.age_years
        if birth is None or age is None:
            return "age-unknown"
        if self.today - birth < criteria.newborn_window:
            return "newborn"
        if age < criteria.infant_below_years:
            return "infant"
        if age < criteria.child_below_years:
            return "child"
        return "adolescent" if age < criteria.adult_from_years else "adult"

    @cached_property
    def population(self) -> tuple[str, ...]:
        """Return age group first, then the states that limit the rules or the advice."""
        window = self.knowledge.criteria.post_parathyroidectomy_window
        states = {
            "pregnancy": self.has(Concept.PREGNANCY),
            "palliative": self.has(Concept.PALLIATIVE),
            "post-parathyroidectomy": any(
                event.kind == EventKind.PARATHYROIDECTOMY
                and event.started is not None
                and self.now - window <= event.started.at <= self.now
                for event in self.facts.events
            ),
            "transplant": bool(self.transplants),
        }
        return (self.age_group, *(name for name, holds in states.items() if holds))

    # ---- findings

    @cached_property
    def _by_concept(self) -> dict[str, list[Finding]]:
        groups: dict[str, list[Finding]] = defaultdict(list)
        for finding in self.facts.findings:
            groups[finding.concept].append(finding)
        return dict(groups)

    def active(self, *concepts: str) -> tuple[Finding, ...]:
        """Return active, unsuspected findings of these concepts, of any specificity."""
        known = self._by_concept
        return tuple(f for name in concepts if name in known for f in known[name] if f.active and not f.suspected)

    def has(self, *concepts: str) -> bool:
        """Tell whether one of these concepts is recorded as active."""
        return bool(self.active(*concepts))

    def stated(self, concept: str) -> tuple[Finding, ...]:
        """Return the findings that state a concept by themselves: active, or history where history counts."""
        return tuple(f for f in self._by_concept.get(concept, ()) if states(f))

    @cached_property
    def transplants(self) -> dict[str, tuple[str, ...]]:
        """Return the grafts on the record with their evidence, by cause id."""
        found: dict[str, list[str]] = {}
        for cause in sorted(TRANSPLANTS):
            found[cause] = [f.reference for f in self.stated(cause)]
        for event in self.facts.events:
            for cause in TRANSPLANT_EVENTS[EventKind(event.kind)] if event.kind in TRANSPLANT_EVENTS else ():
                found[cause].append(event.reference)
        return {cause: tuple(dict.fromkeys(evidence)) for cause, evidence in found.items() if evidence}

    # ---- medicines and procedures

    def medicines(self, *groups: str) -> tuple[Exposure, ...]:
        """Return the active medicines of these groups."""
        return tuple(e for e in self.facts.exposures if e.active and e.group in groups)

    def dialysis_events(self) -> Iterator[Event]:
        """Yield the dialysis procedures."""
        return (event for event in self.facts.events if event.kind in DIALYSIS_EVENTS)

    # ---- kidney and place

    @cached_property
    def ckd(self) -> tuple[str, tuple[str, ...]] | None:
        """Return the most specific kidney disease on the record and its evidence, None when none is recorded."""
        for cause in CKD_BY_SEVERITY:
            evidence = [f.reference for f in self.stated(cause)]
            if cause == CauseId.ESRD and self.dialysis is Dialysis.MAINTENANCE:
                evidence += self._dialysis_evidence
            if evidence:
                return cause, tuple(dict.fromkeys(evidence))
        return None

    @cached_property
    def _dialysis_evidence(self) -> list[str]:
        return [f.reference for f in self.active(Concept.DIALYSIS)] + [e.reference for e in self._recent_dialysis]

    @cached_property
    def _recent_dialysis(self) -> list[Event]:
        start = self.now - self.knowledge.criteria.dialysis_window
        return [e for e in self.dialysis_events() if e.started is not None and start <= e.started.at <= self.now]

    @cached_property
    def dialysis(self) -> Dialysis:
        """Tell maintenance dialysis by code, or by sessions on two days in 35 (contract, section 8).

        Sessions beside a recorded acute kidney injury, without a code that says dialysis, are acute dialysis.
        """
        if self.has(Concept.DIALYSIS):
            return Dialysis.MAINTENANCE
        days = {e.started.text[:10] for e in self._recent_dialysis if e.started is not None}
        if len(days) >= self.knowledge.criteria.dialysis_days and not self.has(CauseId.AKI):
            return Dialysis.MAINTENANCE
        return Dialysis.ACUTE if days else Dialysis.NONE

    @cached_property
    def kidney_grade(self) -> int | None:
        """Return the CKD grade 1 to 5 by record, else by the newest eGFR where kidney disease is recorded or proven."""
        recorded = self.ckd[0] if self.ckd else None
        by_code = {
            CauseId.ESRD: 5,
            CauseId.CKD_5: 5,
            CauseId.CKD_4: 4,
            CauseId.CKD_3: 3,
            CauseId.CKD_2: 2,
            CauseId.CKD_1: 1,
        }
        if recorded in by_code:
            return by_code[CauseId(recorded)]
        if recorded is None and self.lasting_low_egfr is None:
            return None
        newest = self.latest(Input.EGFR)
        return None if newest is None or newest.value is None else self.grade_of(newest.value)

    def grade_of(self, egfr: Decimal) -> int:
        """Return the CKD grade of an eGFR in mL/min/1.73 m2 (G1 >= 90, G2 60-89, G3 30-59, G4 15-29, G5 < 15)."""
        criteria = self.knowledge.criteria
        if egfr < criteria.egfr_failure:
            return 5
        if egfr < criteria.egfr_severe:
            return 4
        return 3 if egfr < criteria.egfr_ckd else 2

    @cached_property
    def lasting_low_egfr(self) -> tuple[Measurement, Measurement] | None:
        """Return the newest and an older eGFR that prove CKD: all below 60 over at least 90 days (CL-62)."""
        criteria = self.knowledge.criteria
        newest = None
        for result in self.results(Input.EGFR):
            if result.value is None:
                continue
            if result.value >= criteria.egfr_ckd:
                return None
            if result.comparator in (">", ">="):
                continue
            newest = newest or result
            if newest.taken.at - result.taken.at >= criteria.ckd_duration_window:
                return newest, result
        return None

    @cached_property
    def acute(self) -> bool:
        """Tell whether the patient is in an emergency department, ward or intensive care unit."""
        return self.facts.encounter_class in (EncounterClass.ICU, EncounterClass.ED, EncounterClass.INPATIENT)

    @cached_property
    def setting(self) -> Setting:
        """Return place and dialysis."""
        return Setting(self.facts.encounter_class, self.dialysis)
