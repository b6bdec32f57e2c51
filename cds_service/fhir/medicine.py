"""Which medicine a resource is about: by code, by reference to a Medication, contained or beside it, and ingredients.

Knows: what a resource and the Medication it refers to say of a medicine (releases.py), routes coded in a dosage.
Must not know: which codes there are (catalog), statuses, what a medicine does.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cds_service.calcinosis.facts import Route
from cds_service.fhir import parts, releases, shapes
from cds_service.fhir.record import PatientRecord
from cds_service.fhir.references import local_reference
from cds_service.terminology.catalog import Catalog, DrugCode

NOT_SYSTEMIC = "other"
"""The form of creams, eye drops and tooth pastes: no exposure (decision 21)."""

# The rules ask for the route of calcium and phosphate salts alone, and their injections go into a vein.
_ROUTE_OF_FORM: Final = {
    "oral": Route.ORAL,
    "injectable": Route.INTRAVENOUS,
    "rectal": Route.RECTAL,
    NOT_SYSTEMIC: Route.OTHER,
}


_RELATIVE: Final = re.compile(r"Medication/([A-Za-z0-9\-.]{1,128})(?:/_history/[^/]*)?")
# read for one call at most; of more, the rest is told as not had
_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Medicine:
    """What a resource says of its medicine. lost: it refers to a Medication that is not there.

    codings: all codes, of the medicine and of its ingredients. concepts, named: what it is called.
    """

    codings: tuple[shapes.Coding, ...]
    concepts: Sequence[shapes.CodeableConcept]
    named: Sequence[str | None]
    lost: bool

    @property
    def text(self) -> str:
        """Its name in words."""
        displays = (coding.display for coding in self.codings)
        words = (*(concept.text for concept in self.concepts), *displays, *self.named)
        return next((text for text in words if text and text.strip()), "")


def medicine_of(resource: releases.Medicine, held: Mapping[str, shapes.Medication]) -> Medicine:
    """Return the medicine of a resource. held: Medications by "Type/id" and by address."""
    there: list[shapes.CodeableConcept] = []
    lost, named = False, list[str | None]()
    for told in releases.medicine(resource):
        if isinstance(told, shapes.CodeableConcept):
            there.append(told)
        elif told.reference:
            named.append(told.display)
            medication = _referred(resource, told.reference.strip(), held)
            lost = lost or medication is None
            if medication is not None:
                there += [concept for concept in _contents(resource, medication, held) if concept is not None]
    codings = tuple(coding for concept in there for coding in concept.coding or () if coding.code)
    return Medicine(codings, there, named, lost)


def _contents(
    resource: releases.Medicine, medication: shapes.Medication, held: Mapping[str, shapes.Medication]
) -> Iterator[shapes.CodeableConcept | None]:
    """The concept of a Medication and those of its ingredients, of which one may be a Medication again."""
    yield medication.code
    for each in releases.ingredients(medication):
        if isinstance(each, shapes.CodeableConcept):
            yield each
        elif each.reference and (inner := _referred(resource, each.reference.strip(), held)) is not None:
            yield inner.code


def _referred(
    resource: releases.Medicine, name: str, held: Mapping[str, shapes.Medication]
) -> shapes.Medication | None:
    if name.startswith("#"):
        return parts.contained(resource.contained, name, parts.contained_medication)
    return held.get(local_reference(name)) or held.get(name)


def lost_medications(record: PatientRecord) -> list[str]:
    """Return the ids of Medications of the same server that are referred to and not in hand, of orders in force first.

    An absolute reference may name another server, so only relative ones are looked at.
    """
    resources: list[releases.Medicine] = [*record.requests, *record.statements, *record.administrations]
    resources.sort(key=lambda each: (each.status or "active").strip() != "active")
    found: dict[str, None] = {}
    for resource in resources:
        for told in releases.medicine(resource):
            name = (told.reference or "").strip() if isinstance(told, shapes.Reference) else ""
            if (relative := _RELATIVE.fullmatch(name)) and _referred(resource, name, record.medications) is None:
                found[relative[1]] = None
    return list(found)[:_MOST]


def drugs_of(
    codings: tuple[shapes.Coding, ...], drugs_for: Callable[[str, str], tuple[DrugCode, ...]]
) -> dict[str, DrugCode]:
    """Return the medicines that these codes stand for, by drug id; a code that tells a route goes before others.

    drugs_for: the medicines of a system and a code.
    """
    drugs: dict[str, DrugCode] = {}
    for coding in codings:
        for row in drugs_for(coding.system or "", coding.code or ""):
            known = drugs.get(row.drug)
            if known is None or (not known.route_hint and row.route_hint):
                drugs[row.drug] = row
    return drugs


def route_of(dosage: list[shapes.Dosage] | None, catalog: Catalog) -> Route:
    """Return the one route that the dosage codes; UNKNOWN when there is none or there are several."""
    routes = {
        route
        for each in dosage or ()
        for coding in (each.route.coding if each.route is not None else None) or ()
        if (route := catalog.route(coding.system or "", coding.code or "")) is not None
    }
    return routes.pop() if len(routes) == 1 else Route.UNKNOWN


def route_of_form(row: DrugCode, dosed: Route) -> Route:
    """Return the route of the dosage, else that of the product's form."""
    return dosed if dosed is not Route.UNKNOWN else _ROUTE_OF_FORM.get(row.route_hint, Route.UNKNOWN)
