"""The reviewed content as tables for the knowledge pages, row by row as it was loaded, the site's own rows among them.

Knows: the files of mappings/ and what their columns are called.
Must not know: HTML; what a row means to the rules.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Final

from cds_service.hooks.wording.texts import RuleWords
from cds_service.hooks.wording.write import number, span
from cds_service.interchange.manifest import Limit, limits_in
from cds_service.terminology import codes, layout
from cds_service.terminology.content import SITE, Content
from cds_service.terminology.table import Layout, Row

_SOURCED: Final = "source"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. href: where it leads, "" for nowhere; kind: "code" for what is compared letter by letter."""

    text: str
    href: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """One table of the knowledge. rows: each a tuple of cells, each cell one or more links."""

    id: str
    title: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[Cell, ...], ...], ...] = field(repr=False)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The text of each row, for the search."""
        return tuple(" ".join(cell.text for cells in row for cell in cells).lower() for row in self.rows)

    def found(self, words: Sequence[str]) -> "Table":
        """Return the table with the rows that hold all words."""
        kept = [row for row, text in zip(self.rows, self.words, strict=True) if all(word in text for word in words)]
        return Table(self.id, self.title, self.about, self.columns, tuple(kept))


_ABOUT: Final[Mapping[str, str]] = {
    layout.OBSERVATIONS.file: 'Codes that are read. "accept if unit" needs a known unit; "context" is never read as '
    "the input.",
    layout.PANELS.file: "Asked for together with an input, whose result may be a component of them.",
    layout.REJECTED_OBSERVATIONS.file: "Look-alikes that must never be read as the input they resemble.",
    layout.UNITS.file: "A spelling is compared letter by letter. Units without a factor are refused, or keep their "
    "number for its own range only.",
    layout.RANGES.file: "Used only where the laboratory gives no range. Ages in years.",
    layout.CONCEPTS.file: "What the rules need of the problem list beside causes.",
    layout.DRUGS.file: "Medicines that matter, with group and roles.",
    layout.EXPANDED.file: "Diagnoses below the reviewed ones, as a terminology server listed them.",
    **{table.file: "A site's own codes." for table in layout.LOCAL},
}
_TITLES: Final[Mapping[str, str]] = {
    layout.OBSERVATIONS.file: "Result codes (LOINC)",
    layout.PANELS.file: "Panels asked for (LOINC)",
    layout.REJECTED_OBSERVATIONS.file: "Result codes that are refused (LOINC)",
    layout.UNITS.file: "Units",
    layout.RANGES.file: "Default reference ranges",
    layout.CONCEPTS.file: "Concepts",
    layout.DRUGS.file: "Medicines",
    layout.ENCOUNTERS.file: "Encounter classes and places",
    layout.ROUTES.file: "Routes (SNOMED CT)",
    layout.DOSE_UNITS.file: "Units of a dose of vitamin D",
    layout.EXPANDED.file: "Diagnoses below the reviewed ones (SNOMED CT)",
    layout.LOCAL_OBSERVATIONS.file: "Local result codes",
    layout.LOCAL_CONDITIONS.file: "Local diagnosis codes",
    layout.LOCAL_MEDICATIONS.file: "Local medicine codes",
    **{table.file: f"Specimens ({codes.SYSTEM_NAMES[system]})" for system, table in layout.SPECIMENS.items()},
    **{table.file: f"Diagnoses ({codes.SYSTEM_NAMES[system]})" for system, table in layout.FINDINGS.items()},
    **{
        table.file: f"Diagnoses that are refused ({codes.SYSTEM_NAMES[system]})"
        for system, table in layout.REJECTED_FINDINGS.items()
    },
    **{table.file: f"Medicine codes ({codes.SYSTEM_NAMES[system]})" for system, table in layout.MEDICATIONS.items()},
    **{table.file: f"Procedures ({codes.SYSTEM_NAMES[system]})" for system, table in layout.PROCEDURES.items()},
}
_LITERAL: Final = frozenset({"code", "unit", "ucum", "input", "drug", "concept", "id", "system", "looks_like"})


def tables_of(content: Content, rules: Sequence[RuleWords]) -> dict[str, Table]:
    """Return all tables by id, in the order of the page."""
    sources = frozenset(content.sources)
    made = [
        rules_table(rules, sources),
        limits_table(content),
        _file_table(
            content, layout.INPUTS, "inputs", "Inputs", "What is read of results, with plausible values.", sources
        ),
        _file_table(content, layout.CAUSES, "causes", "Causes", "An outcome is never a cause.", sources),
        *(
            _file_table(
                content, each, each.file.removesuffix(".csv"), _TITLES[each.file], _ABOUT.get(each.file, ""), sources
            )
            for each in _code_files()
            if content.of(each)
        ),
        sources_table(content),
    ]
    return {each.id: each for each in made}


def _code_files() -> Iterator[Layout]:
    yield from (layout.CONCEPTS, layout.DRUGS)
    seen: set[str] = set()
    for each in (*layout.CODE_TABLES, layout.EXPANDED, *layout.LOCAL):
        if each.file not in seen:
            seen.add(each.file)
            yield each


def rules_table(rules: Iterable[RuleWords], sources: frozenset[str]) -> Table:
    """Return each rule with its clause and sources."""
    rows = tuple(
        (
            (Cell(each.id, f"/knowledge/rules/{each.id}"),),
            (Cell(each.clause),),
            (Cell(each.basis),) if each.basis else _sources(each.sources, sources),
        )
        for each in sorted(rules, key=lambda each: each.id.partition("-")[0])  # those on orders behind the others
    )
    about = (
        "A rule whose only source is clinical-logic is our own choice. Words in brackets are filled in from the record."
    )
    return Table("rules", "Rules", about, ("rule", "what it says", "sources"), rows)


def limits_table(content: Content) -> Table:
    """Return each limit and window as it is in force, the site's own marked."""
    rows = tuple(_limit_row(each, content) for each in limits_in(content))
    columns = ("limit", "in force", "unit", "meaning", "rules", "source", "a site may set")
    return Table("limits", "Limits and windows", "Above and below mean beyond the value, not at it.", columns, rows)


def _limit_row(limit: Limit, content: Content) -> tuple[tuple[Cell, ...], ...]:
    rules = tuple(Cell(rule, f"/knowledge/rules/{rule}") for rule in limit.rules)
    return (
        (Cell(limit.name, kind="code"),),
        (Cell(in_force(limit, content)),),
        (Cell(limit.unit),),
        (Cell(limit.meaning),),
        rules,
        _sources((limit.source,), frozenset(content.sources)),
        (Cell(limit.local or "no"),),
    )


def in_force(limit: Limit, content: Content) -> str:
    """Return the value that the rules use; what a site changed says so."""
    value: Decimal | timedelta = content.criteria[limit.name]
    told = span(value) if isinstance(value, timedelta) else number(value)
    changed = f"{SITE}/criteria.toml" in content.texts and _names(content.texts[f"{SITE}/criteria.toml"], limit.name)
    return f"{told} (set by the site; shipped: {limit.value})" if changed else told


def _names(text: str, name: str) -> bool:
    return any(line.strip() == f"[{name}]" for line in text.splitlines())


def _file_table(content: Content, table: Layout, id_: str, title: str, about: str, sources: frozenset[str]) -> Table:
    columns = tuple(table.columns)
    rows = tuple(tuple(_cells(row, column, sources) for column in columns) for row in content.of(table))
    return Table(id_, title, about, tuple(column.replace("_", " ") for column in columns), rows)


def _cells(row: Row, column: str, sources: frozenset[str]) -> tuple[Cell, ...]:
    text = row.cells.get(column, "")
    if column == _SOURCED:
        return _sources(text.split("; "), sources)
    if column in ("rule", "used_by"):
        return tuple(_rule(part) for part in text.split(";"))
    return (Cell(text.replace(";", ", ") if column == "roles" else text, kind="code" if column in _LITERAL else ""),)


def _rule(text: str) -> Cell:
    word = text.strip()
    known = word.startswith("CL-") and word[3:].isdigit()
    return Cell(word, f"/knowledge/rules/{word}" if known else "")


def _sources(ids: Iterable[str], known: frozenset[str]) -> tuple[Cell, ...]:
    """Return the sources; each id leads to its entry, and what the site added says so."""
    return tuple(
        Cell(
            "added by the site" if each == SITE else each,
            f"/knowledge/sources#{each.split(':')[0]}" if each.split(":")[0] in known else "",
        )
        for each in ids
        if each
    )


def sources_table(content: Content) -> Table:
    """Return every source; a link stands only where it was printed in the material that was read."""
    rows = tuple(
        (
            (Cell(each.id, kind="id"),),
            (Cell(each.title, each.url or ""),),
            (Cell(str(each.year or "not stated")),),
            (Cell(each.kind),),
        )
        for each in sorted(content.sources.values(), key=lambda each: each.id)
    )
    about = "Everything that numbers and codes rest on. clinical-logic is our own reading where sources are silent."
    return Table("sources", "Sources", about, ("id", "title", "year", "kind"), rows)
