"""The numbers of the report, masked, as the page shows them.

Knows: which tables there are, rates, small cells, what to say when there is nothing to show.
Must not know: layout (report.html.j2), patients.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from cds_service.calcinosis.assessment import Tier
from cds_service.screen import charts, tables
from cds_service.screen.masking import hidden
from cds_service.screen.moments import EACH_DAY
from cds_service.screen.numbers import ALL_TIERS, Numbers, limits_of, rate_of, small_of, tier_cells
from cds_service.screen.observe import BINS
from cds_service.screen.page import render
from cds_service.screen.tally import Cell
from cds_service.screen.whatif import CRITICAL, WARNING

_GROUPS: Final = {
    "age": "Age group",
    "sex": "Sex",
    "setting": "Setting",
    "kidney": "Kidney",
    "ward": "Ward (last location of the visit)",
}
# Budgets of the clinical rules, section 9: cards per 100 openings in a general hospital.
BUDGET: Final = {"critical": 1.0, "interruptive": 5.0}


def report_html(numbers: Numbers) -> str:
    """The report as one HTML page without any patient id."""
    return render(view(numbers))


def view(n: Numbers) -> dict[str, Any]:
    """What the page shows, by name."""
    openings = sum(cell.count for _, cell in n.tally.below("tier"))
    return {
        "n": n,
        "clock": n.choices.clock,
        "at": n.choices.moments.text,
        "content": n.catalog.version,
        "digest": n.catalog.digest,
        "openings": openings,
        "smallest": n.choices.smallest_cell,
        "burden": _burden(n, openings),
        "any": _any(n, openings),
        "burden_chart": _burden_chart(n, openings),
        "budget": _budget(n, openings),
        "pairs": _pairs(n),
        "histograms": _histograms(n),
        "groups": [tables.group(n, name, title) for name, title in _GROUPS.items() if tables.worth(n, name)],
        "causes": tables.ranking(n, "cause", openings),
        "rules": tables.ranking(n, "rule", openings),
        "gaps": tables.gaps(n, openings),
        "unmapped": tables.unmapped(n),
        "units": tables.units(n),
        "what_if": [tables.what_if(n, which, openings) for which in (CRITICAL, WARNING)],
        "not_judged": _not_judged(n),
        "findings": _findings(n, openings),
        "limits": [float(each) for each in limits_of(n)],
        "windows": {name: _span(getattr(n.choices.windows, name)) for name in ("inpatient", "outpatient", "critical")},
    }


# ---- burden


def _burden(n: Numbers, openings: int) -> list[dict[str, Any]]:
    every, shown = tier_cells(n, "tier"), tier_cells(n, "shown")[:3]
    mask = hidden([every], n.choices.smallest_cell)[0]
    admissions = n.tally.of("admissions").count
    rows = []
    for place, tier in enumerate(ALL_TIERS):
        small = mask[place]
        row: dict[str, Any] = {"tier": tier, "cell": None if small else every[place], "small": small}
        row["per_100"] = rate_of(every[place], openings, small=small)
        if tier is not Tier.NONE:
            also = small or small_of(n, shown[place])
            row["shown"] = None if also else shown[place]
            row["shown_per_100"] = rate_of(shown[place], openings, small=also)
            for kind in ("cards", "shown"):
                count, some = n.tally.of(f"admission-{kind}", tier), n.tally.of(f"admission-any-{kind}", tier)
                masked = small or small_of(n, some)
                row[f"{kind}_admission"] = None if masked or not admissions else count.count / admissions
                row[f"{kind}_share"] = rate_of(some, admissions, small=masked)
        rows.append(row)
    return rows


def _any(n: Numbers, openings: int) -> dict[str, float | None]:
    """Cards of any tier per 100 openings; hidden where they would tell how many had none, which is hidden."""
    small = _burden(n, openings)[-1]["small"]
    return {
        name: rate_of(cell, openings, small=small or small_of(n, cell))
        for name, cell in (("every", n.tally.of("any")), ("shown", n.tally.of("any-shown")))
    }


def _burden_chart(n: Numbers, openings: int) -> str:
    rows = _burden(n, openings)[:3]
    drawn = [
        (f"{row['tier']}, {label}", str(row["tier"]), row[key])
        for row in rows
        for label, key in (("every opening", "per_100"), ("repeats suppressed", "shown_per_100"))
    ]
    return charts.labelled(drawn, "Cards per 100 chart openings by tier", "cards per 100 chart openings")


def _budget(n: Numbers, openings: int) -> list[dict[str, Any]]:
    """The burden beside the budgets of the clinical rules."""
    rows = {str(row["tier"]): row for row in _burden(n, openings)}
    found = []
    for name, tiers, limit in (
        ("critical", ("critical",), BUDGET["critical"]),
        ("critical and warning", ("critical", "warning"), BUDGET["interruptive"]),
    ):
        for label, key in (("every opening", "per_100"), ("repeats suppressed", "shown_per_100")):
            parts_of = [rows[tier][key] for tier in tiers]
            rate = None if any(part is None for part in parts_of) else sum(parts_of)
            told = {"name": name, "label": label, "limit": limit, "rate": rate}
            found.append(told | {"within": rate is not None and rate <= limit})
    return found


# ---- values


def _pairs(n: Numbers) -> dict[str, Any]:
    pairs = n.tally.of("pairs")
    above = []
    for limit in limits_of(n):
        cell = n.tally.of("pairs-above", str(limit))
        small = bool(hidden([[cell, Cell(pairs.count - cell.count, pairs.patients)]], n.choices.smallest_cell)[0][0])
        share = rate_of(cell, pairs.count, small=small)
        above.append({"limit": limit, "cell": None if small else cell, "share": share})
    return {"pairs": pairs, "small": small_of(n, pairs), "above": above}


def _histograms(n: Numbers) -> list[dict[str, Any]]:
    units = {"calcium": "mg/dL", "phosphate": "mg/dL", "product": "mg\u00b2/dL\u00b2"}
    found = []
    for name, width in BINS.items():
        bars = [(float(key[0]), cell) for key, cell in n.tally.below("bar", name)]
        if not bars:
            continue
        mask = hidden([[cell for _, cell in bars]], n.choices.smallest_cell)[0]
        drawn = [
            (start, float(width), None if small else cell.count)
            for (start, cell), small in zip(bars, mask, strict=True)
        ]
        marks = [(float(limit), f"{limit:f}") for limit in limits_of(n)] if name == "product" else []
        title = f"Distribution of {name}"
        chart = charts.histogram(drawn, marks, title, f"{name}, {units[name]}")
        found.append({"name": name, "chart": chart, "count": sum(cell.count for _, cell in bars), "hidden": sum(mask)})
    return sorted(found, key=lambda each: ("product", "calcium", "phosphate").index(each["name"]))


# ---- words


def _not_judged(n: Numbers) -> list[tuple[str, Cell | None]]:
    return [(key[0], None if small_of(n, cell) else cell) for key, cell in n.tally.below("not-judged")]


def _findings(n: Numbers, openings: int) -> list[str]:
    """What the numbers say, in sentences; above all why nothing was found where nothing was."""
    return [*_on_data(n, openings), *(_on_cards(n, openings) if openings else ())]


def _on_cards(n: Numbers, openings: int) -> Iterator[str]:
    every, shown = _any(n, openings).values()
    if every and shown is not None:
        yield f"{every:.1f} cards per 100 chart openings; {shown:.1f} with repeats suppressed."
        if every == shown and n.choices.moments.kind == EACH_DAY and n.choices.windows.inpatient <= timedelta(days=1):
            yield (
                "No repeat was suppressed, for openings at the same time of each day lie as far apart as an "
                "acknowledgement counts in hospital."
            )
    burden = _burden(n, openings)
    if not any(row["cell"] is None or row["cell"].count for row in burden[:3]):
        yield "No card at any opening. Read beside it what lacked: an empty result is no statement about risk."
    for each in _budget(n, openings):
        if each["rate"] is not None and not each["within"] and each["label"] == "repeats suppressed":
            yield (
                f"Cards at tier {each['name']}: {each['rate']:.1f} per 100 openings with repeats suppressed, "
                f"above the budget of {each['limit']:g}."
            )
    yield from _on_pairs(n, openings)
    if any(row["small"] for row in burden):
        yield (
            "Some counts are hidden, for they stand for few patients. A committee that may see them asks for a run "
            "with --show-small-cells."
        )


def _on_pairs(n: Numbers, openings: int) -> Iterator[str]:
    pairs = _pairs(n)
    shares = [f"{each['share']:.2f} % above {each['limit']}" for each in pairs["above"] if each["share"] is not None]
    if pairs["pairs"].count and not pairs["small"] and shares:
        yield f"Of {pairs['pairs'].count:,} calcium-phosphate pairs {' and '.join(shares)}."
    no_pair = n.tally.of("with-product", "no pair")
    if no_pair.count and not small_of(n, no_pair):
        yield f"At {_percent(no_pair.count, openings)} of the openings there was no usable pair to judge."


def _on_data(n: Numbers, openings: int) -> Iterator[str]:
    if not n.stats.patients:
        yield "No patient was found in the files: no resource names one."
    if n.known.shifted:
        yield "Most results are dated in the future: dates were taken as shifted; intervals hold, years do not."
    if n.stats.patients and not openings:
        yield "No patient could be judged; the reasons stand under What could not be judged."
    for kind, key in (("Observation", "observations"), ("Patient", "patient"), ("Condition", "conditions")):
        if n.stats.patients and key not in n.known.exported:
            yield f"The export holds no {kind} at all."
    if openings:
        for analyte in ("ca_total", "phosphate"):
            cell = n.tally.of("gap", analyte, "missing")
            if cell.count == openings:
                yield (
                    f"{tables.name_of(n, analyte)} is missing at every opening: without it there is no product. "
                    "See whether its code is among the unmapped ones below, or was not exported."
                )
    if n.found.bad:
        yield f"{n.found.bad:,} lines or files could not be read (problems.csv); they are not in these numbers."


def _span(window: timedelta) -> str:
    """A window in words."""
    hours = window / timedelta(hours=1)
    return f"{hours:g} hours" if hours < 48 or hours % 24 else f"{hours / 24:g} days"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "0 %"
