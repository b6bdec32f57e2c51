"""The parts of docs/knowledge.md on results: inputs, codes, units, ranges, look-alikes, limits, rules.

Knows: the tables of results and limits.
Must not know: causes, medicines.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cds_service.interchange.manifest import limits_in
from cds_service.interchange.markdown import cell, literal, table
from cds_service.terminology import layout
from cds_service.terminology.content import Content
from cds_service.terminology.table import Layout, Row


class RuleText(NamedTuple):
    """What a rule says, with the limits put in, and the sources it rests on, as words."""

    id: str
    clause: str
    sources: str


def inputs(content: Content) -> list[str]:
    """Return each input with unit, plausible values, default ranges and its LOINC codes."""
    ranges, codes = _by(content.of(layout.RANGES), "input"), _by(content.of(layout.OBSERVATIONS), "input")
    return table(
        ("input", "name", "unit", "plausible", "default ranges by age in years", "LOINC codes, the usual one first"),
        (
            (
                literal(row["input"]),
                cell(row["name"]),
                literal(row["canonical_unit"]) if row["canonical_unit"] else "none",
                _span(row["low"], row["high"]),
                "<br>".join(map(_range, ranges[row["input"]])),
                "<br>".join(_codes(codes[row["input"]])) or cell(row["note"]),
            )
            for row in content.of(layout.INPUTS)
        ),
    )


def _codes(rows: Sequence[Row]) -> Iterable[str]:
    """The codes by status, in the order in which they are asked for."""
    for status in layout.STATUSES:
        found = sorted((row for row in rows if row["status"] == status), key=lambda row: int(row["rank"]))
        if found:
            yield f"{cell(status)}: {' '.join(row['code'] for row in found)}"


def _range(row: Row) -> str:
    ages = f"{row['age_from_years']} to under {row['age_below_years']}"
    note = f", {row['note']}" if row["note"] else ""
    return f"{ages}: {_span(row['low'], row['high'])} ({cell(row['source'] + note)})"


def _span(low: str, high: str) -> str:
    if low and high:
        return f"{low} to {high}"
    return f"from {low}" if low else f"up to {high}" if high else "not known"


def observation_codes(content: Content) -> list[str]:
    """Return each LOINC code with its name, unit hint and source."""
    return table(
        ("code", "name", "input", "status", "unit", "source", "note"),
        (
            (
                row["code"],
                cell(row["display"]),
                literal(row["input"]),
                cell(row["status"]),
                literal(row["unit"]) if row["unit"] else "",
                cell(row["source"]),
                cell(row["note"]),
            )
            for row in content.of(layout.OBSERVATIONS)
        ),
    )


def look_alikes(content: Content) -> list[str]:
    """Return the codes that are refused, by the input that they resemble and the reason."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in content.of(layout.REJECTED_OBSERVATIONS):
        groups[row["looks_like"], row["reason"]].append(row["code"])
    return table(
        ("resembles", "refused because", "LOINC codes"),
        ((literal(name), cell(reason), " ".join(found)) for (name, reason), found in sorted(groups.items())),
    )


def units(content: Content) -> list[str]:
    """Return each spelling of a unit, spellings of one meaning in one row."""
    groups: dict[tuple[str, str, str, str], list[Row]] = defaultdict(list)
    for row in content.of(layout.UNITS):
        groups[row["input"], row["verdict"], row["ucum"], row["factor"]].append(row)
    return table(
        ("input", "verdict", "UCUM", "factor to the unit of the input", "spellings", "source"),
        (
            (
                literal(name),
                cell(verdict),
                literal(ucum) if ucum else "",
                cell(factor),
                " ".join(literal(row["unit"]) if row["unit"] else "(no unit)" for row in rows),
                cell("; ".join(sorted({source for row in rows for source in row["source"].split("; ")}))),
            )
            for (name, verdict, ucum, factor), rows in groups.items()
        ),
    )


def specimens(content: Content, tables: Iterable[Layout]) -> list[str]:
    """Return specimen types, additives and timing qualifiers by verdict."""
    return table(
        ("code", "name", "verdict", "reason", "source"),
        (
            tuple(cell(row[column]) for column in ("code", "display", "verdict", "reason", "source"))
            for each in tables
            for row in content.of(each)
        ),
    )


def limits(content: Content) -> list[str]:
    """Return each limit and window with unit, meaning, rules and source."""
    return table(
        ("name", "value", "unit", "meaning", "rules", "source", "a site may set"),
        (
            (
                literal(each.name),
                each.value,
                cell(each.unit),
                cell(each.meaning),
                ", ".join(each.rules),
                cell(each.source),
                each.local or "no",
            )
            for each in limits_in(content)
        ),
    )


def rules(texts: Iterable[RuleText]) -> list[str]:
    """Return each rule with its clause and sources."""
    return table(("rule", "clause", "sources"), ((text.id, cell(text.clause), cell(text.sources)) for text in texts))


def _by(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[column]].append(row)
    return groups
