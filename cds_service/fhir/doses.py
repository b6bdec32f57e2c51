"""How much vitamin D a day an order states, where it states it exactly.

Knows: dose quantities, the timing of FHIR (so often in such a period).
Must not know: limits. A dose in tablets, as needed, in a range, for several instructions or with a timing in words is
unknown; nothing is worked out from the strength of a product.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from msgspec import Raw, Struct

from cds_service.fhir import shapes
from cds_service.fhir.parts import Part
from cds_service.fhir.values import UCUM, number

_HOURS: Final = {"h": Decimal(1), "d": Decimal(24), "wk": Decimal(168)}
_FALSE: Final = (b"", b"null", b"false")


class _Repeat(Struct):
    """Whatever makes the number of doses a day uncertain stays raw: it is only asked whether it is there."""

    frequency: Raw = shapes.ABSENT
    period: Raw = shapes.ABSENT
    periodUnit: str | None = None
    frequencyMax: Raw = shapes.ABSENT
    periodMax: Raw = shapes.ABSENT
    count: Raw = shapes.ABSENT
    dayOfWeek: Raw = shapes.ABSENT
    when: Raw = shapes.ABSENT
    timeOfDay: Raw = shapes.ABSENT


class _Timing(Struct):
    repeat: _Repeat | None = None


class _Dose(Struct):
    doseQuantity: shapes.Quantity | None = None
    doseRange: Raw = shapes.ABSENT


class _Dosage(Struct):
    """doseQuantity, doseRange beside doseAndRate: STU3. asNeededFor: R5."""

    timing: _Timing | None = None
    doseAndRate: list[_Dose] | None = None
    doseQuantity: shapes.Quantity | None = None
    doseRange: Raw = shapes.ABSENT
    asNeeded: Raw = shapes.ABSENT
    asNeededBoolean: Raw = shapes.ABSENT
    asNeededCodeableConcept: Raw = shapes.ABSENT
    asNeededFor: Raw = shapes.ABSENT


class _Dosed(Struct):
    dosageInstruction: list[_Dosage] | None = None


_dosed: Final = Part(_Dosed)


def vitamin_d_per_day(order: Raw, units: Mapping[str, Decimal]) -> Decimal | None:
    """Return the international units a day that an order states; None when it does not state them exactly.

    units: what one of each dose unit is in international units.
    """
    read = _dosed(order)
    instructions = (read.dosageInstruction if read is not None else None) or ()
    if len(instructions) != 1 or _is_vague(instructions[0]):
        return None
    dose, often = _dose(instructions[0], units), _often(instructions[0])
    # divided last, so that seven days' worth a week is exactly one day's worth a day
    return None if dose is None or often is None else dose * often[0] * 24 / often[1]


def _is_vague(dosage: _Dosage) -> bool:
    repeat = (dosage.timing.repeat if dosage.timing is not None else None) or _Repeat()
    doubts = (
        *(dosage.doseRange, dosage.asNeeded, dosage.asNeededBoolean, dosage.asNeededCodeableConcept),
        *(dosage.asNeededFor, repeat.frequencyMax, repeat.periodMax, repeat.count, repeat.dayOfWeek, repeat.when),
        *(repeat.timeOfDay, *(each.doseRange for each in dosage.doseAndRate or ())),
    )
    return any(bytes(doubt) not in _FALSE for doubt in doubts)


def _dose(dosage: _Dosage, units: Mapping[str, Decimal]) -> Decimal | None:
    given = [each.doseQuantity for each in dosage.doseAndRate or ()] or [dosage.doseQuantity]
    quantity = given[0]
    if len(given) != 1 or quantity is None or quantity.comparator is not None:
        return None
    coded = quantity.code if quantity.system in UCUM else None
    factor = units.get(coded or quantity.unit or "")
    value = number(quantity.value)
    return value * factor if isinstance(value, Decimal) and value > 0 and factor is not None else None


def _often(dosage: _Dosage) -> tuple[Decimal, Decimal] | None:
    """So many times in so many hours."""
    repeat = dosage.timing.repeat if dosage.timing is not None else None
    hours = _HOURS.get(repeat.periodUnit or "") if repeat is not None else None
    if repeat is None or hours is None:
        return None
    frequency = number(repeat.frequency) if repeat.frequency else Decimal(1)
    period = number(repeat.period)
    if not isinstance(frequency, Decimal) or not isinstance(period, Decimal) or frequency <= 0 or period <= 0:
        return None
    return frequency, period * hours
