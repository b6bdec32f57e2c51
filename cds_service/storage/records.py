"""What is kept of a call: nothing that tells about the patient.

Knows: the fields of a record.
Must not know: databases; so that it can be used with the journal off.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum


class StoreAway(Exception):
    """The database has not said that it took it. Holds the kind of the trouble, never a value."""


class Delivery(StrEnum):
    """What the caller got to see of a decision."""

    SHOWN = "shown"
    NOTHING = "nothing"  # there was nothing to show
    SILENT = "silent"  # the client is in silent mode
    REPEAT = "repeat"  # the user has acknowledged the same guidance (CL-125)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCard:
    """A card as it went out, or as it would have.

    topic: the static code under which an EHR remembers it. rules: all that fired. suggestions: their uuids.
    place, evidence: keyed hashes of where it was shown and on what it rests; None where nothing is remembered.
    """

    uuid: str
    at: datetime
    tenant: str
    service: str
    delivery: Delivery
    tier: str
    topic: str
    rules: Sequence[str]
    suggestions: Sequence[str]
    content_version: str
    place: str | None
    evidence: str | None

    def as_row(self) -> dict[str, object]:
        """All fields, for the database."""
        return {name: getattr(self, name) for name in _SHOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackItem:
    """What a client reports of one card.

    outcome_at: the client's clock. received_at: ours. reason: a code.
    commented: whether there was a comment; its text only where the site keeps it.
    """

    received_at: datetime
    tenant: str
    service: str
    card: str
    outcome: str
    outcome_at: datetime
    suggestions: Sequence[str]
    reason: str | None
    commented: bool
    comment: str | None

    def as_row(self) -> dict[str, object]:
        """All fields, for the database."""
        return {name: getattr(self, name) for name in _FEEDBACK}


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """That a user acknowledged a card: when, its tier and rules, and the reason when it was overridden with one."""

    at: datetime
    tier: str
    rules: tuple[str, ...]
    reason: str | None


# beside the reasons of gaps: codes of calcium or phosphate, by their names, that no table maps
UNMAPPED = "unmapped"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """One decision, or one call that could not be decided.

    tenant: the client's name in the settings; None when the call was refused before it was known.
    hook_instance_hash: see hashed(); None when the call was refused before it was read.
    outcome: "decided", or the HTTP status of the refusal.
    gaps: reason -> how many values could not be used for it; UNMAPPED -> how many codes.
    cards: how many went out. delivery: see Delivery; None when nothing was decided.
    suppressed_since: when the user acknowledged the guidance that was therefore not repeated.
    shown: the cards, those that were held back included.
    gaps: reason -> how many values could not be used for it.
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
    delivery: Delivery | None = None
    suppressed_since: datetime | None = None
    shown: Sequence[ShownCard] = ()

    def as_row(self) -> dict[str, object]:
        """All fields but the cards, for the journal."""
        return {name: getattr(self, name) for name in _FIELDS}

    def as_log(self) -> dict[str, object]:
        """The fields that a log line shows; the log has its own time."""
        return {name: getattr(self, name) for name in _LOGGED}


_SHOWN = tuple(field.name for field in fields(ShownCard))
_FEEDBACK = tuple(field.name for field in fields(FeedbackItem))
_FIELDS = tuple(field.name for field in fields(DecisionRecord) if field.name != "shown")
_LOGGED = tuple(
    name for name in _FIELDS if name not in {"at", "hook", "rules", "headline", "content_digest", "suppressed_since"}
)


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
