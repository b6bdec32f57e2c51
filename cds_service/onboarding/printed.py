"""The registration sheet as text for a terminal and as one HTML page for a printer.

Knows: how sections are laid out.
Must not know: what they say.
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path

from cds_service.onboarding.sheet import Section, Sheet

WIDTH = 100
# on the page, cells with shorter lines are not broken
_LONGEST_KEPT = 44
_TEMPLATE = Path(__file__).with_name("sheet.html")


def as_text(sheet: Sheet) -> str:
    """The sheet for a terminal; what is to be copied stands on a line of its own, never broken."""
    lines = [f"Registration sheet: {sheet.ehr.title}", *_wrapped(_origin(sheet)), *_wrapped(sheet.ehr.verified)]
    for section in sheet.sections:
        lines += ["", "", section.title.upper(), *_wrapped(section.intro), *_rows(section)]
    lines += ["", "", "CHECK LIST", *(line for check in sheet.checks for line in _wrapped(f"[ ] {check}", "    "))]
    lines += ["", "", "TO TEST", *sheet.commands]
    return "\n".join(lines) + "\n"


def as_html(sheet: Sheet) -> str:
    """The sheet as one page without any request to elsewhere."""
    from jinja2 import Environment

    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        _TEMPLATE.read_text("utf-8")
    )
    return template.render(sheet=sheet, origin=_origin(sheet), kept=_LONGEST_KEPT) + "\n"


def _origin(sheet: Sheet) -> str:
    return f"calcinosis-cds at {sheet.base}, card profile {sheet.profile}, clinical content {sheet.content_version}."


def _rows(section: Section) -> Iterator[str]:
    if not section.columns:
        for (point,) in section.rows:
            yield from _wrapped(f"- {point}", "  ")
        return
    label = max(len(column) for column in section.columns[1:])
    for row in section.rows:
        yield ""
        yield from ([row[0]] if section.columns[0] in section.code else _wrapped(row[0]))
        for column, cell in zip(section.columns[1:], row[1:], strict=True):
            indent = " " * (label + 4)
            for number, line in enumerate(cell.split("\n") if cell else ()):
                told = f"{indent}{line}" if number else f"  {column:<{label}}  {line}"
                yield from ([told] if column in section.code else _wrapped(told, indent))


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
