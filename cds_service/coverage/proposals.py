"""Candidates for rows of the site's own mapping folder, for a person to look up, confirm or strike out.

Knows: the columns of the local files, what a name, a unit or the form of a code suggests.
Must not know: whether a suggestion is right. Each row holds "proposed" in a column that allows a few other words only,
so that the service refuses to start with a row that nobody has confirmed.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cds_service.calcinosis.names import Input
from cds_service.coverage.tally import ANALYTES, Coded, Likeness, Tally
from cds_service.fhir.shapes import Quantity
from cds_service.fhir.values import Unit
from cds_service.fhir.vocabulary import vocabulary_of
from cds_service.terminology import codes
from cds_service.terminology.catalog import Catalog, FindingCode
from cds_service.terminology.layout import LOCAL_CONDITIONS, LOCAL_MEDICATIONS, LOCAL_OBSERVATIONS

PROPOSED: Final = "proposed"
_IONIZED = re.compile(r"ioni[sz]ed|\bfree\b|\bion\b", re.IGNORECASE)
_ADJUSTED = re.compile(r"correct|adjust", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One row. cells: in the order of the file's columns; count: how often the code was seen; why: in a few words."""

    file: str
    cells: tuple[str, ...]
    count: int
    why: str


def proposals(tally: Tally, catalog: Catalog, smallest: int) -> list[Proposal]:
    """Return the candidates, the most frequent first; codes that were seen less often than `smallest` are left out."""
    found = [
        *(_result(code, likeness, catalog) for code, likeness in tally.alike.items()),
        *(each for code, count in tally.unmapped["Condition"].items() for each in _condition(code, count, catalog)),
        *(each for code, count in tally.unmapped["Medication"].items() for each in _medicine(code, count, catalog)),
    ]
    usable = [each for each in found if each.count >= smallest and each.cells[0] and each.cells[1]]
    return sorted(usable, key=lambda each: (-each.count, each.file, each.cells))


def as_csv(found: Iterable[Proposal]) -> dict[str, str]:
    """Return the proposed rows as files in the format of the local folder, by file name."""
    rows: dict[str, list[tuple[str, ...]]] = {}
    for each in found:
        rows.setdefault(each.file, []).append(each.cells)
    texts = {}
    for layout in (LOCAL_OBSERVATIONS, LOCAL_CONDITIONS, LOCAL_MEDICATIONS):
        if layout.file in rows:
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(layout.columns)
            writer.writerows(sorted(rows[layout.file]))
            texts[layout.file] = text.getvalue()
    return texts


def _result(code: Coded, likeness: Likeness, catalog: Catalog) -> Proposal:
    """system,code,display,input,unit,status,note"""
    name = _input(likeness.analyte, code[2])
    units = vocabulary_of(catalog).units
    fitting = {text: units.of(name, Quantity(unit=text)) for text in likeness.units if text}
    usable = {text: unit for text, unit in fitting.items() if isinstance(unit, Unit)}
    usual = max(usable, key=lambda text: likeness.units[text], default=None)
    share = sum(likeness.units[text] for text in usable) * 100 // likeness.count
    why = f"name sounds like {likeness.analyte}; {share} % of its results have a unit of it"
    unit = usable[usual].ucum if usual is not None else ""
    return Proposal(
        LOCAL_OBSERVATIONS.file, (*code, name, unit, PROPOSED, _note(why, likeness.count)), likeness.count, why
    )


def _input(analyte: str, display: str) -> str:
    if analyte == "calcium" and _IONIZED.search(display):
        return Input.IONIZED_CALCIUM
    if analyte == "calcium" and _ADJUSTED.search(display):
        return Input.ADJUSTED_CALCIUM
    return str(ANALYTES[analyte][0])


def _condition(code: Coded, count: int, catalog: Catalog) -> Iterator[Proposal]:
    """system,code,display,concept,include,history,specificity,note"""
    for system in (codes.ICD10CM, codes.ICD9CM):
        rows: Sequence[FindingCode] = catalog.findings(system, code[1]) if len(code[1]) >= 3 else ()
        if rows:
            for row in rows:
                why = f"reads like {row.code}, {row.display}: {row.specificity}"
                history = "any" if row.history_counts else "active"
                cells = (*code, row.concept, "self", history, PROPOSED, _note(why, count))
                yield Proposal(LOCAL_CONDITIONS.file, cells, count, why)
            return


def _medicine(code: Coded, count: int, catalog: Catalog) -> Iterator[Proposal]:
    """system,code,display,drug,route,note"""
    words = set(re.findall(r"[a-z]{5,}", code[2].lower()))
    for drug in catalog.drugs.values():
        name = drug.name.lower()
        if name in words or (" " in name and name in code[2].lower()):
            why = f"name holds {drug.name}"
            cells = (*code, drug.id, PROPOSED, _note(why, count))
            yield Proposal(LOCAL_MEDICATIONS.file, cells, count, why)


def _note(why: str, count: int) -> str:
    return f"PROPOSED, not confirmed: {why}; seen {count} times"
