"""The report of a Tally: as text, as CSV and as one page of HTML.

Knows: how counts are printed; that rare codes and spellings can point at a person: what was seen less often than
`smallest` is not listed by itself. Reasons are words of our own and are all listed.
Must not know: how counts come about.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cds_service.coverage.proposals import Proposal
from cds_service.coverage.tally import Tally
from cds_service.terminology.catalog import Catalog

_LONGEST: Final = 40
GOOD: Final = 95
POOR: Final = 80


@dataclass(frozen=True, slots=True)
class Share:
    """One line of the summary. parts: what became of all of them, as (what, count)."""

    name: str
    understood: int
    all: int
    parts: tuple[tuple[str, int], ...]

    @property
    def percent(self) -> float | None:
        """The share that is understood; None when there was nothing."""
        return self.understood * 100 / self.all if self.all else None

    @property
    def shown(self) -> str:
        """The share as it is printed; never rounded up to 100."""
        percent = self.percent
        if percent is None:
            return "none seen"
        return f"{percent:.1f} %" if percent == 100 else f"{min(percent, 99.9):.1f} %"

    @property
    def level(self) -> str:
        """good, fair or poor; unknown without data."""
        percent = self.percent
        if percent is None:
            return "unknown"
        return "good" if percent >= GOOD else "fair" if percent >= POOR else "poor"


@dataclass(frozen=True, slots=True)
class Table:
    """A list by frequency. rest: how many kinds and how many cases are not listed by themselves."""

    title: str
    remark: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    rest: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that is told."""

    at: datetime
    origin: str
    catalog: Catalog
    tally: Tally
    proposals: Sequence[Proposal]
    smallest: int


def shares(tally: Tally) -> list[Share]:
    """What of each kind of data is understood."""
    found = []
    for name, each in tally.shares.items():
        told = (
            *(("used", each.used), ("refused", each.refused), ("pending", each.pending)),
            *(("no value", each.no_value), ("not mapped", each.unmapped)),
            ("other fluid or test, rightly left", each.elsewhere),
        )
        found.append(Share(name, each.used + each.pending + each.no_value, each.all, told))
    for name, counts in (("conditions", tally.conditions), ("medications", tally.medications)):
        understood = counts["of interest"] + counts["known system, not of interest"]
        found.append(Share(name, understood, counts.total(), tuple(counts.most_common())))
    return found


def tables(report: Report) -> list[Table]:
    """The lists of what is not understood, those without rows left out."""
    tally, smallest = report.tally, report.smallest
    alike = Counter({(*code, each.analyte): each.count for code, each in tally.alike.items()})
    others = Counter({code: n for code, n in tally.unmapped["Observation"].items() if code not in tally.alike})
    code = ("system", "code", "name")
    made = [
        _table("Result codes that sound like one of the five analytes and are not mapped", "", (*code, "sounds like"),
               alike, smallest),
        _table("Units that are not used", "for an analyte that is mapped", ("analyte", "unit", "why"), tally.units,
               smallest),
        _table("Values that are refused", "", ("analyte", "why"), tally.refusals, 1),
        _table("Condition codes of systems that are not known", "", code, tally.unmapped["Condition"], smallest),
        _table("Medicine codes of systems that are not known", "", code, tally.unmapped["Medication"], smallest),
        _table("Resources that cannot be read", "each costs only itself", ("type", "why"), tally.unreadable, 1),
        _table("Resources that are read leniently", "", ("type", "why"), tally.lenient, 1),
        _table("Resources that are no valid FHIR R4", _validated(tally), ("type", "where"), tally.invalid, 1),
        _table("Other result codes", "no analyte of the rules by their name", code, others, smallest),
    ]  # fmt: skip
    return [each for each in made if each.rows or each.rest[0]]


def _validated(tally: Tally) -> str:
    return "of the first " + ", ".join(f"{count} {kind}" for kind, count in sorted(tally.validated.items()))


def _table(title: str, remark: str, heads: tuple[str, ...], counts: Mapping[Any, int], smallest: int) -> Table:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [(key, count) for key, count in ordered[:_LONGEST] if count >= smallest]
    rows = tuple((*key, f"{count:,}") for key, count in shown)
    rest = len(counts) - len(shown), sum(counts.values()) - sum(count for _, count in shown)
    return Table(title, remark, (*heads, "count"), rows, rest)


# ---- text


def as_text(report: Report) -> str:
    """The report for a terminal: the shares, and how much there is to look at."""
    lines = [f"{_counted(report)} ({report.origin})", ""]
    for share in shares(report.tally):
        told = ", ".join(f"{what} {count:,}" for what, count in share.parts if count)
        lines.append(f"  {share.name:<12} {share.shown:>10}   {told}")
    for table in tables(report):
        lines += ["", table.title + (f" ({table.remark})" if table.remark else "")]
        lines += [f"  {row[-1]:>8}  {' | '.join(cell for cell in row[:-1] if cell)}" for row in table.rows[:8]]
        left = len(table.rows) - 8
        if left > 0:
            lines.append(f"            and {left} more")
        if table.rest[0]:
            lines.append(f"            {_rest(table, report.smallest)}")
    lines += ["", *(f"not complete: {each}" for each in report.tally.incomplete())]
    if report.proposals:
        lines.append(f"{len(report.proposals)} rows proposed for the local mappings; a person has to confirm each.")
    return "\n".join(lines).rstrip() + "\n"


def _counted(report: Report) -> str:
    counts = report.tally.resources
    told = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
    return f"{counts.total():,} resources: {told}" if counts else "no resources"


def _few(count: int, smallest: int) -> str:
    return f"{count:,}" if count >= smallest else f"fewer than {smallest}"


def _rest(table: Table, smallest: int) -> str:
    kinds, cases = table.rest
    return f"{kinds:,} others with {_few(cases, smallest)} cases, rare ones or beyond the first {_LONGEST}"


# ---- CSV


def as_csv(report: Report) -> str:
    """All lines of the report in one table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("part", "what", "detail", "system", "code", "name", "count", "percent"))
    writer.writerows(_lines(report))
    return text.getvalue()


def _lines(report: Report) -> Iterator[tuple[str, ...]]:
    for share in shares(report.tally):
        percent = "" if share.percent is None else f"{share.percent:.1f}"
        yield ("share", share.name, "understood", "", "", "", str(share.understood), percent)
        for what, count in share.parts:
            yield ("share", share.name, what, "", "", "", str(count), "")
    for table in tables(report):
        for row in table.rows:
            cells = dict(zip(table.heads, row, strict=True))
            seen = cells.pop("count").replace(",", "")
            coded = tuple(_inert(cells.pop(head, "")) for head in ("system", "code", "name"))
            yield ("list", table.title, _inert("; ".join(cells.values())), *coded, seen, "")
        if table.rest[0]:
            yield ("list", table.title, _rest(table, report.smallest), "", "", "", "", "")


def _inert(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t") else cell


# ---- HTML


def as_html(report: Report) -> str:
    """One page that asks for nothing from elsewhere and can be printed."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("report.html.j2").render(
        report=report,
        counted=_counted(report),
        shares=shares(report.tally),
        tables=tables(report),
        rest=lambda table: _rest(table, report.smallest),
    )
