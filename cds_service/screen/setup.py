"""The choices of a run, and the plan that follows from them and the input.

Knows: every option once; the digest by which a resumed run knows that it is the same.
Must not know: how the work is done.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from cds_service.hooks.again import Windows
from cds_service.screen.inputs import PIECE_BYTES, InputFile, Piece, pieces
from cds_service.screen.lines import MOST_LINE_BYTES
from cds_service.screen.moments import At, parse_at

# a bucket of this size is sorted in the memory of SQLite's cache
_BUCKET_BYTES: Final = 32 * 1024 * 1024
_MOST_BUCKETS: Final = 256
AUTO, REAL, SHIFTED = "auto", "real", "shifted"
NO_FHIR, DETECTED_ISSUE, RISK_ASSESSMENT = "none", "detected-issue", "risk-assessment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What was asked for. It pickles, so that processes and clusters can carry it.

    now: the run's clock, with its zone. windows: how long an acknowledged card is not repeated.
    zone: name of the zone for times that name none; empty: that of the clock. dates: whether dates were shifted (then
    they may lie in the future). everything: count diagnoses, orders and procedures at any moment, whenever recorded.
    exported: types that the export was asked for, though none came.
    """

    at: str
    now: datetime
    windows: Windows
    zone: str = ""
    dates: str = AUTO
    everything: bool = False
    exported: tuple[str, ...] = ()
    fhir: str = NO_FHIR
    sample: int = 0
    seed: int = 1
    longest_line: int = MOST_LINE_BYTES
    smallest_cell: int = 11
    local_mappings: str = ""

    @property
    def tzinfo(self) -> tzinfo | None:
        """The zone of times that name none."""
        return ZoneInfo(self.zone) if self.zone else self.now.tzinfo

    @property
    def clock(self) -> datetime:
        """The run's time in that zone."""
        return self.now.astimezone(self.tzinfo)

    @property
    def moments(self) -> At:
        """When to judge."""
        return parse_at(self.at, self.tzinfo)

    def told(self) -> dict[str, object]:
        """The choices for the manifest, without the clock and without the place of the site's tables."""
        told: dict[str, object] = msgspec.to_builtins(self)
        return {name: value for name, value in told.items() if name not in ("now", "local_mappings")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Files, pieces and buckets of a run."""

    files: tuple[InputFile, ...]
    pieces: tuple[Piece, ...]
    buckets: int
    digest: str

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file.size for file in self.files)


def plan_of(files: Sequence[InputFile], choices: Choices, content: str, piece_bytes: int = PIECE_BYTES) -> Plan:
    """Plan a run. content: digest of the clinical content."""
    text = sum(file.text_bytes for file in files)
    buckets = max(4, min(_MOST_BUCKETS, text // _BUCKET_BYTES))
    told = (content, choices.told(), files, buckets, piece_bytes)
    digest = hashlib.sha256(msgspec.json.encode(told)).hexdigest()
    return Plan(files=tuple(files), pieces=tuple(pieces(files, piece_bytes)), buckets=buckets, digest=digest)
