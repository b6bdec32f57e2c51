"""Where the numbers of a card come from: in the data of the request, derived from them by a stated formula, or a limit.

Reads the card as a person would, and the request as text; of the service it uses nothing but the tables of mappings/.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.calls import ASSESSMENT

MAPPINGS: Final = Path(__file__).parents[2] / "mappings"
CA, P = Decimal("4.0078"), Decimal("3.0974")  # mg/dL in a mmol/L
_UNIT = r"mg2/dL2|mmol2/L2|mg/dL|mmol/L|umol/L|g/dL|g/L|pg/mL|ng/mL|pmol/L|nmol/L|U/L|mL/min"
_WITH_UNIT = re.compile(rf"(?<![\w.])(\d+(?:\.\d+)?)\s?({_UNIT})(?![\w/])")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?")
_DAY = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)")
# these speak of rules and of what to do, not of this patient
_GENERAL = re.compile(r"\*\*(?:To consider|Rules that fired|Sources)\*\*.*?(?=\n\*\*|\Z)", re.DOTALL)


def strangers(request: dict[str, Any], answer: dict[str, Any]) -> list[str]:
    """Every number with a unit, and every day, on the cards that is neither in the data nor follows from them."""
    data = json.dumps(request, ensure_ascii=False)
    told = _told(data)
    found: list[str] = []
    for card in answer["cards"]:
        judgement = card.get("extension", {}).get(ASSESSMENT, {})
        derived = _derived(judgement, told)
        if derived is None:
            found.append("the product of the assessment does not follow from its members")
            continue
        text = card["summary"] + "\n" + _GENERAL.sub("", card.get("detail", ""))
        found += [
            " ".join(each) for each in _WITH_UNIT.findall(text) if not _is_known(each[0], (*told, *_limits(), *derived))
        ]
        found += [day for day in _DAY.findall(text) if day not in data]
    return found


def _told(data: str) -> frozenset[Decimal]:
    """All numbers of the request, in all scales."""
    numbers = {Decimal(each.replace(",", ".")) for each in _NUMBER.findall(data) if len(each) < 25}
    return frozenset(number * factor for number in numbers for factor in _factors() if number < 10**7)


@cache
def _factors() -> tuple[Decimal, ...]:
    found = {Decimal(1), CA, P, 1 / CA, 1 / P}
    with (MAPPINGS / "units.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["factor"]:
                above, _, below = row["factor"].partition("/")
                found.add(Decimal(above) / Decimal(below or 1))
    return tuple(found)


@cache
def _limits() -> tuple[Decimal, ...]:
    """Limits of the rules and reference ranges of the content."""
    text = (MAPPINGS / "criteria.toml").read_text("utf-8")
    found = {Decimal(each) for each in re.findall(r'value = "(\d+(?:\.\d+)?)"', text)}
    ranges = (MAPPINGS / "reference-ranges.csv").read_text("utf-8")
    found |= {Decimal(each) for each in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", ranges)}
    return tuple(number * factor for number in found for factor in (Decimal(1), 1 / CA, 1 / P, 1 / (CA * P)))


def _derived(judgement: dict[str, Any], told: frozenset[Decimal]) -> tuple[Decimal, ...] | None:
    """What follows from the numbers of the data by CL-17, CL-21 to CL-23 and CL-27; None when it does not."""
    product = judgement.get("product")
    found: list[Decimal] = []
    if product is not None:
        calcium, phosphate = _decimal(product["calcium"]["canonical"]), _decimal(product["phosphate"]["canonical"])
        if not _near(calcium * phosphate, _decimal(product["value"])) or not _among(phosphate, told):
            return None
        if product["calcium"]["kind"] == "corrected":
            albumin = _decimal(product["albumin"]["canonical"])
            total = calcium - Decimal("0.8") * (4 - albumin)
            if not (_among(albumin, told) and _among(total, told)):
                return None
            found += [calcium, total, total * phosphate, calcium / CA]
        elif not _among(calcium, told):
            return None
        found += [calcium * phosphate, calcium * phosphate / (CA * P)]
        found += [_decimal(product[name]) for name in ("measured", "corrected") if product.get(name) is not None]
    found += list(_earlier(judgement, told))
    by_input = {each["input"]: _decimal(each["canonical"]) for each in judgement.get("values", ()) if each["canonical"]}
    if {"protein_total", "albumin"} <= by_input.keys():
        found.append(by_input["protein_total"] - by_input["albumin"])  # CL-27
    return tuple(found)


def _earlier(judgement: dict[str, Any], told: frozenset[Decimal]) -> Iterator[Decimal]:
    """Products of earlier pairs: of two numbers of the data, the calcium corrected or not."""
    previous = (judgement.get("trend") or {}).get("previous") or ()
    window = [number for number in told if Decimal("0.2") < number < 40]
    for each in previous:
        value = _decimal(each["value"])
        if any(_of_two(value, phosphate, window) for phosphate in window):
            yield value
            yield value / (CA * P)


def _of_two(value: Decimal, phosphate: Decimal, window: Iterable[Decimal]) -> bool:
    calcium = value / phosphate
    return any(
        _near(calcium, number) or any(_near(calcium, number + Decimal("0.8") * (4 - albumin)) for albumin in window)
        for number in window
    )


def _decimal(number: object) -> Decimal:
    return Decimal(str(number))


def _near(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= max(Decimal("0.001"), abs(other) / 10_000)


def _among(number: Decimal, told: Iterable[Decimal]) -> bool:
    return any(_near(number, each) for each in told)


def _is_known(shown: str, known: Iterable[Decimal]) -> bool:
    """Whether a number as it is printed is one of the known ones, rounded."""
    number = Decimal(shown)
    half = Decimal(5).scaleb(-len(shown.partition(".")[2]) - 1) + Decimal("0.000001")
    return any(abs(number - each) <= half for each in known)
