"""What is counted of one patient's judgements.

Knows: every table of the report, as keys of a Tally.
Must not know: masking and layout (report.py).
"""

from collections import Counter
from decimal import Decimal
from typing import Final

from cds_service.calcinosis.assessment import Assessment, Dialysis, Tier, Value
from cds_service.calcinosis.chart import Chart
from cds_service.calcinosis.facts import GapReason, Mark
from cds_service.calcinosis.knowledge import Knowledge
from cds_service.calcinosis.names import Input
from cds_service.fhir import shapes
from cds_service.hooks.again import Windows
from cds_service.hooks.decide import Decision
from cds_service.screen.judge import Judged
from cds_service.screen.moments import Moment
from cds_service.screen.record import Record
from cds_service.screen.repeats import Guidance, Repeats, guidance_of, pair_of
from cds_service.screen.tally import Key
from cds_service.screen.whatif import Variant, answers

# width of a bar, by what is drawn
BINS: Final = {"calcium": Decimal("0.5"), "phosphate": Decimal("0.5"), "product": Decimal("2.5")}
_NO_WARD: Final = "not told"


class Observer:
    """Counts what the judgements of one patient say; take them in the order of time."""

    def __init__(self, knowledge: Knowledge, tried: tuple[Variant, ...], windows: Windows) -> None:
        self._knowledge = knowledge
        self._tried = tried
        self.seen: Counter[Key] = Counter()
        self._windows = windows
        self._repeats = Repeats(windows)
        # moments at which there was something to show, or would have been with other limits: which ones, and what
        self._guided: list[tuple[Guidance | None, dict[int, Guidance | None]]] = []
        self._pairs: dict[tuple[str, ...], Decimal] = {}
        self._values: set[tuple[str, str]] = set()
        self._admissions: dict[str, Counter[str]] = {}
        self._units: dict[str, Key] = {}

    def take(self, record: Record, judged: Judged) -> bool:
        """Count one judgement; tell whether its card would be shown when repeats are suppressed."""
        seen = self.seen
        if judged.decision is None:
            for reason in dict.fromkeys(judged.missing.reasons if judged.missing is not None else ()):
                seen["not-judged", reason] += 1
            return False
        decision, assessment, at = judged.decision, judged.decision.assessment, judged.moment.at
        tier = assessment.tier
        guidance = guidance_of(assessment, at)
        shown = self._repeats.shows(guidance)
        seen["tier", tier] += 1
        if tier is not Tier.NONE:
            seen[("any",)] += 1
        if shown:
            seen["shown", tier] += 1
            seen[("any-shown",)] += 1
        self._groups(decision, judged.moment, shown)
        self._numbers(assessment)
        self._gaps(record, assessment)
        self._admission(judged.moment, tier, shown)
        asked = answers(decision.facts, assessment, at, self._tried)
        if guidance is not None or asked:
            self._guided.append((guidance, {place: guidance_of(each, at) for place, each in asked.items()}))
        return shown

    def end(self) -> Counter[Key]:
        """All that was counted."""
        criteria, seen = self._knowledge.criteria, self.seen
        for product in self._pairs.values():
            seen[("pairs",)] += 1
            for limit in (criteria.product_warning_mg2_dl2, criteria.product_critical_mg2_dl2):
                if product > limit:
                    seen["pairs-above", str(limit)] += 1
        for cards in self._admissions.values():
            seen[("admissions",)] += 1
            for name, count in cards.items():
                kind, _, tier = name.partition(" ")
                seen[f"admission-{kind}", tier] += count
                seen[f"admission-any-{kind}", tier] += 1
        for key in self._units.values():
            seen[key] += 1
        self._what_if()
        return seen

    def _what_if(self) -> None:
        """Count the tiers with other limits: as they are, but for the moments at which the rules were asked again."""
        seen = self.seen
        every = {tier: seen["tier", tier] for tier in Tier}
        shown = {tier: seen["shown", tier] for tier in Tier}
        differing = {place for _, asked in self._guided for place in asked}
        for place, variant in enumerate(self._tried):
            counts, counts_shown = every, shown
            if place in differing:
                counts, counts_shown = self._replayed(place, every)
            for name, held in (("what-if", counts), ("what-if-shown", counts_shown)):
                for tier, count in held.items():
                    if count:
                        seen[name, variant.which, str(variant.limit), tier] = count

    def _replayed(self, place: int, every: dict[Tier, int]) -> tuple[dict[Tier, int], dict[Tier, int]]:
        """The tiers of all moments, and of the cards shown, under one variant."""
        counts, shown, repeats = dict(every), dict.fromkeys(Tier, 0), Repeats(self._windows)
        for guidance, asked in self._guided:
            other = asked.get(place, guidance)
            counts[_tier(guidance)] -= 1
            counts[_tier(other)] += 1
            if repeats.shows(other):
                shown[_tier(other)] += 1
        return counts, shown

    # ---- one judgement

    def _groups(self, decision: Decision, moment: Moment, shown: bool) -> None:
        assessment, seen = decision.assessment, self.seen
        tier = assessment.tier
        chart = Chart.of(decision.facts, self._knowledge, moment.at)
        groups = {
            "age": assessment.population[0] if assessment.population else "age-unknown",
            "sex": str(decision.facts.sex),
            "setting": str(assessment.setting.encounter_class),
            "kidney": _kidney(chart),
            "ward": _ward(moment.encounter),
        }
        for name, group in groups.items():
            seen["by", name, group, tier] += 1
            if shown:
                seen["by-shown", name, group, tier] += 1
        if tier is not Tier.NONE:
            seen["rule", assessment.headline or "", tier] += 1
            for cause in assessment.causes or ():
                seen["cause", cause.name, tier] += 1
            if not assessment.causes:
                seen["cause", "none found", tier] += 1

    def _numbers(self, assessment: Assessment) -> None:
        product = assessment.product
        if product is not None:
            self.seen["with-product", product.freshness] += 1
            pair = pair_of(assessment)
            if pair not in self._pairs:
                self._pairs[pair] = product.value_mg2_dl2
                self._bar("product", product.value_mg2_dl2)
            self._value("calcium", product.calcium)
            self._value("phosphate", product.phosphate)
        else:
            self.seen["with-product", "no pair"] += 1
            for value in assessment.values:
                if value.measurement.input == Input.PHOSPHATE:
                    self._value("phosphate", value)
                elif value.measurement.input in (Input.CALCIUM, Input.ADJUSTED_CALCIUM):
                    self._value("calcium", value)

    def _value(self, name: str, value: Value) -> None:
        key = (name, value.measurement.reference)
        if value.canonical is not None and key not in self._values:
            self._values.add(key)
            self._bar(name, value.canonical)

    def _bar(self, name: str, number: Decimal) -> None:
        width = BINS[name]
        self.seen["bar", name, f"{number // width * width:08.2f}"] += 1

    def _gaps(self, record: Record, assessment: Assessment) -> None:
        for analyte, reason in {(gap.analyte, gap.reason) for gap in assessment.gaps}:
            self.seen["gap", analyte, reason] += 1
        for gap in assessment.gaps:
            if gap.reason is GapReason.REFUSED and gap.mark is Mark.UNIT_SUSPECT and gap.reference not in self._units:
                unit = _unit(record, gap.reference or "")
                self._units[gap.reference or ""] = ("refused", gap.analyte, unit)

    def _admission(self, moment: Moment, tier: Tier, shown: bool) -> None:
        if moment.encounter is None or moment.encounter.id is None:
            return
        cards = self._admissions.setdefault(moment.encounter.id, Counter())
        if tier is not Tier.NONE:
            cards[f"cards {tier}"] += 1
            cards["cards any"] += 1
        if shown:
            cards[f"shown {tier}"] += 1
            cards["shown any"] += 1


def _tier(guidance: Guidance | None) -> Tier:
    return Tier.NONE if guidance is None else guidance.assessment.tier


def _kidney(chart: Chart) -> str:
    if chart.dialysis is Dialysis.MAINTENANCE:
        return "maintenance dialysis"
    grade = chart.kidney_grade
    return f"chronic kidney disease, grade {grade}" if grade else "no chronic kidney disease recorded"


def _ward(encounter: shapes.Encounter | None) -> str:
    if encounter is None:
        return "no visit"
    for stay in reversed(encounter.location or []):
        if stay.location is not None and (stay.location.display or "").strip():
            return (stay.location.display or "").strip()[:60]
    return _NO_WARD


def _unit(record: Record, reference: str) -> str:
    for observation, _ in record.observations():
        if f"Observation/{observation.id}" == reference:
            quantity = observation.valueQuantity
            return ((quantity.unit or quantity.code) if quantity is not None else None) or "no unit"
    return "not seen"
