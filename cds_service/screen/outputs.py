"""The folder that a run leaves: results put together, sample, problems, report, manifest.

Knows: the names of the files, which of them hold patient ids, what the manifest tells.
Must not know: how anything was judged.
"""

import csv
import platform
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Final

import msgspec

from cds_service import __version__
from cds_service.screen.found import Found
from cds_service.screen.numbers import Numbers
from cds_service.screen.report import report_html
from cds_service.screen.review import form_text
from cds_service.screen.setup import NO_FHIR, Choices, Plan
from cds_service.screen.work import PARTS, Known, Stats
from cds_service.screen.written import CARD_COLUMNS
from cds_service.terminology.catalog import Catalog

ASSESSMENTS: Final = "assessments.ndjson"
CARDS: Final = "cards.csv"
FORM: Final = "review.csv"
PROBLEMS: Final = "problems.csv"
REPORT: Final = "report.html"
MANIFEST: Final = "manifest.json"
# these name patients; the report and the manifest do not
WITH_PATIENTS: Final = frozenset({ASSESSMENTS, CARDS, FORM, "DetectedIssue.ndjson", "RiskAssessment.ndjson"})
_FHIR: Final = {"detected-issue": "DetectedIssue.ndjson", "risk-assessment": "RiskAssessment.ndjson"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to."""

    patients: int
    judged: int
    openings: int
    cards: int
    bad: int
    files: tuple[Path, ...]


def finish(
    out: Path,
    work: Path,
    plan: Plan,
    choices: Choices,
    catalog: Catalog,
    *,
    known: Known,
    found: Found,
    stats: Stats,
    checksums: Mapping[str, str],
    aside: Sequence[Path],
) -> Outcome:
    """Write everything; files that hold patient ids can be read by their owner alone."""
    names = [ASSESSMENTS, CARDS, REPORT]
    _join(work / "parts", PARTS[0], out / ASSESSMENTS)
    _join(work / "parts", PARTS[1], out / CARDS, ",".join(CARD_COLUMNS) + "\n")
    if choices.fhir != NO_FHIR:
        names.append(_FHIR[choices.fhir])
        _join(work / "parts", PARTS[2], out / _FHIR[choices.fhir])
    if choices.sample:
        names.append(FORM)
        (out / FORM).write_text(form_text([drawn.row for drawn in stats.drawn]), encoding="utf-8")
    if found.problems:
        names.append(PROBLEMS)
        _write_problems(out / PROBLEMS, plan, found)
    numbers = Numbers(plan=plan, choices=choices, catalog=catalog, known=known, found=found, stats=stats)
    (out / REPORT).write_text(report_html(numbers), encoding="utf-8")
    for name in names:
        (out / name).chmod(0o600 if name in WITH_PATIENTS else 0o644)
    told = _manifest(out, names, numbers, checksums, aside)
    (out / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")
    return Outcome(
        patients=stats.patients,
        judged=stats.judged,
        openings=stats.openings,
        cards=stats.cards,
        bad=found.bad,
        files=tuple(out / name for name in (*names, MANIFEST)),
    )


def _join(parts: Path, name: str, path: Path, head: str = "") -> None:
    """Put the parts together, in the order of the buckets."""
    with path.open("wb") as whole:
        whole.write(head.encode())
        for part in sorted(parts.glob(f"*.{name}")):
            with part.open("rb") as file:
                shutil.copyfileobj(file, whole, 1 << 20)


def _write_problems(path: Path, plan: Plan, found: Found) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "line", "problem"))
        for each in found.problems:
            name = plan.files[each.file].path if each.file >= 0 else ""
            writer.writerow((name, each.line or "", each.reason))


def _manifest(
    out: Path, names: Sequence[str], numbers: Numbers, checksums: Mapping[str, str], aside: Sequence[Path]
) -> dict[str, object]:
    plan, choices, found, stats = numbers.plan, numbers.choices, numbers.found, numbers.stats
    return {
        "tool": {
            "calcinosis-cds": __version__,
            "python": platform.python_version(),
            "msgspec": msgspec.__version__,
            "sqlite": sqlite3.sqlite_version,
        },
        "content": {"version": numbers.catalog.version, "digest": numbers.catalog.digest},
        "clock": choices.clock.isoformat(),
        "settings": choices.told(),
        "plan": {"digest": plan.digest, "pieces": len(plan.pieces), "buckets": plan.buckets},
        "input": [{"file": file.path, "bytes": file.size, "sha256": checksums.get(file.path)} for file in plan.files],
        "notRead": [str(path) for path in aside],
        "counts": {
            "lines": found.lines,
            "unusable": found.bad,
            "resources": dict(sorted(found.types.items())),
            "withoutPatient": dict(sorted(found.unowned.items())),
            "patients": stats.patients,
            "judged": stats.judged,
            "openings": stats.openings,
            "cards": stats.cards,
        },
        "exported": numbers.known.exported,
        "datesShifted": numbers.known.shifted,
        "output": [
            {"file": name, "sha256": _digest(out / name), "namesPatients": name in WITH_PATIENTS} for name in names
        ],
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
