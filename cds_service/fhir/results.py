"""One result, of an Observation or of a component: a Measurement, or a Gap with the reason.

Knows: CL-04 to CL-08 and CL-11 to CL-15 in the order in which they apply.
Must not know: subjects, statuses, specimens (observations.py); limits other than the plausibility window of the content.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from cds_service.calcinosis.facts import Gap, GapReason, Mark, Measurement, Position, Range, Taken
from cds_service.calcinosis.names import Input
from cds_service.fhir import parts, shapes
from cds_service.fhir.draft import Draft
from cds_service.fhir.remarks import marks_in
from cds_service.fhir.values import (
    Number,
    Unit,
    UnitProblem,
    Units,
    converted,
    interpretation,
    laboratory_range,
    number,
    plausible,
    position,
    shown,
    text_number,
)
from cds_service.terminology.catalog import Catalog
from cds_service.terminology.catalog import Input as InputOf

MINERALS: Final = frozenset(
    {Input.CALCIUM, Input.ADJUSTED_CALCIUM, Input.IONIZED_CALCIUM, Input.IONIZED_CALCIUM_PH74, Input.PHOSPHATE}
)
_NO_MARKS: Final[frozenset[Mark]] = frozenset()
_COMPARATORS: Final = frozenset({"<", "<=", ">", ">="})
# dataAbsentReason codes that say that there is no result at all, whatever an interpretation beside them says.
_NO_RESULT: Final = frozenset({"not-performed", "error"})
_NOT_PLAUSIBLE: Final = "unit or value not plausible, not used"
_NOT_A_NUMBER: Final = "not interpretable, not used"


@dataclass(slots=True)
class Sample:
    """What all results of one Observation share."""

    reference: str
    taken: Taken
    draws: frozenset[str]
    marks: frozenset[Mark]


class Results:
    """Reads results into a draft; equal ranges and interpretations are understood once."""

    def __init__(self, catalog: Catalog, draft: Draft) -> None:
        self._inputs = catalog.inputs
        self._units = Units(catalog)
        self._draft = draft
        self._asked = frozenset(name for _, _, inputs in catalog.input_groups for name in inputs)
        self._ranges: dict[tuple[str, bytes, str], Range | None] = {}
        self._interpretations: dict[tuple[str, bytes], tuple[Position, frozenset[Mark]]] = {}

    def read(self, name: str, result: shapes.Observation | shapes.Component, sample: Sample) -> None:
        """Read one input of one result."""
        quantity = result.valueQuantity
        if quantity is not None and quantity.value and quantity.value != b"null":
            read = number(quantity.value)
            if read is None:
                self._words(name, result, sample, shown(quantity.value))
            else:
                self._number(name, result, sample, read, self._units.of(name, quantity), quantity.comparator)
        elif result.valueString is not None and result.valueString.strip():
            read = text_number(result.valueString)
            unit = self._units.of_text(name, read.unit) if read is not None else UnitProblem.MISSING
            if read is None or (read.unit is not None and unit is UnitProblem.UNKNOWN):
                self._words(name, result, sample, None)
            else:
                self._number(name, result, sample, read, unit, None)
        elif result.valueInteger and bytes(result.valueInteger) != b"null":
            read = number(result.valueInteger)
            if read is None:
                self._words(name, result, sample, shown(result.valueInteger))
            else:
                self._number(name, result, sample, read, self._units.of_text(name, None), None)
        else:
            self._no_value(name, result, sample)

    # ---- numbers

    def _number(
        self,
        name: str,
        result: shapes.Observation | shapes.Component,
        sample: Sample,
        read: Number,
        unit: Unit | UnitProblem,
        comparator: str | None,
    ) -> None:
        of = self._inputs[name]
        if isinstance(unit, UnitProblem):
            self._refuse_unit(of, result, sample, read, unit)
            return
        limits = self._range(name, result, unit, of)
        judged, marks = self._interpretation(name, result)
        if unit.factor is None:
            self._unconverted(of, sample, read, unit, limits, judged, marks)
            return
        value = converted(read.value, unit)
        if not plausible(value, of) or (limits is not None and not _plausible_range(limits, of)):
            self._gap(
                of, GapReason.REFUSED, f"{_told(read, unit.text)}{{}}: {_NOT_PLAUSIBLE}", sample, Mark.UNIT_SUSPECT
            )
            return
        if comparator is not None and comparator not in _COMPARATORS:
            self._gap(
                of, GapReason.UNREADABLE, f"{_told(read, unit.text)}{{}}: comparator not known, not used", sample, None
            )
            return
        marks |= sample.marks
        if read.comma:
            marks |= {Mark.DECIMAL_COMMA}
        if name in MINERALS:
            if comparator is not None:
                marks |= {Mark.COMPARATOR}
            if unit.ucum == "mg/L":
                marks |= {Mark.UNIT_MG_PER_L}
        if read.as_text:
            self._draft.tallies["numbers sent as text"] += 1
        self._draft.measurements.append(
            Measurement(
                input=name,
                value=value,
                reported=read.value,
                unit=unit.text,
                taken=sample.taken,
                reference=sample.reference,
                comparator=comparator,
                draws=sample.draws,
                laboratory_range=limits,
                interpretation=judged,
                marks=marks,
            )
        )

    def _refuse_unit(
        self,
        of: InputOf,
        result: shapes.Observation | shapes.Component,
        sample: Sample,
        read: Number,
        problem: UnitProblem,
    ) -> None:
        quantity = result.valueQuantity
        given = (quantity.unit or quantity.code or "") if quantity is not None else (read.unit or "")
        mark = Mark.UNIT_SUSPECT
        if problem is UnitProblem.URINE:
            self._draft.marks.add(Mark.URINE_REJECTED)
        self._gap(of, GapReason.REFUSED, f"{_told(read, shown(given))}{{}}: {problem.value}", sample, mark)

    def _unconverted(
        self,
        of: InputOf,
        sample: Sample,
        read: Number,
        unit: Unit,
        limits: Range | None,
        judged: Position,
        marks: frozenset[Mark],
    ) -> None:
        """A number on a scale of its own counts only by its own range or interpretation."""
        where = judged if judged is not Position.UNKNOWN else position(read.value, limits)
        if where is Position.UNKNOWN:
            self._gap(
                of, GapReason.REFUSED, f"{_told(read, unit.text)}{{}}: unit does not convert, not used", sample, None
            )
        else:
            self._without_value(of.id, sample, read.value, unit.text, where, marks)

    # ---- words and nothing

    def _words(
        self, name: str, result: shapes.Observation | shapes.Component, sample: Sample, given: str | None
    ) -> None:
        """A result in words counts by its coded interpretation, never for a product (CL-04)."""
        judged, marks = self._interpretation(name, result)
        if judged is not Position.UNKNOWN:
            self._without_value(name, sample, None, None, judged, marks)
            return
        mark = Mark.NOT_INTERPRETABLE if name in MINERALS else None
        told = f"value '{given}'" if given else "value in words"
        self._gap(self._inputs[name], GapReason.UNREADABLE, f"{told}{{}}: {_NOT_A_NUMBER}", sample, mark)

    def _no_value(self, name: str, result: shapes.Observation | shapes.Component, sample: Sample) -> None:
        """Nothing there is missing, never zero, never normal (CL-06); a coded interpretation alone is a result in words."""
        absent = parts.concept(result.dataAbsentReason) if result.dataAbsentReason else None
        if absent is not None and any(coding.code in _NO_RESULT for coding in absent.coding or ()):
            return
        judged, marks = self._interpretation(name, result)
        if judged is not Position.UNKNOWN:
            self._without_value(name, sample, None, None, judged, marks)

    def _without_value(
        self,
        name: str,
        sample: Sample,
        reported: Decimal | None,
        unit: str | None,
        judged: Position,
        marks: frozenset[Mark],
    ) -> None:
        self._draft.measurements.append(
            Measurement(
                input=name,
                value=None,
                reported=reported,
                unit=unit,
                taken=sample.taken,
                reference=sample.reference,
                draws=sample.draws,
                interpretation=judged,
                marks=marks | sample.marks,
            )
        )

    # ---- helpers

    def gap(
        self, name: str, reason: GapReason, detail: str, taken: Taken | None, reference: str, mark: Mark | None
    ) -> None:
        """Add a gap, for inputs that rules ask for. `detail` begins behind the analyte's name; {} is its date."""
        if name in self._asked:
            label = self._inputs[name].name.split(",")[0].split(" (")[0]
            date = f" ({taken.text})" if taken is not None else ""
            self._draft.gaps.append(
                Gap(
                    analyte=name,
                    reason=reason,
                    detail=f"{label} {detail}".replace("{}", date),
                    taken=taken,
                    reference=reference,
                    mark=mark,
                )
            )

    def _gap(self, of: InputOf, reason: GapReason, detail: str, sample: Sample, mark: Mark | None) -> None:
        self.gap(of.id, reason, detail, sample.taken, sample.reference, mark)

    def _range(self, name: str, result: shapes.Observation | shapes.Component, unit: Unit, of: InputOf) -> Range | None:
        if not result.referenceRange:
            return None
        key = (name, bytes(result.referenceRange), unit.ucum)
        if key in self._ranges:
            return self._ranges[key]
        ranges = parts.ranges(key[1])
        found = laboratory_range(ranges, name, unit, self._units, of.canonical_unit) if ranges else None
        self._ranges[key] = found
        return found

    def _interpretation(
        self, name: str, result: shapes.Observation | shapes.Component
    ) -> tuple[Position, frozenset[Mark]]:
        if not result.interpretation:
            return Position.UNKNOWN, _NO_MARKS
        key = (name, bytes(result.interpretation))
        known = self._interpretations.get(key)
        if known is None:
            known = self._interpretations[key] = _interpreted(name, key[1])
        return known


def _interpreted(name: str, data: bytes) -> tuple[Position, frozenset[Mark]]:
    concepts = parts.concepts(data) or []
    judged, mark = interpretation(concepts)
    marks = {mark} if mark is not None else set()
    for concept in concepts:
        for words in (concept.text, *(coding.display for coding in concept.coding or ())):
            marks |= marks_in(words, name) if words else _NO_MARKS
    return judged, frozenset(marks)


def _plausible_range(limits: Range, of: InputOf) -> bool:
    """Whether a range can be one of this analyte; one that lies outside the window as a whole betrays a wrong unit."""
    below = limits.high is not None and of.low is not None and limits.high < of.low
    above = limits.low is not None and of.high is not None and limits.low > of.high
    return not (below or above)


def _told(read: Number, unit: str) -> str:
    text = str(read.value) if len(str(read.value)) <= 20 else str(read.value)[:20] + "..."
    return f"{text} {unit}".strip()
