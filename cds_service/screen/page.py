"""The report page: values into the template.

Knows: Jinja2, how numbers are printed.
Must not know: what the numbers mean.
"""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup


def render(values: dict[str, Any]) -> str:
    """The page. Everything is escaped but our own drawings."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["rate"] = _rate
    environment.filters["svg"] = Markup
    return environment.get_template("report.html.j2").render(values)


def _rate(value: float | None) -> str:
    """A rate with as many places as it needs; a hidden one says so."""
    if value is None:
        return "hidden"
    return "0" if value == 0 else f"{value:.2f}" if value < 10 else f"{value:.1f}"
