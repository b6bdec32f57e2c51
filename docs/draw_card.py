"""Draw the card of a sample patient as docs/images/card.svg: `python -m docs.draw_card`.

The words are those of the service's answer to the sample; what is left out says so. tests/test_docs.py draws it again.
"""

import itertools
import json
import textwrap
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from cds_service.app import create_app
from cds_service.settings import read_settings

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "examples" / "dialysis-rising-trend" / "request.json"
PICTURE = ROOT / "docs" / "images" / "card.svg"
SERVICE = "/cds-services/metastatic-calcification-patient-view"
LEFT_OUT = ("How firm this is", "Rules that fired", "Sources")

WIDTH, MARGIN, SIZE, LINE = 860, 28, 14, 20
COLUMNS = (MARGIN, 240, 400, 580)  # where the cells of the table begin
COLOURS = {"critical": "#b42318", "warning": "#b54708", "info": "#175cd3"}


def card_of(sample: Path) -> dict[str, Any]:
    """The first card of the service's answer to the sample."""
    numbers = itertools.count(1)
    app = create_app(
        read_settings({}, sandbox=True, database_url=""), new_id=lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"
    )
    answer = app.test_client().post(SERVICE, data=sample.read_bytes(), content_type="application/json")
    card: dict[str, Any] = json.loads(answer.data)["cards"][0]
    return card


def text(x: int, y: int, words: str, *, weight: int = 400, size: int = SIZE, colour: str = "#1d2939") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}">{escape(words)}</text>'


def wrapped(words: str, size: int = SIZE, hanging: bool = False) -> list[str]:
    """The words in lines that fit the card."""
    columns = int((WIDTH - 2 * MARGIN) / (size * (0.6 if size > SIZE else 0.53)))
    return textwrap.wrap(words, columns, subsequent_indent="  " if hanging else "")


def shown(detail: str) -> Iterator[str]:
    """The lines of the detail without the sections that are left out, and without the limits at the end."""
    skipping = False
    for line in detail.split("\n\n")[:-1]:
        if line.startswith("**"):
            skipping = line.strip("*") in LEFT_OUT
        if not skipping:
            yield from line.split("\n")
            yield ""


def body(detail: str, y: int) -> tuple[list[str], int]:
    """The detail as SVG lines from y on, and where it ends."""
    drawn: list[str] = []
    for line in shown(detail):
        if not line:
            y += LINE // 2
        elif line.startswith("| ---"):
            drawn.append(f'<path d="M{MARGIN} {y - LINE + 5}H{WIDTH - MARGIN}" stroke="#d0d5dd"/>')
        elif line.startswith("| "):
            head = line.startswith("| Result")
            cells = line.strip("| ").split(" | ")
            drawn += [
                text(x, y, cell, weight=600 if head else 400, size=13) for x, cell in zip(COLUMNS, cells, strict=False)
            ]
            y += LINE
        elif line.startswith("**"):
            drawn.append(text(MARGIN, y, line.strip("*"), weight=600))
            y += LINE
        else:
            bullet = line.startswith("- ")
            for part in wrapped(line.replace("- ", "\u2022 ", 1) if bullet else line, hanging=bullet):
                indent = 12 if part.startswith("  ") else 0
                drawn.append(text(MARGIN + indent, y, part.strip()))
                y += LINE
    return drawn, y


def draw(card: dict[str, Any]) -> str:
    """The card as SVG; its background is its own, so that it reads on a light and on a dark page."""
    colour = COLOURS[card["indicator"]]
    drawn = [text(MARGIN, 40, card["indicator"].upper(), weight=700, size=12, colour=colour)]
    y = 66
    for part in wrapped(card["summary"], 18):
        drawn.append(text(MARGIN, y, part, weight=600, size=18))
        y += 26
    lines, y = body(card["detail"], y + 4)
    drawn += lines
    closing = [
        "Also on the card: confidence, the rules that fired, all sources with links.",
        card["detail"].split("\n\n")[-1],
        f"Source: {card['source']['label']}",
    ]
    y += 4
    for part in itertools.chain.from_iterable(wrapped(each, 13) for each in closing):
        drawn.append(text(MARGIN, y, part, size=12, colour="#475467"))
        y += 17
    height = y + 6
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
            f'role="img" font-family="Helvetica, Arial, sans-serif"><title>{escape(card["summary"])}</title>',
            f'<rect x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="8" fill="#fff" stroke="#98a2b3"/>',
            f'<path d="M1 9a8 8 0 0 1 8-8v{height - 2}a8 8 0 0 1-8-8z" fill="{colour}"/>',
            *drawn,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(card_of(SAMPLE)))
    print(f"drew {PICTURE.relative_to(ROOT)}")
