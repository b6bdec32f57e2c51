"""Which results were replaced by an amended or corrected one (CL-01).

Knows: the three ways to see that two Observations are one result: same id (gather keeps one version), same identifier,
same code at the same time.
Must not know: values.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from cds_service.fhir import parts, shapes
from cds_service.fhir.labels import Label

CORRECTING: Final = frozenset({"amended", "corrected"})
_REPLACEABLE: Final = frozenset({"final", "amended", "corrected", "preliminary", "registered"})


def superseded(observations: Sequence[tuple[shapes.Observation, Label]]) -> set[int]:
    """The id() of each Observation that a later correction replaces."""
    same: dict[object, list[shapes.Observation]] = defaultdict(list)
    for observation, label in observations:
        if observation.status in _REPLACEABLE:
            for key in _identities(observation, label):
                same[key].append(observation)
    replaced = set()
    for versions in same.values():
        if any(each.status in CORRECTING for each in versions):
            latest = max(versions, key=lambda each: (each.status in CORRECTING, each.issued or "", _updated(each)))
            replaced |= {id(each) for each in versions if each is not latest}
    return replaced


def _identities(observation: shapes.Observation, label: Label) -> set[object]:
    keys: set[object] = {
        (identifier.system, identifier.value)
        for identifier in parts.identifiers(observation.identifier) or ()
        if identifier.value
    }
    if label.codings and observation.effectiveDateTime:
        keys.add((label.codings, observation.effectiveDateTime))
    return keys


def _updated(observation: shapes.Observation) -> str:
    meta = parts.meta(observation.meta)
    return (meta.lastUpdated or "") if meta is not None else ""
