"""What was sampled: whether a result may count as a blood result, and of which draw it is (CL-02, CL-30).

Knows: how an Observation names its specimen; the words that can only ever reject one.
Must not know: which codes are blood (catalog). A specimen that says nothing rejects nothing.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from cds_service.calcinosis.facts import Mark
from cds_service.fhir import parts, shapes
from cds_service.fhir.record import PatientRecord
from cds_service.fhir.references import local_reference
from cds_service.fhir.remarks import marks_in
from cds_service.terminology.catalog import Catalog

_NO_MARKS: Final[frozenset[Mark]] = frozenset()
# Exact words, compared without case: they reject, they never admit.
_URINE_WORDS: Final = frozenset(
    {"urine", "urin", "spot urine", "random urine", "24 h urine", "24h urine", "24-hour urine", "24 hour urine"}
)
_OTHER_WORDS: Final = frozenset(
    {
        *("dialysate", "dialysis fluid", "peritoneal dialysate", "peritoneal dialysis fluid", "peritoneal fluid"),
        *("ascites", "ascitic fluid", "pleural fluid", "pericardial fluid", "synovial fluid", "amniotic fluid"),
        *("cerebrospinal fluid", "csf", "stool", "faeces", "feces", "saliva", "sweat", "bile", "drain fluid"),
        *("body fluid", "other fluid", "gastric fluid", "bone", "hair", "nail", "tissue", "calculus", "stone"),
    }
)
# HL7 v2 table 0493: states of the specimen that spoil a result.
_SPOILT: Final = frozenset({"HEM", "CON"})


class Admits(Enum):
    """Whether the sample may give a blood result; the value is the wording of a gap."""

    YES = "used"
    URINE = "taken from urine, not used as a blood result"
    OTHER = "not taken from blood, not used as a blood result"
    NO_CALCIUM = "taken into a tube whose additive binds calcium, not used"
    NO_ELECTROLYTES = "taken into an EDTA tube, not used"
    UNREADABLE = "specimen not readable, not used"


@dataclass(frozen=True, slots=True)
class Sampled:
    """What the specimen says. draw: names the specimen; None when nothing points to one."""

    admits: Admits
    draw: str | None = None
    marks: frozenset[Mark] = _NO_MARKS


NOT_SAID: Final = Sampled(Admits.YES)


class Specimens:
    """Understands the specimen of an Observation."""

    def __init__(self, record: PatientRecord, catalog: Catalog) -> None:
        self._by_name = record.specimens
        self._catalog = catalog
        self._seen: dict[bytes, Sampled] = {}

    def of(self, observation: shapes.Observation) -> Sampled:
        """What the Observation's specimen says; references to a specimen of the record are judged once."""
        data = bytes(observation.specimen)
        if data in (b"", b"null"):
            return NOT_SAID
        known = self._seen.get(data)
        if known is not None:
            return known
        reference = parts.reference(data)
        if reference is None:
            return Sampled(Admits.UNREADABLE)
        name = (reference.reference or "").strip()
        if name.startswith("#"):
            inside = parts.contained(observation.contained, name, parts.contained_specimen)
            return self._judge(reference, inside, f"Observation/{observation.id}{name}")
        local = local_reference(name) if name else None
        specimen = self._by_name.get(local or "") or self._by_name.get(name)
        judged = self._seen[data] = self._judge(reference, specimen, local)
        return judged

    def _judge(self, reference: shapes.Reference, specimen: shapes.Specimen | None, draw: str | None) -> Sampled:
        admits = _by_words(reference.display)
        marks: set[Mark] = set()
        if specimen is not None:
            admits = _sterner(admits, self._by_type(specimen, marks))
            for text in (note.text for note in parts.annotations(specimen.note) or ()):
                marks |= marks_in(text, "") if text else _NO_MARKS
        return Sampled(admits, draw, frozenset(marks))

    def _by_type(self, specimen: shapes.Specimen, marks: set[Mark]) -> Admits:
        admits = _by_words(specimen.type.text if specimen.type else None)
        told = [specimen.type, *(each.additiveCodeableConcept for each in parts.containers(specimen.container) or ())]
        for coding in (coding for concept in told if concept for coding in concept.coding or ()):
            admits = _sterner(admits, self._by_code(coding, marks))
        for concept in parts.concepts(specimen.condition) or ():
            if any(coding.code in _SPOILT for coding in concept.coding or ()):
                marks.add(Mark.SAMPLE_QUALITY)
        return admits

    def _by_code(self, coding: shapes.Coding, marks: set[Mark]) -> Admits:
        verdict = self._catalog.specimen(coding.system or "", coding.code or "")
        if verdict == "post_dialysis":
            marks.add(Mark.POST_DIALYSIS)
        if verdict is None or verdict.startswith("accept") or verdict in ("pre_dialysis", "post_dialysis"):
            return Admits.YES
        if verdict == "reject_for_calcium_magnesium":
            return Admits.NO_CALCIUM
        if verdict == "reject_for_calcium_magnesium_alp_potassium":
            return Admits.NO_ELECTROLYTES
        return Admits.URINE if verdict == "reject_urine" else Admits.OTHER


def _by_words(text: str | None) -> Admits:
    word = " ".join((text or "").casefold().split())
    if word in _URINE_WORDS:
        return Admits.URINE
    return Admits.OTHER if word in _OTHER_WORDS else Admits.YES


def _sterner(one: Admits, other: Admits) -> Admits:
    """The one that admits less; urine is named rather than just another fluid."""
    order = list(Admits)
    if Admits.URINE in (one, other):
        return Admits.URINE
    return max(one, other, key=lambda each: (each is Admits.OTHER, order.index(each)))
