"""Whether the tables fit together: every number has a unit, every id a code, every unit converts.

Knows: what the rules need of the content as a whole. Rows of a site are held to the same.
Must not know: any code.
"""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from cds_service.terminology import layout
from cds_service.terminology.codes import SNOMED
from cds_service.terminology.content import SITE, Content
from cds_service.terminology.table import Problems, Row
from cds_service.terminology.units import CONVERTS, parse_factor


def check_coherence(content: Content, problems: Problems) -> None:
    """Note all that does not fit together in the shipped content."""
    _check_inputs(content, problems)
    _check_units(content, content.of(layout.UNITS), problems, layout.UNITS.file)
    _check_observations(content, content.of(layout.OBSERVATIONS), problems, layout.OBSERVATIONS.file)
    _check_look_alikes(content, problems)
    _check_expansion(content, problems)
    _check_ranges(content, problems)
    _check_ids(content, problems)
    if not content.left_out:
        _check_coverage(content, problems)


def check_site(content: Content, shipped: dict[str, int], problems: Problems) -> None:
    """Note what does not fit among the rows that a site added; `shipped` counts the rows of each file before."""
    for table, check in ((layout.UNITS, _check_units), (layout.OBSERVATIONS, _check_observations)):
        check(content, content.of(table)[shipped.get(table.file, 0) :], problems, f"{SITE}/{table.file}")
    local = layout.LOCAL_OBSERVATIONS
    _check_observations(content, content.of(local), problems, f"{SITE}/{local.file}")


def _check_inputs(content: Content, problems: Problems) -> None:
    file, units = layout.INPUTS.file, _factors(content)
    for row in content.of(layout.INPUTS):
        unit = row["canonical_unit"]
        if not unit:
            if row["low"] or row["high"]:
                problems.add(file, row.line, "canonical_unit", "bounds without a unit")
            if not row["note"]:
                problems.add(file, row.line, "note", "does not say why there is no unit")
            continue
        if units.get((row["input"], unit)) != 1:
            problems.add(file, row.line, "canonical_unit", f"{unit!r} has no row with factor 1 in {layout.UNITS.file}")
        if not _rising(row["low"], row["high"]):
            problems.add(file, row.line, "low", f"{row['low']} is not below {row['high']}")


def _check_units(content: Content, rows: Iterable[Row], problems: Problems, file: str) -> None:
    canonical = {row["input"]: row["canonical_unit"] for row in content.of(layout.INPUTS)}
    for row in rows:
        if row["verdict"] not in CONVERTS:
            if row["factor"]:
                problems.add(file, row.line, "factor", f"a unit with verdict {row['verdict']} has no factor")
            continue
        for column in ("factor", "ucum"):
            if not row[column]:
                problems.add(file, row.line, column, "is empty")
        if not canonical.get(row["input"], ""):
            problems.add(file, row.line, "input", f"{row['input']} has no canonical unit to convert to")


def _check_observations(content: Content, rows: Iterable[Row], problems: Problems, file: str) -> None:
    units = {(row["input"], row["unit"]) for row in content.of(layout.UNITS)}
    ranks: set[tuple[str, str]] = set()
    for row in rows:
        if row["unit"] and (row["input"], row["unit"]) not in units:
            problems.add(file, row.line, "unit", f"{row['unit']!r} of {row['input']} is not in {layout.UNITS.file}")
        if "rank" in row.cells:
            rank = (row["input"], row["rank"])
            if rank in ranks:
                problems.add(file, row.line, "rank", f"{row['rank']} of {row['input']} is taken above")
            ranks.add(rank)


def _check_look_alikes(content: Content, problems: Problems) -> None:
    for accepted, rejected in layout.REJECTIONS.items():
        codes = {row["code"] for row in content.rows.get(accepted, ())}
        for row in content.of(rejected):
            if row["code"] in codes:
                problems.add(rejected.file, row.line, "code", f"{row['code']} is accepted in {accepted}")


def _check_expansion(content: Content, problems: Problems) -> None:
    """A reviewed row speaks for its code; expanded rows come from one edition and lie below reviewed ones."""
    reviewed = {row["code"] for row in content.of(layout.FINDINGS[SNOMED])}
    editions: set[str] = set()
    for row in content.of(layout.EXPANDED):
        if row["code"] in reviewed:
            text = f"{row['code']} is in the reviewed file already: expand anew"
            problems.add(layout.EXPANDED.file, row.line, "code", text)
        editions.add(row["source"])
        if len(editions) > 1:
            problems.add(layout.EXPANDED.file, row.line, "source", "rows come from different editions; expand anew")
            return


def _check_ranges(content: Content, problems: Problems) -> None:
    file = layout.RANGES.file
    canonical = {row["input"]: row["canonical_unit"] for row in content.of(layout.INPUTS)}
    bands: dict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for row in content.of(layout.RANGES):
        name = row["input"]
        if row["unit"] != canonical.get(name):
            problems.add(file, row.line, "unit", f"{row['unit']!r} is not the canonical unit {canonical.get(name)!r}")
        if not row["low"] and not row["high"]:
            problems.add(file, row.line, "low", "low and high are both empty")
        if not _rising(row["low"], row["high"]):
            problems.add(file, row.line, "low", f"{row['low']} is not below {row['high']}")
        start, end = _number(row["age_from_years"]), _number(row["age_below_years"])
        if start is None or end is None:
            continue
        if start >= end:
            problems.add(file, row.line, "age_from_years", f"{start} is not below {end}")
        elif any(start < other_end and other_start < end for other_start, other_end in bands[name]):
            problems.add(file, row.line, "age_from_years", f"{start} to {end} overlaps a range of {name} above")
        bands[name].append((start, end))


def _check_ids(content: Content, problems: Problems) -> None:
    causes = {row["id"] for row in content.of(layout.CAUSES)}
    for row in content.of(layout.CONCEPTS):
        if row["id"] in causes:
            problems.add(layout.CONCEPTS.file, row.line, "id", f"{row['id']} is a cause already")


def _check_coverage(content: Content, problems: Problems) -> None:
    """Every input, cause, concept, medicine and group is reachable by some code, or says why not."""
    stated = {row["concept"] for table in layout.FINDINGS.values() for row in content.of(table)}
    coded = {row["drug"] for table in layout.MEDICATIONS.values() for row in content.of(table)}
    read = {row["input"] for row in content.of(layout.OBSERVATIONS)}
    grouped = {row["prefetch_group"] for row in content.of(layout.INPUTS)}
    for table, reached, remark in (
        (layout.INPUTS, read, "note"),
        (layout.CAUSES, stated, "no_code_reason"),
        (layout.CONCEPTS, stated, "note"),
        (layout.DRUGS, coded, "note"),
        (layout.PREFETCH_GROUPS, grouped, ""),
    ):
        column = table.key[0]
        for row in content.of(table):
            if row[column] in reached or (remark and row[remark]):
                continue
            why = f" and no {remark} that says why" if remark else ""
            problems.add(table.file, row.line, column, f"{row[column]} has no code{why}")


def _factors(content: Content) -> dict[tuple[str, str], Decimal | None]:
    return {(row["input"], row["unit"]): parse_factor(row["factor"]) for row in content.of(layout.UNITS)}


def _number(text: str) -> Decimal | None:
    return parse_factor(text) if text.strip("0.") else Decimal(0) if text else None


def _rising(low: str, high: str) -> bool:
    below, above = _number(low), _number(high)
    return below is None or above is None or below < above
