"""What one resource after the other adds to the report.

Knows: the readers of fhir/, which judge each resource exactly as in a call; which words sound like which analyte.
Must not know: how a report looks. Kept are codes, units, reasons and counts; never a value, date, id or free text.
Longer than 300 lines because all counts of one pass stand together.
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from msgspec import Raw

from cds_service.calcinosis.facts import Gap, GapReason
from cds_service.calcinosis.names import Input
from cds_service.fhir import parts, releases, shapes
from cds_service.fhir.lenient import read_resource
from cds_service.fhir.read import read_facts
from cds_service.fhir.record import PatientRecord, Unreadable
from cds_service.fhir.references import local_reference
from cds_service.fhir.validate import evidence_notes
from cds_service.fhir.values import UnitProblem
from cds_service.fhir.vocabulary import vocabulary_of
from cds_service.terminology import codes
from cds_service.terminology.catalog import Catalog

Coded = tuple[str, str, str]  # system, code, display

ANALYTES: Final[dict[str, tuple[str, ...]]] = {
    "calcium": (Input.CALCIUM, Input.ADJUSTED_CALCIUM, Input.IONIZED_CALCIUM, Input.IONIZED_CALCIUM_PH74),
    "phosphate": (Input.PHOSPHATE,),
    "albumin": (Input.ALBUMIN,),
    "creatinine": (Input.CREATININE,),
    "PTH": (Input.PTH,),
}
_OF_INPUT: Final = {name: analyte for analyte, names in ANALYTES.items() for name in names}
_SOUNDS_LIKE: Final = {
    "calcium": re.compile(r"\bcal[cz]ium|\bca\b(?!\s*\d)", re.IGNORECASE),
    "phosphate": re.compile(r"\bphos(?:phat|phor(?:us|ous)\b|\b)|\bpo4\b|\binorganic p\b", re.IGNORECASE),
    "albumin": re.compile(r"\balbumin", re.IGNORECASE),
    "creatinine": re.compile(r"\b[ck]reatinin", re.IGNORECASE),
    "PTH": re.compile(r"\bpth\b|parath(?:yroid|ormon)", re.IGNORECASE),
}
# Names in which the word means another thing, or another fluid.
_ANOTHER_THING: Final = re.compile(
    r"urin|24 ?h|clearance|ratio|fluid|csf|stool|dialys|ascit|pleura|globulin|microalbumin|prealbumin|phosphatase"
    r"|phospholip|phosphokinase|related|antibod|oxalate|score|/creat|crystal",
    re.IGNORECASE,
)
_DATE_IN_BRACKETS: Final = re.compile(r"\s*\([^)]*\)")
_KNOWN_SYSTEMS: Final = frozenset(codes.SYSTEM_NAMES)
# so many of each type are held against the R4 models; each costs about a millisecond
_VALIDATED: Final = 300
_LOST: Final = "refers to a Medication that is not among the data"
# medicines kept until all is read, for their Medication may come later
_MOST_WAITING: Final = 100_000


@dataclass(slots=True)
class Shares:
    """Results of one analyte. unmapped: by name of the code alone; elsewhere: rightly left (urine, other fluids)."""

    used: int = 0
    refused: int = 0
    pending: int = 0
    no_value: int = 0
    unmapped: int = 0
    elsewhere: int = 0

    @property
    def all(self) -> int:
        """All results that are, or sound like, the analyte in blood."""
        return self.used + self.refused + self.pending + self.no_value + self.unmapped


@dataclass(slots=True)
class Likeness:
    """What is known of an unmapped code that sounds like an analyte."""

    analyte: str
    count: int = 0
    units: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Tally:
    """All counts of the report."""

    resources: Counter[str] = field(default_factory=Counter)
    shares: dict[str, Shares] = field(default_factory=lambda: {name: Shares() for name in ANALYTES})
    observations: Counter[str] = field(default_factory=Counter)
    conditions: Counter[str] = field(default_factory=Counter)
    medications: Counter[str] = field(default_factory=Counter)
    unmapped: dict[str, Counter[Coded]] = field(default_factory=lambda: defaultdict(Counter))
    alike: dict[Coded, Likeness] = field(default_factory=dict)
    units: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    unreadable: Counter[tuple[str, str]] = field(default_factory=Counter)
    lenient: Counter[tuple[str, str]] = field(default_factory=Counter)
    validated: Counter[str] = field(default_factory=Counter)
    invalid: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)

    def incomplete(self) -> list[str]:
        """Why the report tells less than it could, in sentences."""
        orders = self.medications[_LOST]
        if not orders:
            return self.failures
        return [
            *self.failures,
            f"{orders:,} orders or statements name their medicine only by reference to {len(self.lost):,} Medications "
            "that are not among the data read; include Medication in the export to have them judged",
        ]


class Counting:
    """Reads resources into a Tally, each by itself: what other resources hold of it is not seen."""

    def __init__(self, catalog: Catalog, now: datetime) -> None:
        self.tally = Tally()
        self._catalog = catalog
        self._vocabulary = vocabulary_of(catalog)
        self._now = now
        self._medications: dict[str, shapes.Medication] = {}
        self._waiting: list[releases.Medicine] = []

    def finish(self) -> None:
        """Count the medicines whose Medication may have come after them; call once, after the last resource."""
        waiting, self._waiting = self._waiting, []
        for resource in waiting:
            self._medicine(resource, wait=False)

    def take(self, raw: Raw) -> None:
        """Count one resource."""
        resource, note = read_resource(raw)
        if isinstance(resource, Unreadable):
            self.tally.unreadable[resource.type, resource.reason] += 1
            self.tally.resources[resource.type] += 1
            return
        if resource is None or isinstance(resource, shapes.Unused):
            self.tally.resources["other kinds"] += 1
            return
        kind = type(resource).__name__
        self.tally.resources[kind] += 1
        if note is not None:
            self.tally.lenient[kind, note.partition("read leniently: ")[2]] += 1
        self._validate(kind, raw)
        if isinstance(resource, shapes.Observation):
            self._observation(resource)
        elif isinstance(resource, shapes.Condition):
            self._condition(resource)
        elif isinstance(resource, shapes.Medication):
            if resource.id:
                self._medications[f"Medication/{resource.id}"] = resource
        elif isinstance(
            resource,
            shapes.MedicationRequest
            | shapes.MedicationOrder
            | shapes.MedicationStatement
            | shapes.MedicationAdministration,
        ):
            self._medicine(resource)

    def _validate(self, kind: str, raw: Raw) -> None:
        if self.tally.validated[kind] >= _VALIDATED or kind in ("MedicationOrder", "Bundle", "OperationOutcome"):
            return
        self.tally.validated[kind] += 1
        reference = f"{kind}/x"
        for note in evidence_notes({reference: raw}, [reference]):
            self.tally.invalid[kind, note.rpartition("read leniently: ")[2]] += 1

    # ---- results

    def _observation(self, observation: shapes.Observation) -> None:
        label = self._vocabulary.labels.of(observation.code)
        inner = parts.components(observation.component) or ()
        if not label.inputs and not any(self._vocabulary.labels.of(each.code).inputs for each in inner):
            self._unmapped_result(observation)
            return
        self.tally.observations["mapped"] += 1
        record = PatientRecord(_subject_id(observation))
        record.observations.append(observation)
        facts = read_facts(record, self._catalog, self._now)
        told = set()
        for measurement in facts.measurements:
            told.add(measurement.input)
            self._count(measurement.input, "used")
        for gap in facts.gaps:
            told.add(gap.analyte)
            self._gap(gap, observation)
        for name in label.inputs:
            if name not in told:
                self._count(name, "no_value")

    def _count(self, name: str, what: str) -> None:
        analyte = _OF_INPUT.get(name)
        if analyte is not None:
            shares = self.tally.shares[analyte]
            setattr(shares, what, getattr(shares, what) + 1)

    def _gap(self, gap: Gap, observation: shapes.Observation) -> None:
        if gap.reason is GapReason.PENDING:
            self._count(gap.analyte, "pending")
            return
        self._count(gap.analyte, "refused")
        self.tally.refusals[gap.analyte, _reason(gap)] += 1
        quantity = observation.valueQuantity
        if quantity is not None and gap.analyte in self._vocabulary.catalog.units:
            problem = self._vocabulary.units.of(gap.analyte, quantity)
            if isinstance(problem, UnitProblem) and problem is not UnitProblem.MISSING:
                unit = _short(quantity.unit or quantity.code or "")
                self.tally.units[gap.analyte, unit, problem.value.removesuffix(", not used")] += 1

    def _unmapped_result(self, observation: shapes.Observation) -> None:
        concept = parts.concept(observation.code)
        codings = [coding for coding in (concept.coding if concept is not None else None) or () if coding.code]
        names = [coding.display or "" for coding in codings] + [(concept.text if concept is not None else "") or ""]
        analyte = _analyte(names)
        if not codings:
            self.tally.observations["text only" if any(names) else "no code"] += 1
            if analyte is not None:
                self.tally.shares[analyte].unmapped += 1
            return
        looks = [self._catalog.rejected_observation(coding.system or "", coding.code or "") for coding in codings]
        rejected = next((each for each in looks if each is not None), None)
        if rejected is not None:
            self.tally.observations["known look-alike, not used"] += 1
            if rejected.looks_like in _OF_INPUT:
                self.tally.shares[_OF_INPUT[rejected.looks_like]].elsewhere += 1
            return
        self.tally.observations["other code"] += 1
        key = _coded(codings[0])
        self.tally.unmapped["Observation"][key] += 1
        if analyte is None:
            return
        if any(_ANOTHER_THING.search(name) for name in names):
            self.tally.shares[analyte].elsewhere += 1
            return
        self.tally.shares[analyte].unmapped += 1
        likeness = self.tally.alike.setdefault(key, Likeness(analyte))
        likeness.count += 1
        quantity = observation.valueQuantity
        likeness.units[_short((quantity.unit or quantity.code or "") if quantity is not None else "")] += 1

    # ---- conditions and medicines

    def _condition(self, condition: shapes.Condition) -> None:
        codings = [coding for coding in (condition.code.coding if condition.code else None) or () if coding.code]
        if any(self._vocabulary.findings(coding.system, coding.code or "") for coding in codings):
            self.tally.conditions["of interest"] += 1
        else:
            self._left(self.tally.conditions, "Condition", codings)

    def _medicine(self, resource: releases.Medicine, *, wait: bool = True) -> None:
        codings: list[shapes.Coding] = []
        lost: list[str] = []
        for told in releases.medicine(resource):
            if isinstance(told, shapes.CodeableConcept):
                codings += [coding for coding in told.coding or () if coding.code]
            else:
                name = (told.reference or "").strip()
                medication = self._medication(resource, name)
                lost += [name] if medication is None else []
                for concept in _contents(medication):
                    codings += [coding for coding in concept.coding or () if coding.code]
        if any(self._catalog.drugs_for(coding.system or "", coding.code or "") for coding in codings):
            self.tally.medications["of interest"] += 1
        elif lost and not codings:
            if wait and len(self._waiting) < _MOST_WAITING:
                self._waiting.append(resource)
                return
            self.tally.medications[_LOST] += 1
            self.tally.lost.update(lost)
        else:
            self._left(self.tally.medications, "Medication", codings)

    def _medication(self, resource: releases.Medicine, name: str) -> shapes.Medication | None:
        if name.startswith("#"):
            return parts.contained(resource.contained, name, parts.contained_medication)
        return self._medications.get(local_reference(name))

    def _left(self, counts: Counter[str], kind: str, codings: list[shapes.Coding]) -> None:
        if not codings:
            counts["no code"] += 1
        elif any(codes.canonical_system(coding.system or "") in _KNOWN_SYSTEMS for coding in codings):
            counts["known system, not of interest"] += 1
        else:
            counts["unknown system"] += 1
            self.tally.unmapped[kind][_coded(codings[0])] += 1


def _contents(medication: shapes.Medication | None) -> list[shapes.CodeableConcept]:
    if medication is None:
        return []
    inner = [each for each in releases.ingredients(medication) if isinstance(each, shapes.CodeableConcept)]
    return [*([medication.code] if medication.code is not None else []), *inner]


def _analyte(names: list[str]) -> str | None:
    return next((analyte for analyte, words in _SOUNDS_LIKE.items() if any(words.search(name) for name in names)), None)


def _subject_id(observation: shapes.Observation) -> str:
    """The id of whoever the result is about: here every subject is the right one."""
    subject = parts.reference(observation.subject)
    return local_reference((subject.reference if subject is not None else None) or "x").removeprefix("Patient/")


def _reason(gap: Gap) -> str:
    """The reason of a gap without the value and date in front of it."""
    return _DATE_IN_BRACKETS.sub("", gap.detail).rpartition(": ")[2].removesuffix(", not used")


def _coded(coding: shapes.Coding) -> Coded:
    return _short(coding.system or "", 120), _short(coding.code or "", 60), _short(coding.display or "", 80)


def _short(text: str, most: int = 40) -> str:
    plain = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(plain.split())[:most]
