"""Numbers, units, ranges and interpretations of results.

Knows: the decimal text of JSON numbers and of results sent as text (CL-04), how unit code and unit text go together
(CL-11, CL-12), when a reference range counts (CL-08), the interpretation codes.
Must not know: clinical limits. Nothing is repaired: a value that is not understood is refused with the reason (CL-15).
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from msgspec import Raw

from cds_service.calcinosis.facts import Mark, Position, Range
from cds_service.fhir import parts, releases
from cds_service.fhir.bounded import LONGEST_PART, Bounded
from cds_service.fhir.remarks import marks_in
from cds_service.fhir.shapes import CodeableConcept, Quantity, ReferenceRange
from cds_service.terminology.catalog import Catalog, Input

UCUM: Final = frozenset({"http://unitsofmeasure.org", "https://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8"})

# Longer numbers are not laboratory results; the bound also keeps 5000 digits and 1e999 away from the arithmetic.
_NUMBER = re.compile(rb"-?\d{1,15}(?:\.\d{1,60})?(?:[eE][+-]?\d)?\Z")
_DOT: Final = ord(".")
_TEXT_NUMBER = re.compile(r"(-?\d{1,15}(?:\.\d{1,60})?)\Z", re.ASCII)
_TEXT_COMMA = re.compile(r"(-?\d{1,15}),(\d{1,2})\Z", re.ASCII)
_NUMBER_THEN_UNIT = re.compile(r"(-?[\d.,]+)\s*(.*)\Z", re.ASCII | re.DOTALL)
# CL-02: per day, per 24 h, per kg and ratios to creatinine are urine.
_URINE_UNIT = re.compile(r"/\s*\(?\s*(?:24|d\b|day|kg)|per\s+(?:day|24)|creat", re.IGNORECASE)

_POSITIONS: Final = {
    "N": Position.NORMAL,
    **dict.fromkeys(("L", "LL", "LU", "LX", "<"), Position.LOW),
    **dict.fromkeys(("H", "HH", "HU", "HX", ">"), Position.HIGH),
}
_QUALITY_CODES: Final = frozenset({"QCF"})
_INTERPRETATION_SYSTEMS: Final = frozenset(
    {
        "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
        "http://hl7.org/fhir/v3/ObservationInterpretation",
        "urn:oid:2.16.840.1.113883.5.83",
        "http://terminology.hl7.org/CodeSystem/v2-0078",
        "http://hl7.org/fhir/v2/0078",
        "urn:oid:2.16.840.1.113883.12.78",
    }
)


@dataclass(slots=True)
class Number:
    """A number that came as text. unit: the words behind it. comma: it had a decimal comma."""

    value: Decimal
    comma: bool
    unit: str | None


def number(raw: Raw) -> Decimal | Number | None:
    """The number of a JSON value, its decimal text kept; None when it is none.

    A JSON string is a Number by the rules for text (CL-04).
    """
    data = bytes(raw)
    # the usual number needs no pattern
    usual = data.replace(b".", b"", 1).isdigit() and len(data) <= 15 and data[0] != _DOT != data[-1]
    if usual or _NUMBER.match(data) is not None:
        return Decimal(data.decode("ascii"))
    if data[:1] == b'"' and data[-1:] == b'"' and b"\\" not in data:
        read = text_number(data[1:-1].decode(errors="replace"))
        return read if read and read.unit is None else None
    return None


def text_number(text: str) -> Number | None:
    """A plain decimal, or one comma with one or two digits behind it and no dot; a unit may follow (CL-04)."""
    found = _NUMBER_THEN_UNIT.match(text.strip())
    if found is None:
        return None
    digits, unit = found[1], found[2].strip() or None
    if _TEXT_NUMBER.match(digits):
        return Number(Decimal(digits), False, unit)
    comma = _TEXT_COMMA.match(digits)
    if comma:
        return Number(Decimal(f"{comma[1]}.{comma[2]}"), True, unit)
    return None


def shown(raw: Raw | bytes | str) -> str:
    """A received number or word for a message, cut to what a line can hold."""
    text = raw if isinstance(raw, str) else bytes(raw).decode(errors="replace")
    text = text.strip('"').strip()
    return text if len(text) <= 20 else text[:20] + "..."


class UnitProblem(Enum):
    """Why a unit cannot be used; the value is the wording of the gap."""

    MISSING = "no unit, not used"
    UNKNOWN = "unit not known for this analyte, not used"
    REFUSED = "unit not usable for this analyte, not used"
    CONTRADICTION = "unit code and unit text contradict each other, not used"
    URINE = "unit of a urine result, not used"


@dataclass(frozen=True, slots=True)
class Unit:
    """A usable unit. factor: to the canonical unit; None when the number may only be held against its own range."""

    ucum: str
    factor: Decimal | None
    text: str
    identity: bool


def _unit(ucum: str, factor: Decimal | None, text: str) -> Unit:
    return Unit(ucum, factor, text, factor == 1)


class Units:
    """Unit code and unit text of results, understood once for each spelling in a call."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._seen: Bounded[tuple[str, str | None, str | None, str | None], Unit | UnitProblem] = Bounded()

    def of(self, input_id: str, quantity: Quantity) -> Unit | UnitProblem:
        """The unit of a quantity: its code when it is UCUM and known, else its text; both must agree."""
        key = (input_id, quantity.code, quantity.system, quantity.unit)
        known = self._seen.get(key)
        return self._seen.keep(key, self._judge(*key)) if known is None else known

    def of_text(self, input_id: str, unit: str | None) -> Unit | UnitProblem:
        """The unit written behind a number."""
        return self.of(input_id, Quantity(unit=unit))

    def _judge(self, input_id: str, code: str | None, system: str | None, text: str | None) -> Unit | UnitProblem:
        code = (code or "").strip()
        text = (text or "").strip()
        if system and system.strip().rstrip("/") not in UCUM:
            code = ""
        if not input_id.startswith("u_") and (_URINE_UNIT.search(code) or _URINE_UNIT.search(text)):
            return UnitProblem.URINE
        by_code = self._catalog.unit(input_id, code) if code else None
        by_text = self._catalog.unit(input_id, text) if text else None
        if not code and not text:
            by_text = self._catalog.unit(input_id, "")
            if by_text is None or by_text.verdict == "reject":
                return UnitProblem.MISSING
        rule = by_code or by_text
        if rule is None:
            return UnitProblem.UNKNOWN
        if by_code and by_text and (by_code.ucum, by_code.factor) != (by_text.ucum, by_text.factor):
            return UnitProblem.CONTRADICTION
        if rule.verdict in ("accept", "accept_as_text"):
            return _unit(rule.ucum, rule.factor, text or code)
        if rule.verdict == "accept_if_code_indexed":
            # Every code that the catalog lists for this input says "/1.73 sq M"; the raw clearances are look-alikes.
            return _unit(rule.ucum, Decimal(1), text or code)
        if rule.verdict == "reject_conversion":
            return _unit(rule.ucum, None, text or code)
        return UnitProblem.REFUSED


def converted(value: Decimal, unit: Unit) -> Decimal:
    """The value in the canonical unit, unrounded. Only for units with a factor."""
    if unit.factor is None:
        raise ValueError("a unit without a factor does not convert")
    return value if unit.identity else value * unit.factor


class Ranges:
    """The laboratory's own ranges, equal ones understood once."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._seen: Bounded[tuple[str, bytes, str], tuple[Range | None, bool]] = Bounded()

    def of(self, of: Input, raw: Raw, unit: Unit) -> tuple[Range | None, bool]:
        """The range of a result in the canonical unit; only when its unit is that of the value (CL-08).

        The second tells whether it can be a range of this analyte at all: one that lies outside the plausibility window
        as a whole betrays a wrong unit. Of several ranges the one typed normal, or the untyped one, counts; with two of
        them none does.
        """
        key = (of.id, bytes(raw), unit.ucum)
        known = self._seen.get(key)
        if known is not None:
            return known
        fitting = [each for each in parts.ranges(raw) or () if (each.low or each.high) and _is_normal_range(each)]
        limits = self._converted(fitting[0], of, unit) if len(fitting) == 1 else None
        found = (limits, limits is None or unit.factor is None or _plausible_range(limits, of))
        return self._seen.keep(key, found) if len(key[1]) <= LONGEST_PART else found

    def _converted(self, given: ReferenceRange, of: Input, unit: Unit) -> Range | None:
        limits: list[Decimal | None] = []
        for quantity in (given.low, given.high):
            if quantity is None or not quantity.value:
                limits.append(None)
                continue
            read = number(quantity.value)
            range_unit = self._units.of(of.id, quantity)
            if not isinstance(read, Decimal) or not isinstance(range_unit, Unit) or range_unit.ucum != unit.ucum:
                return None
            limits.append(read if unit.factor is None else converted(read, unit))
        low, high = limits
        if (low is None and high is None) or (low is not None and high is not None and low > high):
            return None
        return Range(low, high, of.canonical_unit if unit.factor is not None else unit.ucum, "laboratory")


def _plausible_range(limits: Range, of: Input) -> bool:
    below = limits.high is not None and of.low is not None and limits.high < of.low
    above = limits.low is not None and of.high is not None and limits.low > of.high
    return not (below or above)


def _is_normal_range(each: ReferenceRange) -> bool:
    kind = releases.range_type(each)
    if kind is None or not kind.coding:
        return True
    return any(coding.code == "normal" for coding in kind.coding)


def position(value: Decimal, limits: Range | None) -> Position:
    """Where a number lies in a range given in its own unit."""
    if limits is None:
        return Position.UNKNOWN
    if limits.low is not None and value < limits.low:
        return Position.LOW
    if limits.high is not None and value > limits.high:
        return Position.HIGH
    return Position.NORMAL if limits.low is not None and limits.high is not None else Position.UNKNOWN


class Interpretations:
    """Coded interpretations, equal ones understood once."""

    def __init__(self) -> None:
        self._seen: Bounded[tuple[str, bytes], tuple[Position, frozenset[Mark]]] = Bounded()

    def of(self, input_id: str, raw: Raw) -> tuple[Position, frozenset[Mark]]:
        """The position that the codes tell, UNKNOWN when there is none or two disagree; the marks of its words."""
        key = (input_id, bytes(raw))
        known = self._seen.get(key)
        if known is not None:
            return known
        concepts = parts.concepts(raw) or []
        position_, marks = _interpreted(concepts)
        for concept in concepts:
            for words in (concept.text, *(coding.display for coding in concept.coding or ())):
                marks |= marks_in(words, input_id) if words else set()
        found = (position_, frozenset(marks))
        return self._seen.keep(key, found) if len(key[1]) <= LONGEST_PART else found


def _interpreted(concepts: list[CodeableConcept]) -> tuple[Position, set[Mark]]:
    found: set[Position] = set()
    marks: set[Mark] = set()
    for coding in (coding for concept in concepts for coding in concept.coding or ()):
        if coding.system and coding.system.strip().rstrip("/") not in _INTERPRETATION_SYSTEMS:
            continue
        code = (coding.code or "").strip()
        if code in _POSITIONS:
            found.add(_POSITIONS[code])
        elif code in _QUALITY_CODES:
            marks.add(Mark.SAMPLE_QUALITY)
    return (found.pop() if len(found) == 1 else Position.UNKNOWN), marks
