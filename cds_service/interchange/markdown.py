"""Small parts of Markdown: tables whose cells cannot break them.

Knows: escaping.
Must not know: the content.
"""

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*_\[\]<>|])")


def cell(text: str) -> str:
    """Return a text as plain words of a table cell: no markup, no link, no line break comes of it."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def literal(text: str) -> str:
    """Return a text exactly as it stands, as code in a table cell."""
    return f"`{text.replace('|', chr(92) + '|')}`" if "`" not in text else cell(text)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; the cells are escaped already."""
    lines = [_line(header), _line(["---"] * len(header))]
    return [*lines, *(_line(row) for row in rows), ""]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")
