"""Values, units, ranges and interpretations of single results."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from cds_service.calcinosis.facts import GapReason, Mark, Position, Range
from cds_service.fhir.values import Number, number, text_number
from cds_service.terminology.catalog import Catalog
from tests.builders import INTERPRETATION, UCUM, coding, concept, observation, quantity
from tests.fhir.reading import facts, only_gap, only_measurement


def limits(low: str | None, high: str | None, **more: Any) -> dict[str, Any]:
    return ({"low": quantity(low)} if low else {}) | ({"high": quantity(high)} if high else {}) | more


# ---- numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"9.4", "9.4"),
        (b"9.40", "9.40"),
        (b"-1", "-1"),
        (b"0", "0"),
        (b"1.05E1", "10.5"),
        (b"9.033962176872736", "9.033962176872736"),
        (b'"9.1"', "9.1"),
    ],
)
def test_a_json_number_keeps_its_decimal_text(text: bytes, value: str) -> None:
    read = number(msgspec.Raw(text))
    assert str(read.value if isinstance(read, Number) else read) == value


@pytest.mark.parametrize(
    "text",
    [b"1e400", b"1e99", b"9" * 5000, b"NaN", b'"NaN"', b"true", b"{}", b"[9]", b'"9.1 mg/dL"', b'"1e5"', b"null"],
)
def test_what_is_no_plausible_number_is_not_read_as_one(text: bytes) -> None:
    assert number(msgspec.Raw(text)) is None


@pytest.mark.parametrize(
    ("text", "value", "comma", "unit"),
    [
        ("8.4", "8.4", False, None),
        (" 8.4 mg/dL ", "8.4", False, "mg/dL"),
        ("12,35", "12.35", True, None),
        ("12,3 mg/dl", "12.3", True, "mg/dl"),
    ],
)
def test_a_plain_decimal_sent_as_text_is_a_number(text: str, value: str, comma: bool, unit: str | None) -> None:
    read = text_number(text)
    assert read is not None
    assert (read.value, read.comma, read.unit) == (Decimal(value), comma, unit)


@pytest.mark.parametrize("text", ["12,350", "1,234.5", "1,2,3", "1.2.3", "<0.02", "normal", "about 9", "", "٩", "9..1"])
def test_text_that_is_no_plain_decimal_is_no_number(text: str) -> None:
    assert text_number(text) is None


def test_exact_conversion_of_mmol_per_litre(catalog: Catalog) -> None:
    # 2.38 mmol/L x 4.0078 = 9.538564 mg/dL
    found = only_measurement(catalog, observation("2000-8", "2.38 mmol/L"))
    assert (found.input, found.value, found.reported, found.unit) == (
        "ca_total",
        Decimal("9.538564"),
        Decimal("2.38"),
        "mmol/L",
    )


def test_a_number_sent_as_json_text_counts_and_is_told(catalog: Catalog) -> None:
    value = {"value": "9.1", "unit": "mg/dL", "system": UCUM, "code": "mg/dL"}
    read = facts(catalog, observation("calcium", valueQuantity=value))
    assert read.measurements[0].value == Decimal("9.1")
    assert "numbers sent as text: 1" in read.notes


def test_a_decimal_comma_is_read_and_marked(catalog: Catalog) -> None:
    found = only_measurement(catalog, observation("calcium", valueString="12,35 mg/dL"))
    assert found.value == Decimal("12.35")
    assert found.marks == {Mark.DECIMAL_COMMA}


def test_a_number_that_is_nonsense_is_a_gap_and_no_crash(catalog: Catalog) -> None:
    value = msgspec.Raw(b'{"value": 1e400, "unit": "mg/dL", "code": "mg/dL"}')
    gap = only_gap(catalog, observation("calcium", valueQuantity=value))
    assert (gap.reason, gap.mark) == (GapReason.UNREADABLE, Mark.NOT_INTERPRETABLE)


def test_an_integer_without_a_unit_is_refused(catalog: Catalog) -> None:
    gap = only_gap(catalog, observation("calcium", valueInteger=9))
    assert (gap.reason, gap.mark) == (GapReason.REFUSED, Mark.UNIT_SUSPECT)
    assert gap.detail == "Total calcium 9 (2026-10-12T07:30:00+02:00): no unit, not used"


# ---- units


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        ({"value": 9, "code": "mg/dL"}, "9"),
        ({"value": 9, "unit": "MG/DL"}, "9"),
        ({"value": 9, "unit": "mg/dl", "system": UCUM}, "9"),
        ({"value": 9, "unit": "mg/dL", "system": UCUM, "code": "mg/dl"}, "9"),
        ({"value": 9, "unit": "mg/dL", "system": "http://snomed.info/sct", "code": "258797006"}, "9"),
        ({"value": 2, "unit": "millimoles", "system": UCUM, "code": "mmol/L"}, "8.0156"),
    ],
)
def test_the_unit_code_counts_first_else_the_unit_text(catalog: Catalog, value: Any, canonical: str) -> None:
    assert only_measurement(catalog, observation("calcium", valueQuantity=value)).value == Decimal(canonical)


@pytest.mark.parametrize(
    ("analyte", "value", "told"),
    [
        ("calcium", {"value": 9}, "no unit"),
        ("calcium", {"value": 9, "unit": "", "code": ""}, "no unit"),
        ("calcium", {"value": 9, "unit": "furlong"}, "unit not known"),
        ("calcium", {"value": 9, "unit": "g/dL", "code": "g/dL", "system": UCUM}, "unit not known"),
        ("calcium", {"value": 2.2, "unit": "mg/dL", "code": "mmol/L", "system": UCUM}, "contradict"),
        ("phosphate", {"value": 2.2, "unit": "mEq/L"}, "unit not"),
        ("phosphate", {"value": 2.2, "unit": "meq/L", "code": "meq/L", "system": UCUM}, "unit not usable"),
    ],
)
def test_a_missing_unknown_or_contradictory_unit_is_refused(
    catalog: Catalog, analyte: str, value: Any, told: str
) -> None:
    gap = only_gap(catalog, observation(analyte, valueQuantity=value))
    assert (gap.reason, gap.mark) == (GapReason.REFUSED, Mark.UNIT_SUSPECT)
    assert told in gap.detail
    assert gap.detail.endswith("not used")


def test_a_code_that_leaves_mass_or_molar_open_is_used_with_its_unit_and_refused_without(catalog: Catalog) -> None:
    assert only_measurement(catalog, observation("35221-1", "1.5 mmol/L")).value == Decimal("4.64606430")
    assert only_gap(catalog, observation("35221-1", "1.5")).mark is Mark.UNIT_SUSPECT


@pytest.mark.parametrize("unit", ["mg/24 h", "mg/(24.h)", "mg/d", "mg/day", "mg/kg", "mg/g{creat}"])
def test_a_unit_per_day_per_kg_or_per_creatinine_is_urine(catalog: Catalog, unit: str) -> None:
    read = facts(catalog, observation("calcium", f"7.8 {unit}"))
    assert Mark.URINE_REJECTED in read.marks
    assert read.measurements == ()


def test_mg_per_litre_is_a_tenth_and_marked_on_calcium_only(catalog: Catalog) -> None:
    # 96 mg/L = 9.6 mg/dL (El Maghraoui 2016)
    found = only_measurement(catalog, observation("calcium", "96 mg/L"))
    assert (found.value, found.marks) == (Decimal("9.6"), {Mark.UNIT_MG_PER_L})
    assert only_measurement(catalog, observation("1988-5", "12 mg/L")).marks == frozenset()


@pytest.mark.parametrize("value", ["3.0 mg/dL", "25.0 mg/dL"])
def test_the_limits_of_the_plausibility_window_are_inside(catalog: Catalog, value: str) -> None:
    assert only_measurement(catalog, observation("calcium", value)).value == Decimal(value.split()[0])


@pytest.mark.parametrize("value", ["2.99 mg/dL", "25.01 mg/dL", "7.79 mmol/L", "-9 mg/dL"])
def test_outside_the_window_a_value_is_refused_as_it_came(catalog: Catalog, value: str) -> None:
    gap = only_gap(catalog, observation("calcium", value, at="2026-10-01"))
    assert (gap.reason, gap.mark) == (GapReason.REFUSED, Mark.UNIT_SUSPECT)
    assert gap.detail == f"Total calcium {value} (2026-10-01): unit or value not plausible, not used"


def test_a_range_of_the_other_scale_betrays_a_wrong_unit(catalog: Catalog) -> None:
    value = observation("calcium", "3.2 mg/dL", referenceRange=[limits("2.1 mg/dL", "2.6 mg/dL")])
    assert only_gap(catalog, value).mark is Mark.UNIT_SUSPECT


def test_ionised_calcium_is_never_read_in_the_other_scale(catalog: Catalog) -> None:
    assert only_measurement(catalog, observation("ionized calcium", "1.2 mmol/L")).value == Decimal("1.2")
    assert only_gap(catalog, observation("ionized calcium", "4.8 mmol/L")).reason is GapReason.REFUSED


def test_a_pth_of_zero_is_used(catalog: Catalog) -> None:
    assert only_measurement(catalog, observation("pth", "0 pg/mL")).value == 0


# ---- comparators, words, nothing


def test_a_comparator_is_kept_and_marked_on_calcium_and_phosphate_only(catalog: Catalog) -> None:
    found = only_measurement(catalog, observation("phosphate", "> 20 mg/dL"))
    assert (found.value, found.comparator, found.marks) == (Decimal("20"), ">", {Mark.COMPARATOR})
    found = only_measurement(catalog, observation("egfr", "> 60 mL/min/{1.73_m2}"))
    assert (found.comparator, found.marks) == (">", frozenset())


def test_an_unknown_comparator_makes_the_value_unreadable(catalog: Catalog) -> None:
    value = {**quantity("9 mg/dL"), "comparator": "~"}
    assert only_gap(catalog, observation("calcium", valueQuantity=value)).reason is GapReason.UNREADABLE


@pytest.mark.parametrize("text", ["see comment", "10.2 mg/dL approx", "<0.5 mg/dL", "10.2 haemolysed"])
def test_words_are_not_interpretable(catalog: Catalog, text: str) -> None:
    gap = only_gap(catalog, observation("calcium", valueString=text))
    assert (gap.reason, gap.mark) == (GapReason.UNREADABLE, Mark.NOT_INTERPRETABLE)


@pytest.mark.parametrize("value", [{"valueString": "normal"}, {"dataAbsentReason": concept(text="in words")}, {}])
def test_a_result_in_words_counts_by_its_coded_interpretation(catalog: Catalog, value: Any) -> None:
    found = only_measurement(
        catalog, observation("calcium", interpretation=[concept(coding(INTERPRETATION, "N"))], **value)
    )
    assert (found.value, found.reported, found.interpretation) == (None, None, Position.NORMAL)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"valueQuantity": {"unit": "mg/dL"}},
        {"valueQuantity": {"value": None, "unit": "mg/dL"}},
        {
            "dataAbsentReason": concept(
                coding("http://terminology.hl7.org/CodeSystem/data-absent-reason", "not-performed")
            )
        },
        {"valueSampledData": {"data": "1 2 3"}},
        {"valueString": "  "},
    ],
)
def test_nothing_is_missing_and_never_a_value(catalog: Catalog, value: Any) -> None:
    read = facts(catalog, observation("calcium", **value))
    assert (read.measurements, read.gaps) == ((), ())


def test_an_interpretation_beside_a_test_not_performed_is_no_result(catalog: Catalog) -> None:
    absent = concept(coding("http://terminology.hl7.org/CodeSystem/data-absent-reason", "not-performed"))
    normal = [concept(coding(INTERPRETATION, "N"))]
    assert facts(catalog, observation("calcium", dataAbsentReason=absent, interpretation=normal)).measurements == ()


# ---- ranges and interpretations


def test_a_range_in_the_unit_of_the_value_is_converted_with_it(catalog: Catalog) -> None:
    # 2.1 x 4.0078 = 8.41638; 2.6 x 4.0078 = 10.42028
    found = only_measurement(
        catalog, observation("2000-8", "2.3 mmol/L", referenceRange=[limits("2.1 mmol/L", "2.6 mmol/l")])
    )
    assert found.laboratory_range == Range(Decimal("8.41638"), Decimal("10.42028"), "mg/dL", "laboratory")


@pytest.mark.parametrize(
    "ranges",
    [
        [{"low": {"value": 8.5}, "high": {"value": 10.2}}],
        [limits("2.1 mmol/L", "2.6 mmol/L")],
        [{"text": "8.5 - 10.2 mg/dL"}],
        [limits("8.5 mg/dL", "10.2 mg/dL"), limits("8.8 mg/dL", "10.6 mg/dL")],
        [limits("10.2 mg/dL", "8.5 mg/dL")],
        "8.5-10.2",
    ],
)
def test_a_range_without_or_with_another_unit_or_without_meaning_is_ignored(catalog: Catalog, ranges: Any) -> None:
    assert only_measurement(catalog, observation("calcium", "9 mg/dL", referenceRange=ranges)).laboratory_range is None


def test_of_several_ranges_the_normal_one_counts(catalog: Catalog) -> None:
    kinds = "http://terminology.hl7.org/CodeSystem/referencerange-meaning"
    ranges = [
        limits("6 mg/dL", "13 mg/dL", type=concept(coding(kinds, "treatment"))),
        limits("8.5 mg/dL", "10.2 mg/dL", type=concept(coding(kinds, "normal"))),
    ]
    found = only_measurement(catalog, observation("calcium", "9 mg/dL", referenceRange=ranges))
    assert found.laboratory_range == Range(Decimal("8.5"), Decimal("10.2"), "mg/dL", "laboratory")


def test_one_limit_alone_is_a_range(catalog: Catalog) -> None:
    found = only_measurement(catalog, observation("calcium", "9 mg/dL", referenceRange=[limits(None, "10.2 mg/dL")]))
    assert found.laboratory_range == Range(None, Decimal("10.2"), "mg/dL", "laboratory")


@pytest.mark.parametrize(
    ("system", "code", "position"),
    [
        (INTERPRETATION, "N", Position.NORMAL),
        (INTERPRETATION, "LL", Position.LOW),
        (INTERPRETATION, "HH", Position.HIGH),
        ("http://hl7.org/fhir/v2/0078", "H", Position.HIGH),
        ("http://terminology.hl7.org/CodeSystem/v2-0078", "L", Position.LOW),
        (INTERPRETATION, "A", Position.UNKNOWN),
        ("http://lab.example.org/flags", "H", Position.UNKNOWN),
    ],
)
def test_the_coded_interpretation_is_a_position(catalog: Catalog, system: str, code: str, position: Position) -> None:
    found = only_measurement(catalog, observation("calcium", "9 mg/dL", interpretation=[concept(coding(system, code))]))
    assert found.interpretation is position


def test_two_interpretations_that_disagree_are_unknown(catalog: Catalog) -> None:
    both = [concept(coding(INTERPRETATION, "H")), concept(coding(INTERPRETATION, "L"))]
    assert only_measurement(catalog, observation("calcium", "9 mg/dL", interpretation=both)).interpretation is (
        Position.UNKNOWN
    )


def test_an_interpretation_that_is_one_object_instead_of_a_list_is_read(catalog: Catalog) -> None:
    one = concept(coding(INTERPRETATION, "H"))
    assert only_measurement(catalog, observation("calcium", "9 mg/dL", interpretation=one)).interpretation is (
        Position.HIGH
    )


def test_a_number_on_a_scale_of_its_own_counts_by_its_own_range(catalog: Catalog) -> None:
    ranges = [limits("3 ug/L", "15 ug/L")]
    found = only_measurement(catalog, observation("17838-4", "20 ug/L", referenceRange=ranges))
    assert (found.value, found.reported, found.interpretation) == (None, Decimal("20"), Position.HIGH)
