"""Counts of a run: how often something was seen, and in how many patients.

Knows: adding, merging, and that one patient counts once in each cell.
Must not know: what is counted (observe.py) and how it is shown (report.py).
"""

from collections.abc import Iterable, Iterator

import msgspec

Key = tuple[str, ...]


class Cell(msgspec.Struct, array_like=True):
    """How often, and in how many patients."""

    count: int = 0
    patients: int = 0


class Tally(msgspec.Struct):
    """Cells by key. Keys with one beginning belong to one table."""

    cells: dict[str, Cell] = {}

    def patient(self, seen: Iterable[tuple[Key, int]]) -> None:
        """Add all that was seen of one patient."""
        cells = self.cells
        mine: dict[str, int] = {}
        for key, count in seen:
            text = "\x1f".join(key)
            mine[text] = mine.get(text, 0) + count
        for text, count in mine.items():
            cell = cells.get(text)
            if cell is None:
                cell = cells[text] = Cell()
            cell.count += count
            cell.patients += 1

    def merge(self, other: "Tally") -> None:
        """Add another tally, of other patients."""
        for text, cell in other.cells.items():
            mine = self.cells.setdefault(text, Cell())
            mine.count += cell.count
            mine.patients += cell.patients

    def of(self, *key: str) -> Cell:
        """One cell."""
        return self.cells.get("\x1f".join(key), Cell())

    def below(self, *start: str) -> Iterator[tuple[Key, Cell]]:
        """All cells whose key begins so, with the rest of the key, in the order of the keys."""
        head = "\x1f".join(start) + "\x1f"
        for text in sorted(self.cells):
            if text.startswith(head):
                yield tuple(text[len(head) :].split("\x1f")), self.cells[text]
