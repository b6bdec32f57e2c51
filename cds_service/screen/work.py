"""The work of one process: reading pieces into a spill, judging buckets of patients into parts.

Knows: what a process keeps between tasks. Everything here pickles or is made anew in each process.
Must not know: how processes are started and watched (run.py).
"""

import heapq
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from cds_service.fhir.bounded import Bounded
from cds_service.fhir.medications import says_nothing
from cds_service.fhir.vocabulary import vocabulary_of
from cds_service.screen.fhir_out import resource_line
from cds_service.screen.inputs import Piece
from cds_service.screen.judge import Judge
from cds_service.screen.moments import Moments
from cds_service.screen.observe import Observer
from cds_service.screen.record import Record
from cds_service.screen.scan import Scan
from cds_service.screen.setup import NO_FHIR, Choices, Plan
from cds_service.screen.spill import Buckets, Spill
from cds_service.screen.tally import Tally
from cds_service.screen.whatif import variants
from cds_service.screen.written import CARD_COLUMNS, assessment_line, card_rows, csv_text, lot
from cds_service.terminology.catalog import Catalog

PARTS: Final = ("assessments.ndjson", "cards.csv", "fhir.ndjson")
_STATS: Final = "stats"


class Drawn(msgspec.Struct, order=True):
    """A card drawn for the sample, by its lot."""

    lot: str
    row: dict[str, str]


class Stats(msgspec.Struct):
    """What a part adds to the report and the manifest."""

    tally: Tally
    patients: int = 0
    judged: int = 0
    openings: int = 0
    cards: int = 0
    drawn: list[Drawn] = []

    def merge(self, other: "Stats", sample: int) -> None:
        """Add another part."""
        self.tally.merge(other.tally)
        self.patients += other.patients
        self.judged += other.judged
        self.openings += other.openings
        self.cards += other.cards
        self.drawn = heapq.nsmallest(sample, [*self.drawn, *other.drawn])


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What only the whole input tells: which prefetch keys were exported, and whether dates were shifted."""

    exported: tuple[str, ...]
    shifted: bool


class Judging:
    """Judges patients for a run and writes what came of it."""

    def __init__(self, catalog: Catalog, choices: Choices, known: Known) -> None:
        clock = choices.clock
        moments = Moments(choices.moments, catalog, clock, fixed_zone=bool(choices.zone), shifted=known.shifted)
        self._judge = Judge(catalog, moments)
        self._knowledge = catalog.knowledge
        self._says_nothing = partial(says_nothing, vocabulary=vocabulary_of(catalog))
        self._variants = variants(catalog.knowledge)
        self._choices = choices
        self._known = known
        self.stats = Stats(Tally())

    def patient(
        self,
        patient: str,
        rows: Iterable[tuple[int, bytes]],
        shared: Callable[[str], bytes | None],
        write: Callable[[str, str | bytes], None],
    ) -> None:
        """Judge one patient. write: takes what belongs into one of the PARTS."""
        choices, stats = self._choices, self.stats
        record = Record(
            patient,
            rows,
            exported=self._known.exported,
            shared=shared,
            zone=choices.tzinfo,
            says_nothing=self._says_nothing,
            everything=choices.everything,
        )
        observer = Observer(self._knowledge, self._variants, choices.windows)
        candidates: list[Drawn] = []
        decided = False
        for judged in self._judge.patient(record):
            shown = observer.take(record, judged)
            decided = decided or judged.decision is not None
            stats.openings += 1
            write("assessments.ndjson", assessment_line(record, judged) + b"\n")
            rows_of = card_rows(record, judged, shown=shown)
            stats.cards += len(rows_of)
            if rows_of:
                write("cards.csv", csv_text(rows_of, CARD_COLUMNS, header=False))
                if choices.fhir != NO_FHIR:
                    write("fhir.ndjson", resource_line(record, judged, choices.fhir) + b"\n")
                if choices.sample and shown:
                    candidates += (Drawn(lot(choices.seed, row), row) for row in rows_of)
        stats.tally.patient(observer.end().items())
        stats.patients += 1
        stats.judged += decided
        if candidates:  # one card a patient, so that the cards of the sample are independent of each other
            stats.drawn = heapq.nsmallest(choices.sample, [*stats.drawn, min(candidates)])


def read_pieces(
    path: Path,
    plan: Plan,
    choices: Choices,
    catalog: Catalog,
    following: Callable[[], Piece | None],
    read: Callable[[int], None],
) -> None:
    """Read pieces into the spill of this process until there is no following one."""
    spill = Spill(path, plan.buckets)
    scan = Scan(catalog, spill.put, spill.put_shared, choices.longest_line)
    try:
        while (piece := following()) is not None:
            spill.begin(piece.file)
            spill.end(piece.number, scan.piece(plan.files[piece.file], piece, read))
    finally:
        spill.close()


def judge_bucket(
    bucket: int, spills: Sequence[Path], folder: Path, choices: Choices, catalog: Catalog, known: Known
) -> Stats:
    """Judge the patients of a bucket; what is written counts once the stats lie beside it."""
    buckets = Buckets(spills)
    seen: Bounded[str, bytes | None] = Bounded()

    def shared(name: str) -> bytes | None:
        return seen[name] if name in seen else seen.keep(name, buckets.shared(name))

    judging = Judging(catalog, choices, known)
    files = {name: open(folder / f"{bucket:05d}.{name}", "wb") for name in PARTS}  # noqa: SIM115  closed below

    def write(name: str, data: str | bytes) -> None:
        files[name].write(data.encode() if isinstance(data, str) else data)

    try:
        for patient, rows in buckets.patients(bucket):
            judging.patient(patient, rows, shared, write)
    finally:
        for file in files.values():
            file.close()
        buckets.close()
    path = folder / f"{bucket:05d}.{_STATS}"
    path.with_suffix(".new").write_bytes(msgspec.msgpack.encode(judging.stats))
    os.replace(path.with_suffix(".new"), path)
    return judging.stats


def done_bucket(folder: Path, bucket: int) -> Stats | None:
    """The stats of a bucket that was judged to its end."""
    path = folder / f"{bucket:05d}.{_STATS}"
    return msgspec.msgpack.decode(path.read_bytes(), type=Stats) if path.exists() else None
