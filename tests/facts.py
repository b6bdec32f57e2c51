"""Short ways to write down a patient's facts in tests: values as a clinician says them, times as "how long ago"."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

from cds_service.calcinosis.facts import (
    EncounterClass,
    Event,
    Exposure,
    Finding,
    Mark,
    Measurement,
    PatientFacts,
    Position,
    Range,
    Route,
    Sex,
    Specificity,
    Taken,
)
from cds_service.calcinosis.orders import Order, OrderedDrug
from cds_service.terminology.catalog import Catalog

NOW = datetime(2026, 10, 12, 10, 30, tzinfo=UTC)
SHORT = {
    "calcium": "ca_total",
    "adjusted_calcium": "ca_corrected_albumin",
    "ionized_calcium": "ca_ionized",
    "total_protein": "protein_total",
    "pth": "pth_intact",
    "vitamin_d": "vitd_25oh_total",
    "active_vitamin_d": "vitd_125oh2",
    "bicarbonate": "hco3",
    "alp": "alp_total",
    "ph": "ph_arterial",
}
SPANS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "y": timedelta(days=365.25)}


def span(text: str) -> timedelta:
    """Read "3 d", "20 h", "15 min 1 s"."""
    parts = re.findall(r"(\d+(?:\.\d+)?) ?(s|min|h|d|y)\b", text)
    return sum((float(n) * SPANS.get(unit, timedelta(seconds=1)) for n, unit in parts), timedelta(0))


def taken(ago: str = "3 h", *, day_only: bool = False, uncertain: bool = False, now: datetime = NOW) -> Taken:
    """A time so long before the evaluation time."""
    at = now - span(ago)
    if day_only:
        at = at.replace(hour=0, minute=0, second=0)
        return Taken(at, at.date().isoformat(), day_only=True)
    return Taken(at, at.isoformat(), uncertain=uncertain)


class Builder:
    """Builds facts with the units of the shipped content; ids count up so that references are telling apart."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._ids = count(1)

    def lab(
        self,
        name: str,
        value: str,
        *,
        ago: str = "3 h",
        draws: Iterable[str] = (),
        limits: str | None = None,
        marks: Iterable[str] = (),
        interpretation: str = "unknown",
        day_only: bool = False,
        uncertain: bool = False,
    ) -> Measurement:
        """A result such as lab("phosphate", "7.1 mg/dL"), lab("pth", "< 6 pg/mL") or lab("calcium", "words")."""
        analyte = SHORT.get(name, name)
        found = re.fullmatch(r"(<=|>=|<|>)? ?(\d+(?:\.\d+)?) ?(.*)", value)
        number = Decimal(found[2]) if found else None
        unit = found[3] if found else None
        rule = self.catalog.unit(analyte, unit) if unit is not None else None
        assert found is None or rule is not None, f"{value!r} has no unit known for {analyte}"
        factor = rule.factor if rule is not None else None
        laboratory = None
        if limits is not None and factor is not None:
            low, high = (Decimal(x) * factor for x in limits.split("-"))
            laboratory = Range(low, high, self.catalog.inputs[analyte].canonical_unit, "laboratory")
        return Measurement(
            input=analyte,
            value=None if number is None or factor is None else number * factor,
            reported=number,
            unit=unit,
            comparator=found[1] if found else None,
            taken=taken(ago, day_only=day_only, uncertain=uncertain),
            reference=f"Observation/o{next(self._ids)}",
            draws=frozenset(draws),
            laboratory_range=laboratory,
            interpretation=Position(interpretation),
            marks=frozenset(Mark(mark) for mark in marks),
        )

    def finding(
        self,
        concept: str,
        *,
        specificity: str = "exact",
        active: bool = True,
        history_counts: bool = False,
        suspected: bool = False,
        since: str | None = None,
        reference: str | None = None,
        code: str | None = None,
    ) -> Finding:
        """A coded condition."""
        cause = self.catalog.knowledge.causes.get(concept)
        return Finding(
            concept=concept,
            specificity=Specificity(specificity),
            name=cause.name if cause is not None else concept,
            code=code or f"TEST {concept}",
            reference=reference or f"Condition/c{next(self._ids)}",
            active=active,
            history_counts=history_counts,
            suspected=suspected,
            since=None if since is None else taken(since),
        )

    def medicine(
        self,
        drug: str,
        *,
        route: str = "unknown",
        active: bool = True,
        started: str | None = None,
        ended: str | None = None,
    ) -> Exposure:
        """A medicine by its drug id."""
        known = self.catalog.drugs[drug]
        return Exposure(
            drug=drug,
            group=known.group,
            name=known.name,
            roles=frozenset(known.roles),
            reference=f"MedicationRequest/m{next(self._ids)}",
            route=Route(route),
            active=active,
            started=None if started is None else taken(started),
            ended=None if ended is None else taken(ended),
        )

    def order(
        self,
        *drugs: str,
        route: str = "unknown",
        iu_per_day: str | None = None,
        has_id: bool = True,
        reference: str | None = None,
    ) -> Order:
        """A draft order of these medicines by their drug ids, all by one route."""
        known = [self.catalog.drugs[drug] for drug in drugs]
        return Order(
            reference=reference or f"MedicationRequest/draft-{next(self._ids)}",
            name=" and ".join(drug.name for drug in known),
            drugs=tuple(OrderedDrug(drug.id, drug.group, drug.name, Route(route)) for drug in known),
            has_id=has_id,
            vitamin_d_iu_per_day=None if iu_per_day is None else Decimal(iu_per_day),
        )

    def event(self, kind: str, *, ago: str = "1 d", lasted: str = "4 h", day_only: bool = False) -> Event:
        """A procedure that started so long ago and lasted so long; day_only: the record has its date alone."""
        start = taken(ago, day_only=day_only)
        if day_only:
            return Event(kind=kind, name=kind, reference=f"Procedure/p{next(self._ids)}", started=start)
        end = start.at + span(lasted)
        return Event(
            kind=kind,
            name=kind,
            reference=f"Procedure/p{next(self._ids)}",
            started=start,
            ended=Taken(end, end.isoformat()),
        )

    def patient(
        self,
        *facts: Measurement | Finding | Exposure | Event,
        age: str | None = "60 y",
        setting: str = "outpatient",
        sex: str = "male",
        marks: Iterable[str] = (),
        unread: Iterable[str] = (),
        **rest: object,
    ) -> PatientFacts:
        """All facts of one patient; age None means unknown."""
        kinds: Mapping[type, str] = {
            Measurement: "measurements",
            Finding: "findings",
            Exposure: "exposures",
            Event: "events",
        }
        sorted_facts: dict[str, tuple[object, ...]] = {name: () for name in kinds.values()}
        for fact in facts:
            sorted_facts[kinds[type(fact)]] += (fact,)
        born: date | None = None if age is None else _birth(age)
        base = PatientFacts(
            patient_reference="Patient/example",
            birth_date=born,
            sex=Sex(sex),
            encounter_class=EncounterClass(setting),
            marks=frozenset(Mark(mark) for mark in marks),
            unread=frozenset(unread),
        )
        return replace(base, **sorted_facts, **rest)  # type: ignore[arg-type]


def _birth(age: str) -> date:
    """The birth date of a patient who is exactly that old: "13 y", "12 y 364 d", "27 d"."""
    years = sum(int(n) for n in re.findall(r"(\d+) ?y", age))
    days = sum(int(n) for n in re.findall(r"(\d+) ?d", age))
    day = NOW.date() - timedelta(days=days)
    return day.replace(year=day.year - years)
