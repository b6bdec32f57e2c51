"""Which results were replaced by an amended or corrected one (CL-01).

Knows: the three ways to see that two Observations are one result: same id (gather keeps one version), same identifier,
same code at the same time.
Must not know: values.
"""

from collections.abc import Sequence
from typing import Final

from cds_service.fhir import parts, shapes
from cds_service.fhir.labels import Label

CORRECTING: Final = frozenset({"amended", "corrected"})
_REPLACEABLE: Final = frozenset({"final", "amended", "corrected", "preliminary", "registered"})


def superseded(observations: Sequence[tuple[shapes.Observation, Label]]) -> set[int]:
    """The id() of each Observation that a later correction replaces."""
    same: dict[object, list[shapes.Observation]] = {
        key: []
        for observation, label in observations
        if observation.status in CORRECTING
        for key in (*_identifiers(observation), *_code_and_time(observation, label))
    }
    for observation, label in observations:
        if observation.status in _REPLACEABLE:
            for key in {*_identifiers(observation), *_code_and_time(observation, label)} & same.keys():
                same[key].append(observation)
    replaced = set()
    for versions in same.values():
        latest = max(versions, key=lambda each: (each.status in CORRECTING, each.issued or "", _updated(each)))
        replaced |= {id(each) for each in versions if each is not latest}
    return replaced


def _identifiers(observation: shapes.Observation) -> list[tuple[str | None, str]]:
    if observation.identifier is shapes.ABSENT:
        return []
    identifiers = parts.identifiers(observation.identifier) or ()
    return [(identifier.system, identifier.value) for identifier in identifiers if identifier.value]


def _code_and_time(observation: shapes.Observation, label: Label) -> list[tuple[frozenset[tuple[str, str]], str]]:
    if not label.codings or not observation.effectiveDateTime:
        return []
    return [(label.codings, observation.effectiveDateTime)]


def _updated(observation: shapes.Observation) -> str:
    meta = parts.meta(observation.meta)
    return (meta.lastUpdated or "") if meta is not None else ""
