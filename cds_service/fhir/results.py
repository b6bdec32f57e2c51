"""One result, of an Observation or of a component: a Measurement, or a Gap with the reason.

Knows: CL-04 to CL-08 and CL-11 to CL-15, in the order in which they apply.
Must not know: subjects, statuses, specimens (observations.py); limits other than the plausibility window of the input.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from cds_service.calcinosis.facts import Gap, GapReason, Mark, Measurement, Position, Range, Taken
from cds_service.calcinosis.names import Input
from cds_service.fhir import parts, shapes
from cds_service.fhir.draft import Draft
from cds_service.fhir.values import Number, Unit, UnitProblem, number, position, shown, text_number
from cds_service.fhir.vocabulary import Vocabulary
from cds_service.terminology.catalog import Input as InputOf

Result: TypeAlias = shapes.Observation | shapes.Component

MINERALS: Final = frozenset(
    {Input.CALCIUM, Input.ADJUSTED_CALCIUM, Input.IONIZED_CALCIUM, Input.IONIZED_CALCIUM_PH74, Input.PHOSPHATE}
)
_NO_MARKS: Final[frozenset[Mark]] = frozenset()
_NO_RANGE: Final = (None, True)
_UNKNOWN: Final = Position.UNKNOWN
_NOT_JUDGED: Final = (_UNKNOWN, _NO_MARKS)
_COMPARATORS: Final = frozenset({"<", "<=", ">", ">="})
# dataAbsentReason codes that say that there is no result at all, whatever an interpretation beside them says.
_NO_RESULT: Final = frozenset({"not-performed", "error"})


@dataclass(slots=True)
class Sample:
    """What all results of one Observation share."""

    reference: str
    taken: Taken
    draws: frozenset[str]
    marks: frozenset[Mark]


class Results:
    """Reads results into a draft."""

    def __init__(self, vocabulary: Vocabulary, draft: Draft) -> None:
        self._inputs = vocabulary.catalog.inputs
        self._units = vocabulary.units
        self._ranges = vocabulary.ranges
        self._interpretations = vocabulary.interpretations
        self._asked = vocabulary.asked
        self._draft = draft
        self._measurements = draft.measurements

    def read(self, name: str, result: Result, sample: Sample) -> None:
        """Read one input of one result."""
        quantity = result.valueQuantity
        if quantity is not None and quantity.value:
            read = number(quantity.value)
            if read is not None:
                self._number(name, result, sample, read, self._units.of(name, quantity), quantity.comparator)
            elif bytes(quantity.value) == b"null":
                self._no_value(name, result, sample)
            else:
                self._words(name, result, sample, shown(quantity.value))
        elif result.valueString is not None and result.valueString.strip():
            self._text(name, result, sample, result.valueString)
        elif result.valueInteger and (read := number(result.valueInteger)) is not None:
            self._number(name, result, sample, read, self._units.of_text(name, None), None)
        else:
            self._no_value(name, result, sample)

    # ---- numbers

    def _number(
        self,
        name: str,
        result: Result,
        sample: Sample,
        read: Decimal | Number,
        unit: Unit | UnitProblem,
        comparator: str | None,
    ) -> None:
        of = self._inputs[name]
        plain = read if isinstance(read, Decimal) else read.value
        if isinstance(unit, UnitProblem):
            self._refuse_unit(of, result, sample, plain, unit)
            return
        absent = shapes.ABSENT
        limits, fits = (
            _NO_RANGE if result.referenceRange is absent else self._ranges.of(of, result.referenceRange, unit)
        )
        judged, marks = (
            _NOT_JUDGED if result.interpretation is absent else self._interpretations.of(name, result.interpretation)
        )
        if unit.factor is None:
            self._unconverted(of, sample, plain, unit, limits, judged, marks)
            return
        value = plain if unit.identity else plain * unit.factor
        if not fits or (of.low is not None and value < of.low) or (of.high is not None and value > of.high):
            told = f"{_told(plain, unit.text)}{{}}: unit or value not plausible, not used"
            self._gap(of, GapReason.REFUSED, told, sample, Mark.UNIT_SUSPECT)
            return
        if comparator is not None and comparator not in _COMPARATORS:
            told = f"{_told(plain, unit.text)}{{}}: comparator not known, not used"
            self._gap(of, GapReason.UNREADABLE, told, sample)
            return
        if sample.marks:
            marks |= sample.marks
        if plain is not read or comparator is not None or unit.ucum == "mg/L":
            marks |= self._marks_of(name, read, unit, comparator)
        self._keep(name, sample, judged, marks, value, plain, unit.text, comparator, limits)

    def _keep(
        self,
        name: str,
        sample: Sample,
        judged: Position,
        marks: frozenset[Mark],
        value: Decimal | None = None,
        reported: Decimal | None = None,
        unit: str | None = None,
        comparator: str | None = None,
        limits: Range | None = None,
    ) -> None:
        self._measurements.append(
            Measurement(
                input=name,
                value=value,
                reported=reported,
                unit=unit,
                taken=sample.taken,
                reference=sample.reference,
                comparator=comparator,
                draws=sample.draws,
                laboratory_range=limits,
                interpretation=judged,
                marks=marks,
            )
        )

    def _marks_of(self, name: str, read: Decimal | Number, unit: Unit, comparator: str | None) -> set[Mark]:
        marks = set()
        if isinstance(read, Number):
            self._draft.tallies["numbers sent as text"] += 1
            if read.comma:
                marks.add(Mark.DECIMAL_COMMA)
        if name in MINERALS:
            if comparator is not None:
                marks.add(Mark.COMPARATOR)
            if unit.ucum == "mg/L":
                marks.add(Mark.UNIT_MG_PER_L)
        return marks

    def _refuse_unit(self, of: InputOf, result: Result, sample: Sample, read: Decimal, problem: UnitProblem) -> None:
        quantity = result.valueQuantity
        given = (quantity.unit or quantity.code or "") if quantity is not None else ""
        if problem is UnitProblem.URINE:
            self._draft.marks.add(Mark.URINE_REJECTED)
        told = f"{_told(read, shown(given))}{{}}: {problem.value}"
        self._gap(of, GapReason.REFUSED, told, sample, Mark.UNIT_SUSPECT)

    def _unconverted(
        self,
        of: InputOf,
        sample: Sample,
        read: Decimal,
        unit: Unit,
        limits: Range | None,
        judged: Position,
        marks: frozenset[Mark],
    ) -> None:
        """A number on a scale of its own counts only by its own range or interpretation."""
        where = judged if judged is not _UNKNOWN else position(read, limits)
        if where is _UNKNOWN:
            self._gap(of, GapReason.REFUSED, f"{_told(read, unit.text)}{{}}: unit does not convert, not used", sample)
        else:
            self._keep(of.id, sample, where, marks | sample.marks, None, read, unit.text)

    # ---- words and nothing

    def _text(self, name: str, result: Result, sample: Sample, text: str) -> None:
        """A plain decimal, its unit behind it; any other word makes it a result in words (CL-04)."""
        read = text_number(text)
        if read is None:
            self._words(name, result, sample, None)
            return
        unit = self._units.of_text(name, read.unit)
        if unit is UnitProblem.UNKNOWN:
            self._words(name, result, sample, None)
        else:
            self._number(name, result, sample, read, unit, None)

    def _words(self, name: str, result: Result, sample: Sample, given: str | None) -> None:
        """A result in words counts by its coded interpretation, never for a product (CL-04)."""
        judged, marks = self._judged(name, result)
        if judged is not _UNKNOWN:
            self._keep(name, sample, judged, marks | sample.marks)
            return
        mark = Mark.NOT_INTERPRETABLE if name in MINERALS else None
        told = f"value '{given}'" if given else "value in words"
        self._gap(self._inputs[name], GapReason.UNREADABLE, f"{told}{{}}: not interpretable, not used", sample, mark)

    def _no_value(self, name: str, result: Result, sample: Sample) -> None:
        """Nothing there is missing, never zero or normal (CL-06); a coded interpretation alone is a result in words."""
        absent = parts.concept(result.dataAbsentReason) if result.dataAbsentReason else None
        if absent is not None and any(coding.code in _NO_RESULT for coding in absent.coding or ()):
            return
        judged, marks = self._judged(name, result)
        if judged is not _UNKNOWN:
            self._keep(name, sample, judged, marks | sample.marks)

    def _judged(self, name: str, result: Result) -> tuple[Position, frozenset[Mark]]:
        if not result.interpretation:
            return _NOT_JUDGED
        return self._interpretations.of(name, result.interpretation)

    # ---- gaps

    def gap(
        self, name: str, reason: GapReason, detail: str, taken: Taken | None, reference: str, mark: Mark | None = None
    ) -> None:
        """Add a gap, for inputs that the service asks for. detail: stands behind the analyte's name; {} is its date."""
        if name not in self._asked:
            return
        label = self._inputs[name].name.split(",")[0].split(" (")[0]
        date = f" ({taken.text})" if taken is not None else ""
        told = f"{label} {detail}".replace("{}", date)
        self._draft.gaps.append(
            Gap(analyte=name, reason=reason, detail=told, taken=taken, reference=reference, mark=mark)
        )

    def _gap(self, of: InputOf, reason: GapReason, detail: str, sample: Sample, mark: Mark | None = None) -> None:
        self.gap(of.id, reason, detail, sample.taken, sample.reference, mark)


def _told(read: Decimal, unit: str) -> str:
    text = str(read) if len(str(read)) <= 20 else str(read)[:20] + "..."
    return f"{text} {unit}".strip()
