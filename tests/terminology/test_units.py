"""Every factor against Pint with UCUM codes (ucumvert), and against molar masses written down here once more."""

import warnings
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.terminology.catalog import Catalog, UnitRule
from cds_service.terminology.units import CONVERTS, parse_factor

# Molar masses in g/mol.
CA, P, MG, CREATININE = 40.078, 30.973762, 24.305, 113.12
MASSES = {
    "albumin": 66500,
    "aluminium": 26.9815,
    "bun": 2 * 14.007,
    "ca_corrected_albumin": CA,
    "ca_corrected_protein": CA,
    "ca_ionized": CA,
    "ca_ionized_ph74": CA,
    "ca_p_product": CA * P,
    "ca_total": CA,
    "creatinine": CREATININE,
    "lithium_level": 6.94,
    "magnesium": MG,
    "magnesium_ionized": MG,
    "phosphate": P,
    "pth_intact": 9425,
    "retinol": 286.46,
    "u_calcium_24h": CA,
    "u_phosphate_24h": P,
    "urate": 168.11,
    "urea": 60.056,
    "vitd_125oh2": 416.64,
    "vitd_25oh_d2": 412.66,
    "vitd_25oh_d3": 400.64,
    "vitd_25oh_total": 400.64,
}
DIVALENT = {name for name in MASSES if name.startswith(("ca_", "magnesium"))}
# Units that a registry cannot weigh: arbitrary units and pH, by definition or convention.
BY_CONVENTION = {
    ("ana", "{titer}"): "1",
    ("inr", "{INR}"): "1",
    ("ph_arterial", "[pH]"): "1",
    ("protein_c", "[IU]/mL"): "100",
    ("protein_s", "[IU]/mL"): "100",
}


@cache
def _registry() -> Any:
    """Build the registry once, also for mutation testing: it takes more than a second."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ucumvert import PintUcumRegistry

        return PintUcumRegistry()


@pytest.fixture
def ucum() -> Any:
    return _registry()


@cache
def _expected(name: str, unit: str, canonical: str) -> float:
    """Return the factor that Pint gives between two UCUM codes, with the molar mass when only one is a mass."""
    ucum = _registry()
    ratio = (ucum.from_ucum(unit) / ucum.from_ucum(canonical)).to_base_units()
    value = float(ratio.magnitude)
    power = int(ratio.dimensionality.get("[substance]", 0))
    if power:
        # grams to kilograms once for each mole; the product holds two moles and the product of two masses
        value *= (MASSES[name] / 1000 ** abs(power)) ** (1 if power > 0 else -1)
    if unit == "mol/mol{creat}":
        value *= CA / CREATININE
    return value / 2 if unit.startswith("meq") and name in DIVALENT else value


def _rules(shipped: Catalog) -> list[tuple[str, str, UnitRule]]:
    return [
        (name, text, rule)
        for name, table in shipped.units.items()
        for text, rule in table.items()
        if rule.verdict in CONVERTS
    ]


def test_every_factor_agrees_with_pint_and_the_molar_masses(shipped: Catalog) -> None:
    wrong = []
    for name, unit, rule in {(name, rule.ucum, rule) for name, _, rule in _rules(shipped)}:
        assert rule.factor is not None
        expected = BY_CONVENTION.get((name, unit))
        value = float(expected) if expected else _expected(name, unit, shipped.inputs[name].canonical_unit)
        if abs(value / float(rule.factor) - 1) > 1e-9:
            wrong.append((name, unit, rule.factor, value))
    assert wrong == []


def test_all_spellings_of_one_ucum_unit_have_the_same_factor(shipped: Catalog) -> None:
    factors: dict[tuple[str, str], set[Decimal | None]] = {}
    for name, _, rule in _rules(shipped):
        factors.setdefault((name, rule.ucum), set()).add(rule.factor)
    assert {key for key, values in factors.items() if len(values) > 1} == set()


def test_every_spelling_accepted_as_ucum_is_read_by_a_ucum_parser(shipped: Catalog, ucum: Any) -> None:
    spelled = {text for name, text, rule in _rules(shipped) if rule.verdict == "accept"}
    # pH is valid UCUM that this parser does not know, and the only number that needs no unit.
    for text in spelled - {"", "[pH]"}:
        assert ucum.from_ucum(text) is not None, text


@pytest.mark.parametrize(
    ("name", "unit", "factor"),
    [
        ("ca_total", "mmol/L", "4.0078"),
        ("ca_total", "meq/L", "2.0039"),  # 1 mEq/L of calcium is half a mmol/L
        ("ca_total", "mg/L", "0.1"),  # CL-11: French laboratories
        ("phosphate", "mmol/L", "3.0973762"),
        ("phosphate", "mg%", "1"),
        ("albumin", "g/L", "0.1"),
        ("creatinine", "umol/L", "0.011312"),
        ("creatinine", "µmol/L", "0.011312"),  # micro sign
        ("creatinine", "μmol/L", "0.011312"),  # Greek mu
        ("ca_p_product", "mmol2/L2", "12.41366433436"),  # 4.0078 * 3.0973762
        ("weight", "[oz_av]", "0.028349523125"),
    ],
)
def test_the_factors_of_the_clinical_rules(shipped: Catalog, name: str, unit: str, factor: str) -> None:
    rule = shipped.unit(name, unit)
    assert rule is not None
    assert rule.factor == Decimal(factor)


@pytest.mark.parametrize("unit", ["meq/L", ""])
def test_phosphate_in_meq_or_without_a_unit_is_refused(shipped: Catalog, unit: str) -> None:
    rule = shipped.unit("phosphate", unit)
    assert rule is not None
    assert (rule.verdict, rule.factor) == ("reject", None)


@pytest.mark.parametrize("unit", ["mEq/L", "g/dL", "g/L", "MG /DL", "mg/24h", "mmol/kg"])
def test_a_spelling_that_is_not_listed_means_nothing(shipped: Catalog, unit: str) -> None:
    assert shipped.unit("phosphate", unit) is None


def test_an_unknown_input_has_no_units(shipped: Catalog) -> None:
    assert shipped.unit("calcuim", "mg/dL") is None


def test_a_raw_clearance_counts_as_egfr_only_by_its_code(shipped: Catalog) -> None:
    rule = shipped.unit("egfr", "mL/min")
    assert rule is not None
    assert rule.verdict == "accept_if_code_indexed"


def test_a_fraction_is_divided_as_decimals() -> None:
    assert parse_factor("1/4.0078") == Decimal(1) / Decimal("4.0078")


@pytest.mark.parametrize("text", ["", "0", "1/0", "-1", "1e3", "1,5", "1/2/3", " 1", "Infinity", "NaN", "0.0"])
def test_what_is_not_a_positive_plain_factor_is_refused(text: str) -> None:
    assert parse_factor(text) is None


@given(value=st.decimals(min_value="0.01", max_value="1000", places=4))
def test_ionized_calcium_survives_the_way_to_mg_dl_and_back(shipped: Catalog, value: Decimal) -> None:
    there, back = shipped.unit("ca_total", "mmol/L"), shipped.unit("ca_ionized", "mg/dL")
    assert there is not None
    assert back is not None
    assert there.factor is not None
    assert back.factor is not None
    assert abs(value * there.factor * back.factor - value) < Decimal("1e-20")
