"""The catalog: what a code or a unit spelling stands for in the words of the clinical rules.

Knows: lookups by system and code; every lookup is a dictionary hit, ICD codes a few of them.
Must not know: files, and patients. A code that is not listed means nothing, whatever its display says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from cds_service.calcinosis.facts import EncounterClass, Route, Specificity
from cds_service.calcinosis.knowledge import Knowledge
from cds_service.terminology.codes import ATC, ICD_DIAGNOSES, canonical_system, icd_key

ICU = EncounterClass.ICU


@dataclass(frozen=True, slots=True)
class Input:
    """One analyte or body measure. low, high: plausible values in the canonical unit, limits included (CL-13)."""

    id: str
    name: str
    canonical_unit: str
    low: Decimal | None
    high: Decimal | None
    prefetch_group: str


@dataclass(frozen=True, slots=True)
class Drug:
    """One medicine; group and roles are the words of medications.csv."""

    id: str
    name: str
    group: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a number or a code comes from. url only where it was printed in the material read."""

    id: str
    title: str
    kind: str
    year: int | None
    url: str | None


@dataclass(frozen=True, slots=True)
class ObservationCode:
    """A code that may be read as an input. status: accept, accept_if_unit, accept_legacy or context; unit: a hint."""

    code: str
    display: str
    input: str
    status: str
    unit: str


@dataclass(frozen=True, slots=True)
class RejectedCode:
    """A look-alike that must never be read as the input it resembles."""

    code: str
    display: str
    looks_like: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnitRule:
    """What a unit spelling of one input means. factor: to the canonical unit; None when it does not convert."""

    ucum: str
    factor: Decimal | None
    verdict: str


@dataclass(frozen=True, slots=True)
class FindingCode:
    """One concept that a Condition code stands for, and how exactly it states it."""

    concept: str
    specificity: Specificity
    history_counts: bool
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class DrugCode:
    """A medicine that a code stands for. route_hint: oral, injectable, rectal, other (not systemic) or ""."""

    drug: str
    route_hint: str
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class ProcedureCode:
    """A kind of event that a code stands for. use: accept, context or exclude."""

    kind: str
    use: str
    code: str
    display: str


Hierarchy = Mapping[str, tuple[FindingCode, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All reviewed content, with lookups. System URIs are taken as received: OIDs, blanks, a final slash do not matter.

    input_groups: (key, title, inputs) of each group of inputs that is prefetched together.
    bounds: least and greatest value of each limit that a site or one of its clients may set.
    dose_units: what one of each unit of a vitamin D dose is in international units.
    The fields from `observations` on are the tables behind the lookups, by canonical system URI.
    """

    version: str
    digest: str
    knowledge: Knowledge
    bounds: Mapping[str, tuple[Decimal, Decimal]]
    inputs: Mapping[str, Input]
    drugs: Mapping[str, Drug]
    concepts: Mapping[str, str]
    sources: Mapping[str, Source]
    input_groups: tuple[tuple[str, str, tuple[str, ...]], ...]
    observations: Mapping[str, Mapping[str, ObservationCode]]
    rejected: Mapping[str, Mapping[str, RejectedCode]]
    loinc_by_input: Mapping[str, tuple[tuple[str, str], ...]]
    panels: Mapping[str, tuple[str, ...]]
    units: Mapping[str, Mapping[str, UnitRule]]
    specimens: Mapping[str, Mapping[str, str]]
    finding_codes: Mapping[str, Hierarchy]
    finding_prefixes: Mapping[str, Hierarchy]
    rejected_findings: Mapping[str, frozenset[str]]
    drug_codes: Mapping[str, Mapping[str, tuple[DrugCode, ...]]]
    drug_prefixes: Mapping[str, tuple[DrugCode, ...]]
    procedure_codes: Mapping[str, Mapping[str, tuple[ProcedureCode, ...]]]
    routes: Mapping[str, Mapping[str, Route]]
    dose_units: Mapping[str, Decimal]
    encounter_classes: Mapping[str, EncounterClass]
    care_locations: Mapping[str, EncounterClass]

    def observation(self, system: str, code: str) -> ObservationCode | None:
        """Return the input that an Observation code may be read as."""
        table = self.observations.get(canonical_system(system))
        return None if table is None else table.get(code.strip())

    def rejected_observation(self, system: str, code: str) -> RejectedCode | None:
        """Return why a look-alike code must not be read."""
        table = self.rejected.get(canonical_system(system))
        return None if table is None else table.get(code.strip())

    def unit(self, input_id: str, unit_text: str) -> UnitRule | None:
        """Return what a unit spelling means for an input; the spelling must be one of the table, letter by letter."""
        table = self.units.get(input_id)
        return None if table is None else table.get(unit_text)

    def specimen(self, system: str, code: str) -> str | None:
        """Return the verdict on a specimen type, additive or timing qualifier."""
        table = self.specimens.get(canonical_system(system))
        return None if table is None else table.get(code.strip())

    def findings(self, system: str, code: str) -> tuple[FindingCode, ...]:
        """Return the concepts that a Condition code stands for, the most specific row first, each concept once."""
        known = canonical_system(system)
        table = self.finding_codes.get(known)
        if table is None:
            return ()
        if known not in ICD_DIAGNOSES:
            plain = code.strip()
            return () if plain in self.rejected_findings.get(known, ()) else table.get(plain, ())
        key = icd_key(code)
        if key in self.rejected_findings.get(known, ()):
            return ()
        return _by_prefix(table, self.finding_prefixes[known], key)

    def drugs_for(self, system: str, code: str) -> tuple[DrugCode, ...]:
        """Return the medicines that a product, ingredient or class code stands for."""
        known = canonical_system(system)
        table = self.drug_codes.get(known)
        if table is None:
            return ()
        plain = code.strip()
        found = table.get(plain, ())
        if found or known != ATC:
            return found
        # ATC classes hold their members; the nearest class says most.
        for length in range(len(plain) - 1, 0, -1):
            found = self.drug_prefixes.get(plain[:length], ())
            if found:
                return found
        return ()

    def procedures(self, system: str, code: str) -> tuple[ProcedureCode, ...]:
        """Return the kinds of event that a Procedure code stands for, look-alikes (exclude) among them."""
        table = self.procedure_codes.get(canonical_system(system))
        return () if table is None else table.get(code.strip(), ())

    def route(self, system: str, code: str) -> Route | None:
        """Return the route of administration that a code states."""
        table = self.routes.get(canonical_system(system))
        return None if table is None else table.get(code.strip())

    def encounter_class(self, code: str) -> EncounterClass | None:
        """Return the setting that an Encounter class (v3-ActCode) stands for."""
        return self.encounter_classes.get(code.strip())

    def intensive_care(self, code: str) -> bool:
        """Tell whether a location type (v3-RoleCode) is an intensive care unit."""
        return self.care_locations.get(code.strip()) is ICU

    def codes_for(self, *inputs: str, context: bool = False) -> tuple[str, ...]:
        """Return the LOINC codes of these inputs for a query, the usual ones first; context codes only when asked."""
        return tuple(
            code
            for name in inputs
            for code, status in self.loinc_by_input.get(name, ())
            if context or status != "context"
        )

    def panels_for(self, *inputs: str) -> tuple[str, ...]:
        """Return the LOINC codes of panels that may hold these inputs as components, for a query."""
        return tuple(code for name in inputs for code in self.panels.get(name, ()))


def _by_prefix(exact: Hierarchy, prefixes: Hierarchy, key: str) -> tuple[FindingCode, ...]:
    """Return the rows of this code, then those of shorter codes that include what is below them."""
    found: dict[str, FindingCode] = {row.concept: row for row in exact.get(key, ())}
    for length in range(len(key) - 1, 0, -1):
        for row in prefixes.get(key[:length], ()):
            found.setdefault(row.concept, row)
    return tuple(found.values())
