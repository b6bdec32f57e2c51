"""What is kept of a call: nothing that tells about the patient.

Knows: the fields of a record.
Must not know: databases; so that it can be used with the journal off.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

# beside the reasons of gaps: codes of calcium or phosphate, by their names, that no table maps
UNMAPPED = "unmapped"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """One decision, or one call that could not be decided.

    tenant: the client's name in the settings; None when the call was refused before it was known.
    hook_instance_hash: see hashed(); None when the call was refused before it was read.
    outcome: "decided", or the HTTP status of the refusal.
    gaps: reason -> how many values could not be used for it; UNMAPPED -> how many codes.
    read_ms, decide_ms, answer_ms: the time for reading the request, for deciding, for the rest.
    """

    at: datetime
    service: str
    hook: str
    tenant: str | None
    hook_instance_hash: str | None
    outcome: str
    content_version: str
    content_digest: str
    tier: str | None
    headline: str | None
    rules: Sequence[str]
    cards: int
    gaps: Mapping[str, int]
    read_ms: float
    decide_ms: float
    answer_ms: float

    def as_row(self) -> dict[str, object]:
        """All fields, for the journal."""
        return {name: getattr(self, name) for name in _FIELDS}

    def as_log(self) -> dict[str, object]:
        """The fields that a log line shows; the log has its own time."""
        return {name: getattr(self, name) for name in _LOGGED}


_FIELDS = tuple(field.name for field in fields(DecisionRecord))
_LOGGED = tuple(name for name in _FIELDS if name not in {"at", "hook", "rules", "headline", "content_digest"})


def hashed(hook_instance: str) -> str:
    """A stand-in for the hook instance: two records of one call can be matched, the EHR's number is not kept."""
    return hashlib.sha256(hook_instance.lower().encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AuditRecord:
    """A call and whom it was about, for the audit log alone. It has no repr, because it identifies persons.

    user, patient: references such as Practitioner/p1; None when the call was refused before it was read.
    """

    entry: DecisionRecord
    user: str | None
    patient: str | None
