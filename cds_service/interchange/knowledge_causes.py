"""The parts of docs/knowledge.md on the record: causes, concepts, their codes, medicines, procedures, places.

Knows: how a cause is recognised, and which codes state it. SNOMED CT codes and names have a page of their own, for a
site without a licence leaves them out.
Must not know: limits.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from cds_service.interchange.markdown import cell, literal, table
from cds_service.interchange.recognition import EXPOSURES, INFUSIONS, PATTERNS, PROCEDURES, is_told_otherwise
from cds_service.terminology import codes, layout
from cds_service.terminology.content import Content
from cds_service.terminology.table import Layout, Row

_FLAGS = ("raises_product", "documents_calcification", "tissue_damage")


def causes(content: Content) -> list[str]:
    """Return each cause with type, section of the article, mechanism and how it is recognised."""
    counts = _counts(content)
    return table(
        ("id", "name", "type", "section of the article", "mechanism", "rule", "recognised by", "flags", "source; note"),
        (
            (
                literal(row["id"]),
                cell(row["name"]),
                row["type"],
                cell(row["section"]),
                cell(row["mechanism"]),
                cell(row["rule"]),
                cell("; ".join(_recognised(row, counts))),
                "<br>".join(cell(flag) for flag in _FLAGS if row[flag] == "yes"),
                cell("; ".join(each for each in (row["source"], row["note"]) if each)),
            )
            for row in content.of(layout.CAUSES)
        ),
    )


def _recognised(row: Row, counts: Mapping[str, Mapping[str, Counter[bool]]]) -> Iterable[str]:
    cause = row["id"]
    for system, count in counts.get(cause, {}).items():
        yield f"{system} {count[True]}" + (f" + {count[False]} not alone" if count[False] else "")
    if cause in PATTERNS:
        yield "pattern"
    if cause in EXPOSURES:
        yield "exposure"
    if cause in INFUSIONS:
        yield "infusion beside recorded calcinosis"
    if cause in PROCEDURES:
        yield f"procedures: {', '.join(kind.replace('_', ' ') for kind in PROCEDURES[cause])}"
    if cause not in counts:
        yield f"no code: {row['no_code_reason']}"
    elif not any(count[True] for count in counts[cause].values()) and not is_told_otherwise(cause):
        yield "cannot be found by itself"


def _counts(content: Content) -> dict[str, dict[str, Counter[bool]]]:
    """Count the codes of each concept by system: those that state it alone (True), and the others."""
    found: dict[str, dict[str, Counter[bool]]] = defaultdict(lambda: defaultdict(Counter))
    for system, layout_ in (*layout.FINDINGS.items(), (codes.SNOMED, layout.EXPANDED)):
        for row in content.of(layout_):
            alone = row["specificity"] in ("exact", "narrower")
            found[row["concept"]][codes.SYSTEM_NAMES[system]][alone] += 1
    return found


def concepts(content: Content) -> list[str]:
    """Return what the rules need beside causes."""
    counts = _counts(content)
    return table(
        ("id", "name", "used by", "codes", "note"),
        (
            (
                literal(row["id"]),
                cell(row["name"]),
                cell(row["used_by"]),
                cell(", ".join(f"{name} {sum(count.values())}" for name, count in counts[row["id"]].items())) or "none",
                cell(row["note"]),
            )
            for row in content.of(layout.CONCEPTS)
        ),
    )


def finding_codes(content: Content, table_: Layout) -> list[str]:
    """Return the diagnosis codes of one file by concept."""
    rows = sorted(content.of(table_), key=lambda row: (row["concept"], row["code"]))
    return table(
        ("stands for", "code", "name", "specificity", "includes", "history", "source", "note"),
        (
            (
                literal(row["concept"]),
                row["code"],
                *_cells(row, "display", "specificity", "include", "history", "source", "note"),
            )
            for row in rows
        ),
    )


def rejected_codes(content: Content, table_: Layout) -> list[str]:
    """Return the diagnosis codes that look right and are not."""
    return table(
        ("code", "kind", "claimed for", "reason", "rule"),
        (_cells(row, "code", "kind", "claimed_for", "reason", "rule") for row in content.of(table_)),
    )


def medicines(content: Content) -> list[str]:
    """Return each medicine with group, roles and its codes outside SNOMED CT; RxNorm products by number alone."""
    by_drug: dict[tuple[str, str], list[str]] = defaultdict(list)
    for system in (codes.ATC, codes.RXNORM):
        for row in content.of(layout.MEDICATIONS[system]):
            aside = " (not systemic)" if row.cells.get("route") == "other" else ""
            by_drug[row["drug"], system].append(row["code"] + aside)
    return table(
        ("medicine", "name", "group", "roles", "ATC", "RxNorm", "note"),
        (
            (
                literal(row["drug"]),
                cell(row["name"]),
                literal(row["group"]),
                cell(row["roles"].replace(";", ", ")),
                " ".join(by_drug[row["drug"], codes.ATC]),
                " ".join(by_drug[row["drug"], codes.RXNORM]),
                cell(row["note"]),
            )
            for row in content.of(layout.DRUGS)
        ),
    )


def rows_of(content: Content, table_: Layout, *columns: str) -> list[str]:
    """Return a file as it is, with these columns."""
    return table(
        [column.replace("_", " ") for column in columns], (_cells(row, *columns) for row in content.of(table_))
    )


def _cells(row: Row, *columns: str) -> tuple[str, ...]:
    return tuple(cell(row[column]) for column in columns)
