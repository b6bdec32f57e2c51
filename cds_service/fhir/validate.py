"""Validation of the evidence with fhir.resources, on the side: notes, never a refusal.

Knows: the R4B models (R4 data pass them), and that they are slow to import, so only when somebody asks.
Must not know: what became evidence; the caller names the references.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Raw

_MOST_PLACES: Final = 3
_KINDS: Final = ("Observation", "Condition", "MedicationRequest", "Procedure")  # what most evidence is


def warm_up() -> None:
    """Import the models and build those of most evidence, so that no patient's call pays for it (0.5 s)."""
    samples = {f"{kind}/warm-up": Raw(b'{"resourceType":"%s"}' % kind.encode()) for kind in _KINDS}
    evidence_notes(samples, samples)


def evidence_notes(raw: Mapping[str, Raw], references: Iterable[str]) -> tuple[str, ...]:
    """One note for each resource that the answer rests on and that is no valid FHIR R4; places and kinds, no values.

    raw: PatientRecord.raw of a record gathered with keep_raw. References that are not in it are left out.
    """
    notes = []
    for reference in dict.fromkeys(references):
        kind = reference.split("/")[0]
        if reference in raw:
            reason = _problem(kind, bytes(raw[reference]))
            if reason is not None:
                notes.append(f"{reference}: read leniently: {reason}")
    return tuple(notes)


def _problem(kind: str, data: bytes) -> str | None:
    from fhir.resources.R4B import get_fhir_model_class  # 0.3 s: only where it is wanted

    try:
        model: Any = get_fhir_model_class(kind)
        model.model_validate_json(data)
    except ValueError as problem:  # pydantic's ValidationError is one
        # its messages quote what they met; the place and the type of the error do not
        errors: list[Any] = getattr(problem, "errors", list)()
        places = dict.fromkeys(
            f"{'.'.join(str(part) for part in each['loc']) or 'resource'} ({each['type']})" for each in errors
        )
        shown = list(places)[:_MOST_PLACES]
        more = f", {len(places) - len(shown)} more" if len(places) > len(shown) else ""
        return ", ".join(shown) + more
    return None
