"""What a run writes of each judgement: a line of JSON, a row of cards.csv, a FHIR resource, a place in the sample.

Knows: the files that hold patient ids, and their columns.
Must not know: the report, which holds none.
"""

import csv
import hashlib
import io
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from cds_service.hooks.cards import Card
from cds_service.hooks.contract import ASSESSMENT
from cds_service.screen.judge import Judged
from cds_service.screen.record import Record

CARD_COLUMNS: Final = (
    "patient",
    "encounter",
    "at",
    "tier",
    "rule",
    "shown",
    "product",
    "calcium",
    "phosphate",
    "pair_class",
    "freshness",
    "setting",
    "age_group",
    "dialysis",
    "causes",
    "summary",
)
_ENCODE: Final = msgspec.json.Encoder().encode


def assessment_line(record: Record, judged: Judged) -> bytes:
    """One line of assessments.ndjson: who, when, and the assessment exactly as the hook gives it."""
    moment = judged.moment
    line: dict[str, object] = {
        "patient": record.patient,
        "encounter": moment.encounter.id if moment.encounter is not None else None,
        "at": moment.at.isoformat(),
    }
    if judged.decision is not None:
        line["assessment"] = judged.decision.extension[ASSESSMENT]
    elif judged.missing is not None:
        line["error"] = {"status": 412, "missing": judged.missing.keys, "reasons": judged.missing.reasons}
    return _ENCODE(line)


def card_rows(record: Record, judged: Judged, *, shown: bool) -> list[dict[str, str]]:
    """The rows of cards.csv of one judgement."""
    if judged.decision is None:
        return []
    return [_card_row(record, judged, card, shown=shown) for card in judged.decision.cards]


def _card_row(record: Record, judged: Judged, card: Card, *, shown: bool) -> dict[str, str]:
    assert judged.decision is not None  # noqa: S101  card_rows has seen to it; this tells the type checker
    assessment, moment = judged.decision.assessment, judged.moment
    product = assessment.product
    return {
        "patient": record.patient,
        "encounter": (moment.encounter.id or "") if moment.encounter is not None else "",
        "at": moment.at.isoformat(),
        "tier": str(assessment.tier),
        "rule": assessment.headline or "",
        "shown": "yes" if shown else "repeat",
        "product": _number(product.value_mg2_dl2) if product else "",
        "calcium": _number(product.calcium.canonical) if product else "",
        "phosphate": _number(product.phosphate.canonical) if product else "",
        "pair_class": product.pair_class if product else "",
        "freshness": str(product.freshness) if product else "",
        "setting": str(assessment.setting.encounter_class),
        "age_group": assessment.population[0] if assessment.population else "",
        "dialysis": str(assessment.setting.dialysis),
        "causes": "; ".join(cause.id for cause in assessment.causes),
        "summary": card.summary,
    }


def _number(value: Decimal | None) -> str:
    return "" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")


def csv_text(rows: Iterable[dict[str, str]], columns: Iterable[str], *, header: bool) -> str:
    """Rows as CSV; a cell that a spreadsheet would take for a formula gets an apostrophe in front."""
    text = io.StringIO()
    writer = csv.DictWriter(text, tuple(columns), lineterminator="\n")
    if header:
        writer.writeheader()
    for row in rows:
        writer.writerow({name: _inert(value) for name, value in row.items()})
    return text.getvalue()


def _inert(value: str) -> str:
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def lot(seed: int, row: dict[str, str]) -> str:
    """The lot of a card in the sample: by chance, but the same in every run with the same seed."""
    return hashlib.sha256(f"{seed}\x1f{row['patient']}\x1f{row['at']}".encode()).hexdigest()
