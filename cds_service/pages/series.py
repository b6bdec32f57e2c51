"""What is drawn over time, taken from the facts and the assessment of one decision; nothing is computed anew.

Knows: which inputs share a panel, how a value is told to a reader, which values were used, refused or stale.
Must not know: pixels (drawing.py), HTML.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from cds_service.calcinosis.assessment import Assessment
from cds_service.calcinosis.facts import Exposure, Gap, GapReason, Measurement, PatientFacts
from cds_service.calcinosis.names import Input
from cds_service.hooks.decide import Decision
from cds_service.hooks.wording.write import number
from cds_service.terminology.catalog import Catalog

PRODUCT_UNIT: Final = "mg²/dL²"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value. told: as reported, with unit; at_text: its time as received; use: "pair", "stale" or ""."""

    at: datetime
    value: Decimal
    name: str
    told: str
    at_text: str
    source: str
    use: str = ""
    note: str = ""

    @property
    def words(self) -> str:
        """Everything about the point in one line, for hover and screen readers."""
        parts = [f"{self.name} {self.told}", self.at_text, self.source, _USES.get(self.use, ""), self.note]
        return ", ".join(part for part in parts if part)


_USES: Final[Mapping[str, str]] = {"pair": "used by the card", "stale": "too old to count"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values of one kind, oldest first. mark: the shape that tells it from others of the panel."""

    name: str
    mark: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Guide:
    """A limit drawn across the panel."""

    value: Decimal
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One chart. band: the reference range of the value that the card used."""

    id: str
    title: str
    unit: str
    series: Sequence[Series]
    guides: Sequence[Guide] = ()
    band: tuple[Decimal | None, Decimal | None] | None = None
    refused: Sequence[Gap] = ()

    @property
    def points(self) -> list[Point]:
        """All points of the panel."""
        return [point for each in self.series for point in each.points]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """A medicine over its time, or a session of dialysis. end: None for still active."""

    name: str
    kind: str
    start: datetime
    end: datetime | None
    words: str


_PANELS: Final[tuple[tuple[str, str, tuple[tuple[Input, str], ...]], ...]] = (
    ("calcium", "Calcium", ((Input.CALCIUM, "dot"), (Input.ADJUSTED_CALCIUM, "square"))),
    ("ionized", "Ionised calcium", ((Input.IONIZED_CALCIUM, "dot"), (Input.IONIZED_CALCIUM_PH74, "square"))),
    ("phosphate", "Phosphate", ((Input.PHOSPHATE, "dot"),)),
    ("pth", "PTH", ((Input.PTH, "dot"),)),
    ("vitamin-d", "25-OH vitamin D", ((Input.VITAMIN_D_25, "dot"), (Input.VITAMIN_D_25_D3, "square"))),
    ("egfr", "eGFR", ((Input.EGFR, "dot"),)),
)
_NAMES: Final[Mapping[str, str]] = {
    Input.CALCIUM: "Total calcium",
    Input.ADJUSTED_CALCIUM: "Calcium adjusted by the laboratory",
    Input.IONIZED_CALCIUM: "Ionised calcium",
    Input.IONIZED_CALCIUM_PH74: "Ionised calcium at pH 7.4",
    Input.PHOSPHATE: "Phosphate",
    Input.PTH: "PTH",
    Input.VITAMIN_D_25: "25-OH vitamin D",
    Input.VITAMIN_D_25_D3: "25-OH vitamin D3",
    Input.EGFR: "eGFR",
}


def panels_of(decision: Decision, catalog: Catalog) -> list[Panel]:
    """Return the panels that have something to show; calcium, phosphate and product always."""
    facts, assessment = decision.facts, decision.assessment
    made = [_panel(id_, title, inputs, facts, assessment, catalog) for id_, title, inputs in _PANELS]
    made.insert(0, _product_panel(assessment, catalog))  # what the card is about comes first
    always = {"calcium", "phosphate", "product"}
    return [panel for panel in made if panel.id in always or panel.points or panel.refused]


def _panel(
    id_: str,
    title: str,
    inputs: Sequence[tuple[Input, str]],
    facts: PatientFacts,
    assessment: Assessment,
    catalog: Catalog,
) -> Panel:
    used, old = _used(assessment), _stale(assessment)
    series = [
        Series(name=_NAMES[name], mark=mark, points=_points(facts.measurements, name, used, old))
        for name, mark in inputs
    ]
    if id_ == "calcium" and (ours := _corrected(assessment)) is not None:
        series.append(Series(name="Corrected for albumin (by us)", mark="diamond", points=(ours,)))
    names = {str(name) for name, _ in inputs}
    return Panel(
        id=id_,
        title=title,
        unit=catalog.inputs[inputs[0][0]].canonical_unit,
        series=[each for each in series if each.points],
        band=_band(assessment, names),
        refused=[gap for gap in assessment.gaps if gap.analyte in names and gap.reason is not GapReason.STALE],
    )


def _points(
    measurements: Iterable[Measurement], name: str, used: frozenset[str], old: frozenset[str]
) -> tuple[Point, ...]:
    found = [
        Point(
            at=m.taken.at,
            value=m.value,
            name=_NAMES[Input(name)],
            told=told(m),
            at_text=m.taken.text,
            source=m.reference,
            use="stale" if m.reference in old else "pair" if m.reference in used else "",
            note=", ".join(mark.value.replace("_", " ") for mark in sorted(m.marks)),
        )
        for m in measurements
        if m.input == name and m.value is not None
    ]
    return tuple(sorted(found, key=lambda point: point.at))


def told(m: Measurement) -> str:
    """Return a value as it was reported."""
    reported = m.reported if m.reported is not None else m.value
    words = number(reported) if reported is not None else "words only"
    return f"{m.comparator or ''}{words} {m.unit or ''}".strip()


def _used(a: Assessment) -> frozenset[str]:
    members = (a.product.calcium, a.product.phosphate, a.product.albumin) if a.product else ()
    return frozenset(value.measurement.reference for value in members if value is not None)


def _stale(a: Assessment) -> frozenset[str]:
    return frozenset(gap.reference for gap in a.gaps if gap.reason is GapReason.STALE and gap.reference)


def _band(a: Assessment, names: set[str]) -> tuple[Decimal | None, Decimal | None] | None:
    members = (a.product.calcium, a.product.phosphate) if a.product else ()
    for value in (*members, *a.values):
        if value.measurement.input in names and value.range is not None:
            return value.range.low, value.range.high
    return None


def _corrected(a: Assessment) -> Point | None:
    """The calcium of the card's pair where the service corrected it for albumin."""
    if a.product is None or a.product.calcium.kind != "corrected" or a.product.calcium.canonical is None:
        return None
    value = a.product.calcium
    return Point(
        at=value.measurement.taken.at,
        value=a.product.calcium.canonical,
        name="Calcium corrected for albumin",
        told=f"{number(a.product.calcium.canonical)} mg/dL",
        at_text=value.measurement.taken.text,
        source=value.measurement.reference,
        use="pair",
    )


def _product_panel(a: Assessment, catalog: Catalog) -> Panel:
    """The product of the pair and of the earlier pairs that the trend rule looked at, with the two limits."""
    criteria = catalog.knowledge.criteria
    points: list[Point] = []
    if a.trend is not None:
        points += [
            _product_point(
                datetime.fromisoformat(_instant(each.effective, a)), each.value_mg2_dl2, each.effective, "earlier pair"
            )
            for each in reversed(a.trend.previous)
        ]
    if a.product is not None:
        later = max((a.product.calcium.measurement, a.product.phosphate.measurement), key=lambda m: m.taken.at)
        sources = f"{a.product.calcium.measurement.reference} and {a.product.phosphate.measurement.reference}"
        points.append(_product_point(later.taken.at, a.product.value_mg2_dl2, later.taken.text, sources, "pair"))
    guides = [
        Guide(limit, f"{number(limit)} {PRODUCT_UNIT}")
        for limit in (criteria.product_warning_mg2_dl2, criteria.product_critical_mg2_dl2)
    ]
    series = [Series(name="Calcium x phosphate", mark="dot", points=points)] if points else []
    return Panel(id="product", title="Calcium x phosphate", unit=PRODUCT_UNIT, series=series, guides=guides)


def _product_point(at: datetime, value: Decimal, at_text: str, source: str, use: str = "") -> Point:
    words = f"{number(value)} {PRODUCT_UNIT}"
    return Point(at=at, value=value, name="Calcium x phosphate", told=words, at_text=at_text, source=source, use=use)


def _instant(text: str, a: Assessment) -> str:
    """A FHIR date or time as an instant; a date begins in the zone of the evaluation time."""
    if "T" in text:
        return text
    whole = text if len(text) == len("2026-01-01") else (text + "-01-01")[: len("2026-01-01")]
    return datetime.fromisoformat(whole).replace(tzinfo=a.evaluated_at.tzinfo).isoformat()


def happenings_of(facts: PatientFacts) -> list[Happening]:
    """Return medicines with a known start, then procedures, oldest first."""
    medicines = [_medicine(each) for each in facts.exposures if each.started is not None]
    events = [
        Happening(
            name=event.name or event.kind.replace("_", " "),
            kind="event",
            start=event.started.at,
            end=event.ended.at if event.ended else event.started.at,
            words=f"{event.name or event.kind.replace('_', ' ')}, {event.started.text}, {event.reference}",
        )
        for event in facts.events
        if event.started is not None
    ]
    return sorted([each for each in medicines if each], key=lambda each: each.start) + sorted(
        events, key=lambda each: each.start
    )


def _medicine(exposure: Exposure) -> Happening | None:
    started = exposure.started
    if started is None:
        return None
    ended = exposure.ended.at if exposure.ended else None if exposure.active else started.at
    words = (
        f"{exposure.name}, from {started.text}, {'active' if exposure.active else 'not active'}, {exposure.reference}"
    )
    return Happening(name=exposure.name, kind="medicine", start=started.at, end=ended, words=words)


def span_of(panels: Iterable[Panel], happenings: Iterable[Happening], now: datetime) -> tuple[datetime, datetime]:
    """Return the time that all charts share: from the oldest value of calcium or phosphate (or any) to now."""
    found = [panel for panel in panels if panel.points]
    core = [
        point.at
        for panel in found
        if panel.id in {"calcium", "ionized", "phosphate", "product"}
        for point in panel.points
    ]
    times = core or [point.at for panel in found for point in panel.points] or [each.start for each in happenings]
    return min([*times, now]), max([*times, now])
