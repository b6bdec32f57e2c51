"""Small cells: which numbers of a table may not be shown, so that nobody can be recognised.

Knows: that a cell of few patients is hidden, and that a hidden cell must not follow from the totals around it.
Must not know: what is counted.
"""

from collections.abc import Iterator, Sequence

from cds_service.screen.tally import Cell


def hidden(rows: Sequence[Sequence[Cell]], smallest: int) -> list[list[bool]]:
    """Tell which cells to hide.

    First every cell that stands for 1 to smallest - 1 patients. Then, because the sums of rows and columns are told
    elsewhere, no line may hold a single hidden cell or hidden cells that add up to less than `smallest`: the least of
    the others is hidden too, until that holds.
    """
    mask = [[0 < cell.patients < smallest for cell in row] for row in rows]
    while any(_hide_one_more(rows, mask, line, smallest) for line in _lines(rows)):
        pass
    return mask


def _lines(rows: Sequence[Sequence[Cell]]) -> Iterator[list[tuple[int, int]]]:
    width = max((len(row) for row in rows), default=0)
    yield from ([(r, c) for c in range(len(row))] for r, row in enumerate(rows))
    if len(rows) > 1:
        yield from ([(r, c) for r in range(len(rows)) if c < len(rows[r])] for c in range(width))


def _hide_one_more(
    rows: Sequence[Sequence[Cell]], mask: list[list[bool]], line: Sequence[tuple[int, int]], smallest: int
) -> bool:
    held = [(r, c) for r, c in line if mask[r][c]]
    if not held or (len(held) > 1 and sum(rows[r][c].count for r, c in held) >= smallest):
        return False
    open_cells = [(r, c) for r, c in line if not mask[r][c]]
    if not open_cells:
        return False
    # a zero hides nothing that is worth hiding, but is better than a cell that gives itself away
    r, c = min(open_cells, key=lambda place: (rows[place[0]][place[1]].count == 0, rows[place[0]][place[1]].count))
    mask[r][c] = True
    return True
