"""The tables of the report: groups, causes and rules, gaps, what-if; masked.

Knows: what each table counts and how it is ordered.
Must not know: layout (report.html.j2).
"""

from typing import Any, Final

from cds_service.fhir import parts
from cds_service.fhir.labels import NOTHING
from cds_service.fhir.vocabulary import vocabulary_of
from cds_service.hooks.wording.texts import rule_words
from cds_service.screen import charts
from cds_service.screen.found import OTHER_CODES
from cds_service.screen.masking import hidden
from cds_service.screen.numbers import MOST_ROWS, TIERS, Numbers, limits_of, rate_of, small_of, tier_cells
from cds_service.screen.tally import Cell
from cds_service.screen.whatif import CRITICAL, LIMITS, WARNING

REASONS: Final = {
    "missing": "nothing there",
    "stale": "only old values",
    "refused": "unit, value or specimen refused",
    "unreadable": "not a number, or no usable date",
    "pending": "preliminary",
    "not-fetched": "not in the export",
}

# what stands for a code where none can be told
_WITHOUT: Final = (("no code", ""), ("rarer codes", "together"))


def worth(n: Numbers, name: str) -> bool:
    """A table of wards is left out where no ward is told."""
    groups = {key[0] for key, _ in n.tally.below("by", name)}
    return bool(groups) and not (name == "ward" and groups <= {"not told", "no visit"})


def group(n: Numbers, name: str, title: str) -> dict[str, Any]:
    sums: dict[str, int] = {}
    for key, cell in n.tally.below("by", name):
        sums[key[0]] = sums.get(key[0], 0) + cell.count
    order = sorted(sums, key=lambda group: -sums[group])
    kept, rest = order[:MOST_ROWS], len(order[MOST_ROWS:])
    cells = [tier_cells(n, "by", name, group) for group in kept]
    mask = hidden(cells, n.choices.smallest_cell)
    rows = []
    for group, held, small in zip(kept, cells, mask, strict=True):
        total = sum(cell.count for cell in held)
        few = max(cell.patients for cell in held) < n.choices.smallest_cell
        shown = [n.tally.of("by-shown", name, group, tier) for tier in TIERS]
        rows.append(
            {
                "group": group if name != "ward" or not few else "a ward with few patients",
                "openings": None if few else total,
                "rates": [
                    rate_of(cell, total, small=hide or few) for cell, hide in zip(held[:3], small[:3], strict=True)
                ],
                "shown": [
                    rate_of(cell, total, small=hide or few or small_of(n, cell))
                    for cell, hide in zip(shown, small[:3], strict=True)
                ],
            }
        )
    return {"title": title, "rows": rows, "rest": rest}


def ranking(n: Numbers, name: str, openings: int) -> dict[str, Any]:
    """Causes or rules by the number of cards that name them."""
    words = {text.id: text.clause for text in rule_words(n.catalog.knowledge.criteria)} if name == "rule" else {}
    held: dict[str, list[Cell]] = {}
    for key, _ in n.tally.below(name):
        held[key[0]] = [n.tally.of(name, key[0], tier) for tier in TIERS]
    order = sorted(held, key=lambda each: -sum(cell.count for cell in held[each]))
    mask = hidden([held[each] for each in order], n.choices.smallest_cell)
    rows = [
        {
            "name": each,
            "words": words.get(each, ""),
            "cells": [None if hide else cell.count for cell, hide in zip(held[each], small, strict=True)],
            "rate": None if any(small) else 100 * sum(cell.count for cell in held[each]) / (openings or 1),
        }
        for each, small in zip(order, mask, strict=True)
    ]
    return {"rows": rows[:MOST_ROWS], "rest": len(rows[MOST_ROWS:])}


# ---- gaps


def gaps(n: Numbers, openings: int) -> dict[str, Any]:
    reasons = [reason for reason in REASONS if any(key[1] == reason for key, _ in n.tally.below("gap"))]
    inputs = sorted({key[0] for key, _ in n.tally.below("gap")})
    cells = {name: [n.tally.of("gap", name, reason) for reason in reasons] for name in inputs}
    order = sorted(inputs, key=lambda name: -sum(cell.count for cell in cells[name]))
    known = n.catalog.inputs
    rows = [
        {
            "name": known[name].name if name in known else name.replace("ca_p_product", "calcium-phosphate product"),
            "rates": [rate_of(cell, openings, small=small_of(n, cell)) for cell in cells[name]],
            "smalls": [small_of(n, cell) for cell in cells[name]],
        }
        for name in order[:MOST_ROWS]
    ]
    return {"reasons": [REASONS[reason] for reason in reasons], "rows": rows}


def unmapped(n: Numbers) -> list[dict[str, Any]]:
    """The codes of Observations that nobody reads: first those whose name sounds like calcium or phosphate."""
    labels = vocabulary_of(n.catalog).labels
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for data, count in n.found.unmapped.items():
        if count < max(1, n.choices.smallest_cell):
            continue
        concept = parts.concept(data) if data != OTHER_CODES else None
        codings = [coding for coding in (concept.coding or ()) if coding.code] if concept is not None else []
        first = codings[0] if codings else None
        key = ((first.code or ""), first.system or "no system") if first is not None else _WITHOUT[data == OTHER_CODES]
        row = merged.setdefault(key, {"code": key[0], "system": key[1], "display": "", "count": 0, "telling": False})
        row["display"] = row["display"] or ((first.display or "")[:80] if first is not None else "")
        row["count"] += count
        row["telling"] = row["telling"] or labels.seen.get(data, NOTHING).unmapped is not None
    return sorted(merged.values(), key=lambda each: (not each["telling"], -each["count"]))[:20]


def units(n: Numbers) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "analyte": name_of(n, key[0]),
            "unit": key[1],
            "count": None if small_of(n, cell) else cell.count,
            "of": cell.count,
        }
        for key, cell in n.tally.below("refused")
    ]
    return sorted(rows, key=lambda row: -row["of"])[:MOST_ROWS]


def name_of(n: Numbers, name: str) -> str:
    return n.catalog.inputs[name].name if name in n.catalog.inputs else name


# ---- what if


def what_if(n: Numbers, which: str, openings: int) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for limit in LIMITS:
        cells = tier_cells(n, "what-if", which, str(limit))
        mask = hidden([cells], n.choices.smallest_cell)[0]
        shown = [n.tally.of("what-if-shown", which, str(limit), tier) for tier in TIERS]
        rows.append(
            {
                "limit": limit,
                "rates": [
                    rate_of(cell, openings, small=small) for cell, small in zip(cells[:3], mask[:3], strict=True)
                ],
                "shown": [
                    rate_of(cell, openings, small=small or small_of(n, cell))
                    for cell, small in zip(shown, mask[:3], strict=True)
                ],
            }
        )
    now = dict(zip((WARNING, CRITICAL), limits_of(n), strict=True))[which]
    series = [
        (str(tier), [(float(row["limit"]), row["rates"][place]) for row in rows]) for place, tier in enumerate(TIERS)
    ]
    chart = charts.lines(
        series,
        float(now),
        f"Cards per 100 openings by {which} limit",
        f"{which} limit, mg\u00b2/dL\u00b2",
        "cards per 100",
    )
    return {"which": which, "rows": rows, "now": now, "chart": chart}
