"""The facts while they are being read: what the readers of the single kinds add to.

Knows: that one note is enough for each thing met, and that notes must stay few.
Must not know: FHIR, codes.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from cds_service.calcinosis.facts import Event, Exposure, Finding, Gap, Mark, Measurement

_MOST_NOTES: Final = 60


@dataclass(slots=True)
class Draft:
    """Facts so far. tallies: counts that become one note each ("Condition: 3 without a code")."""

    measurements: list[Measurement] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    exposures: list[Exposure] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    marks: set[Mark] = field(default_factory=set)
    tallies: Counter[str] = field(default_factory=Counter)
    _notes: dict[str, None] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """Remember what was met and not understood, once."""
        self._notes[text] = None

    def first(self, what: str, text: str) -> None:
        """Remember the first of many like things, and count the rest."""
        self.tallies[what] += 1
        if self.tallies[what] == 1:
            self.note(text)

    def notes(self) -> tuple[str, ...]:
        """All notes, the tallies last; beyond a readable number only their count."""
        notes = list(self._notes)
        if len(notes) > _MOST_NOTES:
            notes[_MOST_NOTES:] = [f"{len(notes) - _MOST_NOTES} more notes"]
        counts = sorted(self.tallies.items())[:_MOST_NOTES]
        return (*notes, *(f"{what}: {count}" for what, count in counts))
