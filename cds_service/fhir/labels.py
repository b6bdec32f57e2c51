"""What the code of an Observation says: the inputs it may be read as.

Knows: that all codings count, that one look-alike among them forbids the reading, that a label may say post-dialysis.
Must not know: which codes there are (catalog). Words never admit a result; a label is only told to mapping maintainers.
"""

import re
from dataclasses import dataclass
from typing import Final

from msgspec import Raw

from cds_service.calcinosis.facts import Mark
from cds_service.fhir import parts, shapes
from cds_service.fhir.bounded import Bounded
from cds_service.fhir.remarks import timing_in
from cds_service.terminology.catalog import Catalog

_NO_MARKS: Final[frozenset[Mark]] = frozenset()
_TELLING = re.compile(r"\s*(?:calcium|phosph)", re.IGNORECASE)
# Look-alikes that say nothing against a usable code beside them: the panel around it, an older or a less exact code.
_NEUTRAL: Final = frozenset({"panel", "deprecated", "unspecified specimen", "not verified"})
# how a note for the maintainers of the tables ends
NOT_MAPPED: Final = "is not mapped"


@dataclass(frozen=True, slots=True)
class Label:
    """An understood code.

    inputs: input ids, each once. alone: the input of most codes; None when there are several, or none, or it makes a
    finding instead of a measurement. contradiction: why a look-alike among the codings forbids them, else None.
    unmapped: note for maintainers when nothing is mapped although the name sounds like calcium or phosphate.
    """

    inputs: tuple[str, ...] = ()
    codings: frozenset[tuple[str, str]] = frozenset()
    marks: frozenset[Mark] = _NO_MARKS
    contradiction: str | None = None
    unmapped: str | None = None
    text_only: bool = False
    alone: str | None = None


# The input that is a finding, not a measurement.
PREGNANCY: Final = "pregnancy_status"
NOTHING: Final = Label()


class Labels:
    """Understands codes, equal ones once. seen: what is understood already."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.seen: Bounded[bytes, Label] = Bounded()

    def of(self, code: Raw) -> Label:
        """The meaning of Observation.code or component.code."""
        data = bytes(code)
        known = self.seen.get(data)
        return self.seen.keep(data, self._understand(data)) if known is None else known

    def _understand(self, data: bytes) -> Label:
        concept = parts.concept(data)
        if concept is None:
            return NOTHING
        codings = [coding for coding in concept.coding or () if coding.code]
        inputs: dict[str, None] = {}
        marks = set(timing_in(concept.text) if concept.text else _NO_MARKS)
        contradiction = None
        lookalike = False
        for coding in codings:
            system, code = coding.system or "", coding.code or ""
            found = self._catalog.observation(system, code)
            if found is not None:
                inputs[found.input] = None
                continue
            rejected = self._catalog.rejected_observation(system, code)
            lookalike = lookalike or rejected is not None
            if rejected is None or rejected.reason in _NEUTRAL:
                continue
            if rejected.reason == "post-dialysis":
                marks.add(Mark.POST_DIALYSIS)
            else:
                contradiction = contradiction or rejected.reason
        if not inputs:
            return Label(
                unmapped=None if lookalike else _unmapped(concept, codings),
                text_only=not codings and bool(concept.text),
            )
        pairs = frozenset((coding.system or "", coding.code or "") for coding in codings)
        alone = next(iter(inputs)) if len(inputs) == 1 and PREGNANCY not in inputs else None
        return Label(tuple(inputs), pairs, frozenset(marks), contradiction, alone=alone)


def _unmapped(concept: shapes.CodeableConcept, codings: list[shapes.Coding]) -> str | None:
    names = [*(coding.display for coding in codings), concept.text]
    name = next((name for name in names if name and _TELLING.match(name)), None)
    if name is None:
        return None
    label = " ".join(name.split())[:40]
    if not codings:
        return f"a result labelled '{label}' has no code"
    known = "; ".join(f"code {coding.code} of {coding.system or 'no system'}"[:120] for coding in codings[:3])
    return f"a result labelled '{label}' with {known} {NOT_MAPPED}"
