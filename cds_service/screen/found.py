"""What reading finds: rows by patient, and what is counted beside them.

Knows: which kinds of resources are kept, and in which order they are read; that counts stay bounded whatever comes.
Must not know: how lines are read (scan.py), where rows are kept (spill.py).
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final, TypeVar

from cds_service.screen.lines import Problem

_MOST_PROBLEMS: Final = 1_000
# so many different codes are told apart in a piece and in all; the rarest are then counted together
MOST_CODES: Final = 10_000
OTHER_CODES: Final = b"others"


class Rank(IntEnum):
    """What a row holds, in the order in which a patient's rows are read."""

    PATIENT = 0
    OBSERVATION = 1
    SPECIMEN = 2
    REPORT = 3
    CONDITION = 4
    REQUEST = 5
    STATEMENT = 6
    ADMINISTRATION = 7
    PROCEDURE = 8
    ENCOUNTER = 9
    ENTRY = 10


RANKS: Final = {
    "Patient": Rank.PATIENT,
    "Observation": Rank.OBSERVATION,
    "Specimen": Rank.SPECIMEN,
    "DiagnosticReport": Rank.REPORT,
    "Condition": Rank.CONDITION,
    "MedicationRequest": Rank.REQUEST,
    "MedicationStatement": Rank.STATEMENT,
    "MedicationAdministration": Rank.ADMINISTRATION,
    "Procedure": Rank.PROCEDURE,
    "Encounter": Rank.ENCOUNTER,
}
# belong to no patient; found by the reference that names them
SHARED: Final = frozenset({"Medication", "Location"})

# lines by patient and rank
Rows = dict[tuple[str, int], list[bytes]]


@dataclass(slots=True)
class Found:
    """What was met in a piece beside the rows. unmapped: Observations by the bytes of their code.

    years: Observations by the first four bytes of their date, to see whether dates were shifted.
    """

    types: dict[str, int] = field(default_factory=Counter)
    unmapped: dict[bytes, int] = field(default_factory=Counter)
    years: dict[bytes, int] = field(default_factory=Counter)
    unowned: dict[str, int] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    bad: int = 0
    lines: int = 0

    def add(self, other: "Found", lines_before: int, file: int) -> None:
        """Add the next piece of a file; its lines then count from the beginning of the file."""
        _sum(self.types, other.types)
        _sum(self.years, other.years)
        _sum(self.unowned, other.unowned)
        _sum(self.unmapped, other.unmapped)
        self.bound()
        self.bad += other.bad
        self.lines += other.lines
        room = max(0, _MOST_PROBLEMS - len(self.problems))
        self.problems += [
            replace(each, line=each.line and each.line + lines_before, file=file) for each in other.problems[:room]
        ]

    def bad_line(self, line: int, reason: str) -> None:
        """Count it; of very many only the first are told."""
        self.bad += 1
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(Problem(line, reason))

    def bound(self) -> None:
        """Keep the most frequent unmapped codes when there are too many different ones."""
        if len(self.unmapped) > 2 * MOST_CODES:
            others = self.unmapped.pop(OTHER_CODES, 0)
            kept = dict(Counter(self.unmapped).most_common(MOST_CODES))
            kept[OTHER_CODES] = others + sum(self.unmapped.values()) - sum(kept.values())
            self.unmapped = kept


K = TypeVar("K", str, bytes)


def _sum(counts: dict[K, int], more: dict[K, int]) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count
