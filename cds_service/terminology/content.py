"""Reading a folder of reviewed content: all rows, all values, all problems.

Knows: the order in which the files refer to each other, and what a site folder may add or set.
Must not know: what the rows are used for.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from cds_service.terminology import layout
from cds_service.terminology.catalog import Source
from cds_service.terminology.codes import SNOMED
from cds_service.terminology.criteria import (
    CRITERIA_FILE,
    MANIFEST_FILE,
    SOURCES_FILE,
    read_criteria,
    read_local_criteria,
    read_sources,
    read_version,
)
from cds_service.terminology.table import Layout, Problems, Row, parse_table, read_text

README: Final = "README.md"
SITE: Final = "local"


@dataclass(slots=True)
class Content:
    """The rows of each file and the values of the TOML files. left_out: files that the folder does not have."""

    version: str = ""
    rows: dict[str, list[Row]] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    criteria: dict[str, Decimal | timedelta] = field(default_factory=dict)
    bounds: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    known: dict[str, frozenset[str]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)

    def of(self, table: Layout) -> list[Row]:
        """Return the rows of a file."""
        return self.rows.get(table.file, [])

    def digest(self) -> str:
        """Return the fingerprint of all files read: names and texts, without byte order marks and carriage returns."""
        state = hashlib.sha256()
        for name, text in sorted(self.texts.items()):
            state.update(f"{name}\0{text}\0".encode())
        return f"sha256:{state.hexdigest()}"


def read_content(directory: Path, problems: Problems) -> Content:
    """Read the shipped content."""
    content = Content()
    content.sources = read_sources(_text(directory, SOURCES_FILE, content, problems), problems)
    content.known["source"] = frozenset(content.sources)
    ids: dict[str, frozenset[str]] = {}
    for table in layout.VOCABULARY:
        _read_table(directory, table, content, problems)
        ids[table.file] = frozenset(row[table.key[0]] for row in content.of(table))
        content.known |= {
            "group": ids.get(layout.PREFETCH_GROUPS.file, frozenset()),
            "input": ids.get(layout.INPUTS.file, frozenset()),
            "concept": ids.get(layout.CAUSES.file, frozenset()) | ids.get(layout.CONCEPTS.file, frozenset()),
            "drug": ids.get(layout.DRUGS.file, frozenset()),
        }
    for table in layout.CODE_TABLES:
        _read_table(directory, table, content, problems)
    if (directory / layout.EXPANDED.file).exists():
        _read_table(directory, layout.EXPANDED, content, problems)
    criteria = _text(directory, CRITERIA_FILE, content, problems)
    content.criteria, content.bounds = read_criteria(criteria, content.known["source"], problems)
    content.version = read_version(_text(directory, MANIFEST_FILE, content, problems), problems)
    tables = (table.file for table in (*layout.VOCABULARY, *layout.CODE_TABLES, layout.EXPANDED))
    _check_names(directory, {SOURCES_FILE, CRITERIA_FILE, MANIFEST_FILE, README, *tables}, problems, prefix="")
    return content


def _text(directory: Path, name: str, content: Content, problems: Problems) -> str:
    text = read_text(directory / name, problems, name=name)
    if text is None:
        return ""
    content.texts[name] = text
    return text


def _read_table(directory: Path, table: Layout, content: Content, problems: Problems) -> None:
    if not table.vital and not (directory / table.file).exists():
        content.left_out.add(table.file)
        return
    text = read_text(directory / table.file, problems, name=table.file)
    if text is not None:
        content.texts[table.file] = text
        content.rows[table.file] = parse_table(text, table, content.known, problems, name=table.file)


def _check_names(directory: Path, expected: Iterable[str], problems: Problems, *, prefix: str) -> None:
    known = frozenset(expected)
    for path in sorted(directory.glob("*")):
        if path.name not in known and not path.name.startswith("."):
            problems.add(prefix + path.name, 0, "file", "is not a file of the content")


# ---- the folder of a site


def add_site(directory: Path, content: Content, problems: Problems) -> None:
    """Add the codes and limits of a site to the shipped content; a shipped code keeps its meaning."""
    if not directory.is_dir():
        problems.add(str(directory), 0, "file", "is not a folder")
        return
    names = {table.file for table in (*layout.ADDABLE, *layout.LOCAL)}
    _check_names(directory, {*names, CRITERIA_FILE, README}, problems, prefix=f"{SITE}/")
    known = content.known | {"source": content.known["source"] | {SITE}}
    for table in (*layout.ADDABLE, *layout.LOCAL):
        if not (directory / table.file).exists():
            continue
        name = f"{SITE}/{table.file}"
        text = read_text(directory / table.file, problems, name=name)
        if text is None:
            continue
        content.texts[name] = text
        rows = parse_table(text, table, known, problems, name=name)
        _check_additions(rows, table, content, problems, name=name)
        content.rows[table.file] = [*content.of(table), *rows]
    _set_limits(directory, content, problems)


def _check_additions(rows: list[Row], table: Layout, content: Content, problems: Problems, *, name: str) -> None:
    shipped = {_identity(row, each) for each in _same_codes(table) for row in content.of(each)}
    shipped |= _rejected(content, table)
    below = tuple(code for code, *_ in shipped) if table in layout.ICD_FINDINGS else ()
    for row in rows:
        code = " ".join(_identity(row, table)).strip()
        if _identity(row, table) in shipped:
            problems.add(name, row.line, table.key[-1], f"{code} is shipped already: a site adds, it never redefines")
        elif row.cells.get("include") == "descendants" and any(each.startswith(code) for each in below):
            problems.add(name, row.line, "include", f"shipped codes begin with {code}: a site adds, it never redefines")


def _identity(row: Row, table: Layout) -> tuple[str, ...]:
    """Return what a site must not repeat: the code, whatever it would stand for; of a unit, input and spelling."""
    return tuple(row[column] for column in table.key if column not in ("concept", "drug"))


def _same_codes(table: Layout) -> tuple[Layout, ...]:
    """Return the files that share the codes of a file: one code stands in one of them only."""
    pair = (layout.FINDINGS[SNOMED], layout.EXPANDED)
    return pair if table in pair else (table,)


def _rejected(content: Content, table: Layout) -> set[tuple[str, ...]]:
    """Return the codes that were turned down; those that were only not looked up yet are a site's to look up."""
    rejections = layout.REJECTIONS.get(table.file)
    rows = content.of(rejections) if rejections is not None else ()
    return {(row["code"],) for row in rows if row.cells["reason"] != layout.NOT_VERIFIED}


def _set_limits(directory: Path, content: Content, problems: Problems) -> None:
    if not (directory / CRITERIA_FILE).exists():
        return
    name = f"{SITE}/{CRITERIA_FILE}"
    text = read_text(directory / CRITERIA_FILE, problems, name=name)
    if text is not None:
        content.texts[name] = text
        content.criteria |= read_local_criteria(text, content.bounds, problems, name=name)
