"""Reading CSV tables of reviewed content, with every problem named by file, line and column.

Knows: what a well-kept table looks like (exact header, no stray blanks, one row for a key, sorted).
Must not know: what the tables are about.
"""

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Known = Mapping[str, frozenset[str]]
CellCheck = Callable[[str, Known], str | None]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its line in the file and its cells by column."""

    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]


@dataclass(frozen=True, slots=True)
class Layout:
    """What one file holds. key: the columns that are unique together and sort the rows.

    vital: False for a file that a site without a licence for its code system may leave out.
    """

    file: str
    columns: Mapping[str, CellCheck]
    key: tuple[str, ...]
    vital: bool = True


@dataclass(slots=True)
class Problems:
    """All that is wrong with the content, in the order in which it was found."""

    found: list[str] = field(default_factory=list)

    def add(self, file: str, line: int, column: str, text: str) -> None:
        """Note one problem as file:line: column: text."""
        self.found.append(f"{file}:{line}: {column}: {text}")


def read_text(path: Path, problems: Problems, *, name: str) -> str | None:
    """Return the text of a file with plain newlines, or None when it is missing or not UTF-8."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        problems.add(name, 0, "file", "is missing")
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.add(name, 1 + content[: error.start].count(b"\n"), "file", "is not UTF-8")
        return None
    return text.replace("\r\n", "\n")


def parse_table(text: str, layout: Layout, known: Known, problems: Problems, *, name: str) -> list[Row]:
    """Return the rows of a table. Rows with a bad cell are returned too, so that one mistake is told once."""
    columns = list(layout.columns)
    lines = csv.reader(text.splitlines(keepends=True), strict=True)
    rows: list[Row] = []
    try:
        header = next(lines, [])
        if header != columns:
            problems.add(name, 1, "header", f"is {','.join(header)!r}, expected {','.join(columns)!r}")
            return []
        for cells in lines:
            if len(cells) == len(columns):
                rows.append(Row(lines.line_num, dict(zip(columns, cells, strict=True))))
            else:
                problems.add(name, lines.line_num, "row", f"has {len(cells)} columns, expected {len(columns)}")
    except csv.Error as error:
        problems.add(name, lines.line_num, "row", f"cannot be read as CSV: {error}")
    _check_cells(rows, layout.columns, known, problems, name)
    _check_order(rows, layout.key, problems, name)
    return rows


def _check_cells(
    rows: list[Row], columns: Mapping[str, CellCheck], known: Known, problems: Problems, name: str
) -> None:
    found: list[tuple[int, int, str, str]] = []
    for place, (column, check) in enumerate(columns.items()):
        # Most cells repeat what another row says: each text is looked at once.
        texts = {row.cells[column] for row in rows}
        bad = {text: problem for text in texts if (problem := _cell_problem(text, check, known)) is not None}
        if bad:
            found += [(row.line, place, column, bad[text]) for row in rows if (text := row.cells[column]) in bad]
    for line, _, column, problem in sorted(found):
        problems.add(name, line, column, problem)


def _cell_problem(text: str, check: CellCheck, known: Known) -> str | None:
    return f"{text!r} has stray blanks" if text != text.strip() or "\n" in text else check(text, known)


def _check_order(rows: Iterable[Row], key: tuple[str, ...], problems: Problems, name: str) -> None:
    seen: set[tuple[str, ...]] = set()
    last: tuple[str, ...] = ()
    for row in rows:
        this = tuple(row.cells[column] for column in key)
        if this in seen:
            problems.add(name, row.line, key[0], f"{' '.join(this).strip()} is already mapped above")
        elif this < last:
            problems.add(
                name, row.line, key[0], f"{this[0]} stands below {last[0]}: rows are sorted by {', '.join(key)}"
            )
        seen.add(this)
        last = this
