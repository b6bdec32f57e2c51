"""Where the numbers of a card come from: in the data of the request, derived from them by a stated formula, or a limit.

Reads the card as a person would, and the request as text; of the service it uses nothing but the tables of mappings/.
"""

import csv
import json
import re
from bisect import bisect_left
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.calls import ASSESSMENT

MAPPINGS: Final = Path(__file__).parents[2] / "mappings"
CA, P = 4.0078, 3.0974  # mg/dL in a mmol/L
_UNIT = r"mg2/dL2|mmol2/L2|mg/dL|mmol/L|umol/L|g/dL|g/L|pg/mL|ng/mL|pmol/L|nmol/L|U/L|mL/min"
_WITH_UNIT = re.compile(rf"(?<![\w.])(\d+(?:\.\d+)?)\s?({_UNIT})(?![\w/])")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?")
_DAY = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)")
# these speak of rules and of what to do, not of this patient
_GENERAL = re.compile(r"\*\*(?:To consider|Rules that fired|Sources)\*\*.*?(?=\n\*\*|\Z)", re.DOTALL)


def strangers(request: dict[str, Any], answer: dict[str, Any]) -> list[str]:
    """Every number with a unit, and every day, on the cards that is neither in the data nor follows from them."""
    if not answer["cards"]:
        return []
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
            " ".join(each) for each in _WITH_UNIT.findall(text) if not _is_known(each[0], (told, _limits(), derived))
        ]
        found += [day for day in _DAY.findall(text) if day not in data]
    return found


class Numbers:
    """Numbers in order, to be found within a tolerance."""

    def __init__(self, numbers: Iterable[float]) -> None:
        self._sorted = sorted(set(numbers))

    def has(self, number: float, tolerance: float | None = None) -> bool:
        """Whether one of them lies within the tolerance; without one, within a rounding of the answer."""
        away = max(0.001, abs(number) / 10_000) if tolerance is None else tolerance
        place = bisect_left(self._sorted, number - away)
        return place < len(self._sorted) and self._sorted[place] <= number + away

    def within(self, low: float, high: float) -> list[float]:
        return self._sorted[bisect_left(self._sorted, low) : bisect_left(self._sorted, high)]


def _told(data: str) -> Numbers:
    """All numbers of the request, in all scales."""
    numbers = {float(each.replace(",", ".")) for each in _NUMBER.findall(data) if len(each) < 25}
    return Numbers(number * factor for number in numbers for factor in _factors() if number < 1e7)


@cache
def _factors() -> tuple[float, ...]:
    found = {1.0, CA, P, 1 / CA, 1 / P}
    with (MAPPINGS / "units.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["factor"]:
                above, _, below = row["factor"].partition("/")
                found.add(float(above) / float(below or 1))
    return tuple(found)


@cache
def _limits() -> Numbers:
    """Limits of the rules and reference ranges of the content."""
    text = (MAPPINGS / "criteria.toml").read_text("utf-8")
    found = {float(each) for each in re.findall(r'value = "(\d+(?:\.\d+)?)"', text)}
    ranges = (MAPPINGS / "reference-ranges.csv").read_text("utf-8")
    found |= {float(each) for each in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", ranges)}
    return Numbers(number * factor for number in found for factor in (1, 1 / CA, 1 / P, 1 / (CA * P)))


def _derived(judgement: dict[str, Any], told: Numbers) -> Numbers | None:
    """What follows from the numbers of the data by CL-17, CL-21 to CL-23 and CL-27; None when it does not."""
    product = judgement.get("product")
    found: list[float] = []
    if product is not None:
        calcium, phosphate = float(product["calcium"]["canonical"]), float(product["phosphate"]["canonical"])
        if not Numbers([calcium * phosphate]).has(float(product["value"])) or not told.has(phosphate):
            return None
        if product["calcium"]["kind"] == "corrected":
            albumin = float(product["albumin"]["canonical"])
            total = calcium - 0.8 * (4 - albumin)
            if not (told.has(albumin) and told.has(total)):
                return None
            found += [calcium, total, total * phosphate, calcium / CA]
        elif not told.has(calcium):
            return None
        found += [calcium * phosphate, calcium * phosphate / (CA * P)]
        found += [float(product[name]) for name in ("measured", "corrected") if product.get(name) is not None]
    found += _earlier(judgement, told)
    by_input = {each["input"]: float(each["canonical"]) for each in judgement.get("values", ()) if each["canonical"]}
    if {"protein_total", "albumin"} <= by_input.keys():
        found.append(by_input["protein_total"] - by_input["albumin"])  # CL-27
    return Numbers(found)


def _earlier(judgement: dict[str, Any], told: Numbers) -> list[float]:
    """Products of earlier pairs: of two numbers of the data, the calcium corrected or not."""
    found: list[float] = []
    for each in (judgement.get("trend") or {}).get("previous") or ():
        value = float(each["value"])
        shares = [value / phosphate for phosphate in told.within(0.2, 40)]
        albumins = [4.0, *told.within(0.4, 4)]
        if any(told.has(calcium - 0.8 * (4 - albumin)) for calcium in shares for albumin in albumins):
            found += [value, value / (CA * P)]
    return found


def _is_known(shown: str, known: Iterable[Numbers]) -> bool:
    """Whether a number as it is printed is one of the known ones, rounded."""
    half = 0.5 * 10 ** -len(shown.partition(".")[2]) + 1e-6
    return any(each.has(float(shown), half) for each in known)
