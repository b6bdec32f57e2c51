"""The head that all our FHIR R4 resources share, what each code system asks to be said, and how they become bytes.

Knows: canonical addresses, version, date, status, copyright; fhir.resources R4B checks every resource.
Must not know: what a code stands for.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from fhir.resources.R4B.codesystem import CodeSystem
from fhir.resources.R4B.conceptmap import ConceptMap
from fhir.resources.R4B.valueset import ValueSet

from cds_service.interchange.manifest import PUBLISHER, Manifest
from cds_service.terminology import codes

Json = dict[str, Any]

# The project owns no domain; ".example" can never lead to somebody else's. A publisher sets its own.
CANONICAL_BASE: Final = "http://calcinosis-cds.example/fhir"
COMMENT: Final = "http://hl7.org/fhir/StructureDefinition/valueset-concept-comments"

_ICD_WHO: Final = "ICD-10: copyright World Health Organization; codes are used as identifiers."
_ICD_US: Final = (
    "ICD-10-CM, ICD-10-PCS and ICD-9-CM are maintained by agencies of the United States government; they rest on or "
    "stand beside classifications of the World Health Organization."
)
_NOTICES: Final = {
    codes.LOINC: (
        "This material contains content from LOINC (http://loinc.org). LOINC is copyright Regenstrief Institute, Inc. "
        "and the Logical Observation Identifiers Names and Codes (LOINC) Committee and is available at no cost under "
        "the license at http://loinc.org/license. LOINC is a registered United States trademark of Regenstrief "
        "Institute, Inc. UCUM: copyright Regenstrief Institute, Inc. and The UCUM Organization, available under the "
        "terms at https://ucum.org/license."
    ),
    codes.SNOMED: (
        "This material contains content from SNOMED Clinical Terms (SNOMED CT), copyright the International Health "
        "Terminology Standards Development Organisation (SNOMED International). Use in a deployed system needs an "
        "affiliate licence or use in a member country."
    ),
    codes.RXNORM: (
        "RxNorm: publicly available data courtesy of the U.S. National Library of Medicine (NLM), National Institutes "
        "of Health, Department of Health and Human Services; NLM is not responsible for the product and does not "
        "endorse or recommend this or any other product."
    ),
    codes.ATC: (
        "ATC: WHO Collaborating Centre for Drug Statistics Methodology, Oslo (https://www.whocc.no); not to be "
        "altered or sold as such."
    ),
    codes.ICD10WHO: _ICD_WHO,
    codes.ICD10CM: _ICD_US,
    codes.ICD9CM: _ICD_US,
    codes.ICD10PCS: _ICD_US,
}


_MODELS: Final[dict[str, type[ValueSet | ConceptMap | CodeSystem]]] = {
    "ValueSet": ValueSet,
    "ConceptMap": ConceptMap,
    "CodeSystem": CodeSystem,
}


@dataclass(frozen=True, slots=True)
class Publication:
    """One export. base: the canonical address below which the resources stand."""

    manifest: Manifest
    base: str = CANONICAL_BASE

    def url(self, kind: str, name: str) -> str:
        """Return the canonical address of one of our resources."""
        return f"{self.base.rstrip('/')}/{kind}/{name}"

    def head(self, kind: str, name: str, title: str, description: str, systems: Iterable[str]) -> Json:
        """Return the members that every resource begins with; systems: whose codes it holds."""
        notices = dict.fromkeys(_NOTICES[system] for system in sorted(systems) if system in _NOTICES)
        return {
            "resourceType": kind,
            "id": name,
            "url": self.url(kind, name),
            "version": self.manifest.version,
            "name": computer_name(name),
            "title": title,
            # nobody has signed: a draft, whatever else is said
            "status": "active" if self.manifest.reviewers else "draft",
            "experimental": not self.manifest.reviewers,
            "date": self.manifest.date,
            "publisher": PUBLISHER,
            "description": f"{description} {self.manifest.remark}".strip(),
            **({"copyright": " ".join(notices)} if notices else {}),
        }


def identifier(*words: str) -> str:
    """Return a FHIR id: letters, digits and hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", "-".join(words)).strip("-")


def computer_name(name: str) -> str:
    """Return a name as FHIR wants it for programs: a capital first, letters and digits."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name))


def checked(resource: Json) -> Json:
    """Return the resource when fhir.resources takes it. Raises: pydantic's ValidationError, a mistake of ours."""
    _MODELS[resource["resourceType"]].model_validate(resource)
    return resource


def text_of(resource: Json) -> str:
    """Return the resource as JSON, the same bytes for the same content."""
    return json.dumps(resource, indent=1, ensure_ascii=False) + "\n"
